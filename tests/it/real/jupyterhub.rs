//! JupyterHub: a service with users, scopes and administrators.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Running, asked, command, here, installed, text};
use crate::support::desk::Desk;

/// So long a hub may take to start, on a machine that does much else.
const START: Duration = Duration::from_secs(120);

struct Hub {
    base: String,
    operator: String,
    _running: Running,
    _folder: tempfile::TempDir,
}

fn ports() -> Vec<String> {
    let taken: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    taken
        .iter()
        .map(|one| one.local_addr().unwrap().port().to_string())
        .collect()
}

fn random() -> String {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Hub {
    fn start() -> Option<Self> {
        let hub = installed("python/bin/jupyterhub")?;
        let proxy = installed("oauth/node_modules/.bin/configurable-http-proxy")?;
        let (ports, operator, folder) = (ports(), random(), tempfile::tempdir().unwrap());
        let mut command = command(&hub);
        command
            .arg("--config")
            .arg(here("tests/tools/servers/jupyterhub_config.py"))
            .arg("--log-level=ERROR")
            .env("HUB_PORTS", ports.join(","))
            .env("HUB_PROXY", proxy)
            .env("HUB_OPERATOR", &operator)
            .env("CONFIGPROXY_AUTH_TOKEN", random())
            .env("HOME", folder.path())
            .current_dir(folder.path());
        let hub = Self {
            base: format!("http://127.0.0.1:{}", ports[0]),
            operator,
            _running: Running::start(&mut command),
            _folder: folder,
        };
        hub.wait();
        Some(hub)
    }

    fn wait(&self) {
        let started = Instant::now();
        while self
            .asked("GET", "/hub/api/users", &Value::Null)
            .is_none_or(|(status, _)| status != 200)
        {
            assert!(started.elapsed() < START, "JupyterHub did not start");
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What the hub answers its operator.
    fn asked(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let (url, credential) = (format!("{}{path}", self.base), format!("token {}", self.operator));
        asked(method, &url, &credential, body.to_string())
    }

    fn token_of(&self, user: &str, note: &str) -> String {
        let path = format!("/hub/api/users/{user}/tokens");
        let (status, made) = self.asked("POST", &path, &json!({ "note": note })).unwrap();
        assert_eq!(status, 201, "{made}");
        text(&made, "/token").to_owned()
    }

    fn desk(&self) -> Desk {
        let desk = Desk::new("");
        let credential = desk.key_file("operator", &self.operator);
        desk.configure(&format!(
            "[services.jupyterhub]\nbases = [{:?}]\ncredential_file = {credential:?}\nsettle_seconds = 5\n",
            self.base
        ));
        desk
    }
}

#[test]
fn a_token_of_jupyterhub_is_found_its_administrators_named_and_it_is_revoked_by_its_own_api() {
    let Some(hub) = Hub::start() else { return };
    let (token, sibling) = (hub.token_of("mia", "leaked"), hub.token_of("mia", "kept"));
    let desk = hub.desk();
    desk.leak("deploy.env", &format!("JUPYTERHUB_API_TOKEN={token}\n"), &token);
    let finding = desk.only_finding(&["--verify"]);
    assert_eq!(finding["rule"], "jupyterhub/api-token");
    assert_eq!(finding["verdict"]["state"], "live", "{finding}");
    assert_eq!(finding["identity"]["principal"], "mia");

    let input = format!("JUPYTERHUB_API_TOKEN={token}\n");
    let ran = desk.ask(&["owners", "--format", "json"], input.as_bytes());
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err));
    let named: Vec<_> = told["owners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(one, "/name"), text(one, "/reason")))
        .collect();
    assert!(named.contains(&("mia", "token-owner")), "{told}");
    assert!(named.contains(&("ada", "organisation-owner")), "{told}");

    let ran = desk.ask(&["revoke", "--yes"], input.as_bytes());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("done and proved (secret)"), "{}", ran.out);
    assert_eq!(desk.ask(&["verify"], input.as_bytes()).code, 0, "dead");

    desk.keep_secret(&sibling);
    let kept = format!("JUPYTERHUB_API_TOKEN={sibling}\n");
    assert_eq!(
        desk.ask(&["verify"], kept.as_bytes()).code,
        1,
        "its sibling lives on"
    );
}
