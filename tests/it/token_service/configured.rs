//! The real program as an operator sets it up: a configuration file, `unleak token`, and `unleak serve` as a process of
//! its own that is stopped and started again.

use std::io::BufRead as _;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::{Answer, Desk, desk};
use crate::support::tool::{Ran, Tool};

/// A machine with a configuration file and an empty store.
struct Machine {
    desk: Desk,
    tool: Tool,
}

/// `unleak serve` as a process; killed if the test forgets it.
struct Server {
    child: Child,
    base: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Machine {
    /// `rest` follows the section `[serve]`.
    async fn new(rest: &str) -> Self {
        let machine = Self {
            desk: desk().await,
            tool: Tool::new(),
        };
        let store = machine.desk.empty_database().await;
        machine.configure(&format!(
            "[serve]\nlisten = \"127.0.0.1:0\"\nstore = {store:?}\nkey_file = \"key\"\n{rest}"
        ));
        machine
    }

    fn configure(&self, text: &str) {
        self.tool.write("c.toml", text);
    }

    fn configuration(&self) -> String {
        std::fs::read_to_string(self.tool.path().join("c.toml")).unwrap()
    }

    /// `unleak token` with these words.
    fn token(&self, words: &str) -> Ran {
        let words = words.split(' ').map(|word| word.replace('_', " "));
        self.tool.run(
            ["--config", "c.toml", "token"]
                .map(String::from)
                .into_iter()
                .chain(words),
        )
    }

    /// The same; it must go well, and what it printed is given.
    fn done(&self, words: &str) -> String {
        let ran = self.token(words);
        assert_eq!(ran.code, 0, "{words}: {}{}", ran.out, ran.err);
        ran.out.trim_end().to_owned()
    }

    /// An organisation with an owner, a member and a project.
    fn furnish(&self) {
        self.done("organisation create corp --name Corp");
        for (login, role) in [("kim", "owner"), ("lee", "member")] {
            self.done(&format!(
                "user create {login} --email {login}@example.com --name {login}"
            ));
            self.done(&format!("member add corp {login} --role {role}"));
        }
        self.done("project create corp site --name Site");
    }

    fn serve(&self) -> Server {
        let mut child = self
            .tool
            .command(env!("CARGO_BIN_EXE_unleak"))
            .args(["--config", "c.toml", "serve"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let base = line.trim().strip_prefix("listening on ").unwrap_or_default();
        assert!(base.starts_with("http://127.0.0.1:"), "{line:?}");
        Server {
            base: base.to_owned(),
            child,
        }
    }

    /// Asks the process to stop, and waits until it did.
    fn stop(&self, mut server: Server) {
        let pid = server.child.id().to_string();
        let asked = self.tool.command("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(asked.success());
        let ended = server.child.wait().unwrap();
        assert_eq!(ended.code(), Some(0), "it ends by itself and well");
    }

    async fn get(&self, server: &Server, path: &str, token: &str) -> Answer {
        let request = self.desk.client.get(format!("{}{path}", server.base));
        self.desk.send(request, token).await
    }
}

fn why(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["error_description"].clone())
}

/// The id of the only token that this user holds.
fn id_of(machine: &Machine, login: &str) -> String {
    let listed = machine.done(&format!("list --user {login}"));
    listed.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_running_server_refuses_at_once_what_the_command_line_stops_and_says_why() {
    let machine = Machine::new("").await;
    machine.furnish();
    let made = |login: &str| {
        machine.done(&format!(
            "create --user {login} --scope events:write --description laptop"
        ))
    };
    let (kim, lee) = (made("kim"), made("lee"));
    let server = machine.serve();
    let check = "/api/v1/check?scope=events:write&organisation=corp";
    for token in [&kim, &lee] {
        assert_eq!(machine.get(&server, check, token).await.status, 200);
    }
    let id = id_of(&machine, "kim");
    assert_eq!(
        machine.done(&format!("revoke {id} --cause found_in_a_log")),
        format!("revoked {id}")
    );
    let again = machine.done(&format!("revoke {id} --cause twice"));
    assert_eq!(again, format!("{id} was revoked already; nothing was changed"));
    let refused = machine.get(&server, "/api/v1/token", &kim).await;
    assert_eq!(why(&refused), (401, json!("revoked")));
    machine.done("user deactivate lee");
    assert_eq!(
        machine.done("user deactivate lee"),
        "lee was deactivated already; nothing was changed"
    );
    let refused = machine.get(&server, "/api/v1/token", &lee).await;
    assert_eq!(why(&refused), (401, json!("owner disabled")));
    machine.stop(server);
    machine.done("user activate lee");
    let server = machine.serve();
    let refused = machine.get(&server, "/api/v1/token", &kim).await;
    assert_eq!(why(&refused), (401, json!("revoked")), "after a restart, too");
    assert_eq!(machine.get(&server, check, &lee).await.status, 200);
    machine.done("policy set corp --refuse-user-tokens true");
    let again = machine.done("policy set corp --refuse-user-tokens true");
    assert!(again.ends_with("nothing was changed"), "{again}");
    let refused = machine.get(&server, check, &lee).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("refuses user tokens"),
        "{}",
        refused.text
    );
    machine.stop(server);
    let listed = machine.done("list --organisation corp");
    assert!(listed.contains("revoked (found in a log)"), "{listed}");
    assert!(
        !listed.contains("last used never"),
        "uses are written when it stops: {listed}"
    );
    assert!(
        machine
            .done("audit --verify")
            .starts_with("the audit log is whole")
    );
}

#[tokio::test]
async fn a_preset_of_the_configuration_makes_tokens_and_none_hands_an_application_admin_rights() {
    let machine = Machine::new(
        "[serve.presets.mobile]\nscopes = [\"events:write\", \"crashes:write\"]\nexpires_in_days = 30\n",
    )
    .await;
    machine.furnish();
    let listed = machine.done("presets");
    assert!(
        listed.contains("mobile  for applications; scopes crashes:write events:write; expires in 30 days")
            && listed.contains("sdk  "),
        "{listed}"
    );
    let token = machine.done("create --project corp/site --preset mobile --description app");
    let server = machine.serve();
    let seen = machine.get(&server, "/api/v1/token", &token).await.json();
    assert_eq!(seen["scopes"], json!(["crashes:write", "events:write"]));
    assert!(seen["expires_at"].is_string(), "{seen}");
    machine.stop(server);
    let good = machine.configuration();
    for (bad, told) in [
        ("scopes = [\"admin\"]", "application"),
        ("scopes = []", "has no scope"),
        ("scopes = [\"a:b\"]\ncolour = \"red\"", "colour"),
    ] {
        machine.configure(&format!("{good}[serve.presets.bad]\n{bad}\n"));
        for ran in [
            machine.token("presets"),
            machine.tool.run(["--config", "c.toml", "serve"]),
        ] {
            assert_eq!(ran.code, 2, "{bad}: {}", ran.err);
            assert!(ran.err.contains(told) && ran.out.is_empty(), "{bad}: {}", ran.err);
        }
    }
}

#[tokio::test]
async fn limits_and_the_schedule_of_the_review_are_the_configurations() {
    let machine = Machine::new(
        "[serve.limits]\nrequests_per_second = 1\nburst = 3\n\
         [serve.review]\nmail_every_days = 7\nunused_days = 0\n[notify]\noutbox = \"outbox\"\n",
    )
    .await;
    machine.furnish();
    let token = machine.done("create --user lee --scope events:write --description laptop --expires-in 30d");
    let id = id_of(&machine, "lee");
    assert!(
        machine.done("review").contains("never used in 0 days"),
        "the days are those of the configuration"
    );
    assert_eq!(machine.done("review --unused-days 5"), "tokens to look at: 0");
    machine.done(&format!(
        "ask {id} --organisation corp --cause use_a_project_token"
    ));
    let letters = || {
        let files = std::fs::read_dir(machine.tool.path().join("outbox"));
        let files = files.into_iter().flatten().flatten();
        let texts = files.map(|file| std::fs::read_to_string(file.path()).unwrap());
        texts.collect::<Vec<_>>()
    };
    for round in ["first", "after a restart"] {
        let server = machine.serve();
        let mut statuses = Vec::new();
        for _ in 0..8 {
            statuses.push(machine.get(&server, "/api/v1/token", &token).await.status);
        }
        assert!(statuses.contains(&429), "{round}: {statuses:?}");
        for _ in 0..100 {
            if letters().len() >= 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        machine.stop(server);
        let letters = letters();
        assert_eq!(letters.len(), 2, "{round}: {letters:?}");
        for part in ["okens to look at: 1", "use a project token"] {
            let about = letters.iter().filter(|letter| letter.contains(part));
            assert_eq!(about.count(), 1, "{round}: {letters:?}");
        }
        assert!(letters.iter().all(|letter| letter.contains("lee@example.com")));
        assert!(letters.iter().all(|letter| !letter.contains(&token)));
    }
    let good = machine.configuration();
    for (from, to, told) in [
        ("burst = 3", "burst = 0", "limits.burst = 0"),
        ("unused_days = 0", "unused_days = -1", "review.unused_days = -1"),
        (
            "mail_every_days = 7",
            "mail_every_days = 99999",
            "review.mail_every_days",
        ),
    ] {
        machine.configure(&good.replace(from, to));
        let ran = machine.token("list");
        assert!(ran.code == 2 && ran.err.contains(told), "{to}: {}", ran.err);
    }
}

#[tokio::test]
async fn a_server_key_is_changed_in_the_configuration_and_a_lost_one_is_given_up_by_name() {
    let machine = Machine::new("").await;
    machine.furnish();
    let seen = machine.done("create --user kim --scope a:b --description seen");
    let unseen = machine.done("create --user lee --scope a:b --description unseen");
    let old = machine.done("key list");
    let old = old.split_whitespace().next().unwrap().to_owned();
    let first = machine.configuration();
    let second = first.replace(
        "key_file = \"key\"",
        "key_file = \"new\"\nfurther_key_files = [\"key\"]",
    );
    machine.configure(&second);
    let server = machine.serve();
    assert_eq!(machine.get(&server, "/api/v1/token", &seen).await.status, 200);
    machine.stop(server);
    machine.configure(&first.replace("key_file = \"key\"", "key_file = \"new\""));
    let refused = machine.token("list");
    let told = format!("unleak token key retire {old}");
    assert!(
        refused.code == 2 && refused.err.contains(&told),
        "{}",
        refused.err
    );
    assert_eq!(
        machine.done(&format!("key retire {old}")),
        format!("retired {old}; tokens revoked with it: 1")
    );
    let server = machine.serve();
    assert_eq!(machine.get(&server, "/api/v1/token", &seen).await.status, 200);
    assert_eq!(machine.get(&server, "/api/v1/token", &unseen).await.status, 401);
    machine.stop(server);
    // the file of the only key is lost
    std::fs::remove_file(machine.tool.path().join("new")).unwrap();
    let refused = machine.token("list").err;
    let (_, retire) = refused.split_once("unleak token ").unwrap();
    let retire = retire.split('`').next().unwrap();
    assert!(machine.done(retire).contains("revoked with it: 1"));
    assert!(
        machine
            .done("list --user kim")
            .contains("its server key was retired")
    );
}
