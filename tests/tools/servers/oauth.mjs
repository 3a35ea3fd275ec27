// node-oidc-provider, a certified authorisation server, on a free port of loopback. Prints its address, two clients and a
// token of each, then serves.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const installed = createRequire(process.argv[2] + "/");
const { default: Provider } = await import(pathToFileURL(installed.resolve("oidc-provider")).href);

const secret = () => crypto.randomUUID() + crypto.randomUUID();
const client = (id) => ({
  client_id: id,
  client_secret: secret(),
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
});
const clients = [client("app"), client("other")];

const server = createServer();
server.listen(0, "127.0.0.1", async () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(base, {
    clients,
    scopes: ["read", "write"],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
    },
  });
  server.on("request", provider.callback());
  const token = async ({ client_id, client_secret }) => {
    const answer = await fetch(`${base}/token`, {
      method: "POST",
      headers: {
        authorization: "Basic " + Buffer.from(`${client_id}:${client_secret}`).toString("base64"),
        "content-type": "application/x-www-form-urlencoded",
      },
      body: "grant_type=client_credentials&scope=read",
    });
    return (await answer.json()).access_token;
  };
  const told = {
    base,
    clients: Object.fromEntries(clients.map((one) => [one.client_id, one.client_secret])),
    token: await token(clients[0]),
    sibling: await token(clients[0]),
    foreign: await token(clients[1]),
  };
  console.log(JSON.stringify(told));
});
