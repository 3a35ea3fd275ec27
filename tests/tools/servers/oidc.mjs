// node-oidc-provider, certified for OpenID Connect, on a free port of loopback, with its own pages for signing in: whatever
// login is typed is who one is. Prints its address and our client's secret, then serves.
// Arguments: the folder of its modules, and the address of the server whose people sign in here.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const installed = createRequire(process.argv[2] + "/");
const ours = process.argv[3];
const { default: Provider } = await import(pathToFileURL(installed.resolve("oidc-provider")).href);

const secret = crypto.randomUUID() + crypto.randomUUID();
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(base, {
    clients: [
      {
        client_id: "unleak",
        client_secret: secret,
        grant_types: ["authorization_code"],
        response_types: ["code"],
        redirect_uris: [`${ours}/sign-in/oidc/back`],
        post_logout_redirect_uris: [`${ours}/sign-in?said=signed-out`],
      },
    ],
    claims: { email: ["email", "email_verified"], groups: ["groups"] },
    scopes: ["openid", "email", "groups"],
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id.replace("fake-", "")}@mail.example`,
        email_verified: !id.startsWith("fake-"),
        groups: id === "olga" ? ["staff", "operators"] : ["staff"],
      }),
    }),
  });
  server.on("request", provider.callback());
  console.log(JSON.stringify({ base, secret }));
});
