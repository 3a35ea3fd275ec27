//! AWS, played by moto with signatures and policies checked.

use serde_json::Value;

use super::{Running, asked, command, here, installed, text};
use crate::support::desk::Desk;

struct Aws {
    told: Value,
    base: String,
    _running: Running,
}

impl Aws {
    fn start() -> Option<Self> {
        let python = installed("python/bin/python")?;
        installed("python/bin/moto_server")?;
        let mut command = command(&python);
        command.arg(here("tests/tools/servers/aws.py"));
        let (running, told) = Running::telling(&mut command);
        let base = format!("http://127.0.0.1:{}", told["port"]);
        Some(Self {
            told,
            base,
            _running: running,
        })
    }

    fn id(&self, user: &str) -> &str {
        text(&self.told, &format!("/keys/{user}/id"))
    }

    fn secret(&self, user: &str) -> &str {
        text(&self.told, &format!("/keys/{user}/secret"))
    }

    /// The pair as a file of settings holds it.
    fn pair(&self, user: &str) -> String {
        format!(
            "aws_access_key_id = {}\naws_secret_access_key = {}\n",
            self.id(user),
            self.secret(user)
        )
    }

    /// A desk that asks moto in place of AWS, with the administrator's key where `with` says so.
    fn desk(&self, with: bool, rest: &str) -> Desk {
        let desk = Desk::new("");
        let key = desk.key_file("admin", &format!("{}:{}", self.id("admin"), self.secret("admin")));
        let credential = if with {
            format!("credential_file = {key:?}\n")
        } else {
            String::new()
        };
        let base = &self.base;
        desk.configure(&format!(
            "[services.aws]\n{credential}settle_seconds = 3\n{rest}\n\
             instead = {{ \"sts.amazonaws.com\" = \"{base}\", \"iam.amazonaws.com\" = \"{base}\" }}\n"
        ));
        desk
    }

    /// `Active` or `Inactive`; nothing, where the key is gone.
    fn status(&self, user: &str) -> Option<String> {
        let (_, statuses) = asked("GET", &format!("{}/statuses", self.base), "", String::new()).unwrap();
        statuses[self.id(user)].as_str().map(str::to_owned)
    }
}

fn json(ran: &crate::support::tool::Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err))
}

#[test]
fn a_key_of_aws_is_verified_by_its_signature_switched_off_by_an_administrator_and_seen_dead() {
    let Some(aws) = Aws::start() else { return };
    let desk = aws.desk(true, "");
    desk.keep_secret(aws.secret("ci"));
    let pair = aws.pair("ci");
    let verified = desk.ask(&["verify", "--format", "json"], pair.as_bytes());
    let told = json(&verified);
    assert_eq!(
        (verified.code, &told["verdict"]["state"]),
        (1, &"live".into()),
        "{told}"
    );
    assert_eq!(told["identity"]["principal"], "arn:aws:iam::123456789012:user/ci");
    assert_eq!(told["identity"]["organisations"][0], "123456789012");

    let owners = json(&desk.ask(&["owners", "--format", "json"], pair.as_bytes()));
    assert!(
        owners["owners"].to_string().contains(r#""name":"admin""#),
        "{owners}"
    );

    let plan = desk.ask(&["revoke"], pair.as_bytes());
    assert!(plan.out.contains("can be undone"), "{}", plan.out);
    assert_eq!(aws.status("ci").as_deref(), Some("Active"), "a plan does nothing");

    let ran = desk.ask(&["revoke", "--yes"], pair.as_bytes());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(
        ran.out.contains("done and proved (operator, can be undone)"),
        "{}",
        ran.out
    );
    assert_eq!(aws.status("ci").as_deref(), Some("Inactive"));
    assert_eq!(
        aws.status("own").as_deref(),
        Some("Active"),
        "no other key was touched"
    );
    assert_eq!(desk.ask(&["verify"], pair.as_bytes()).code, 0, "dead");
}

#[test]
fn a_key_of_aws_is_deleted_only_after_the_proof_and_where_the_configuration_wants_it() {
    let Some(aws) = Aws::start() else { return };
    let desk = aws.desk(true, "finish = true");
    desk.keep_secret(aws.secret("ci"));
    let ran = desk.ask(&["revoke", "--yes"], aws.pair("ci").as_bytes());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("then made final"), "{}", ran.out);
    assert_eq!(aws.status("ci"), None);
}

#[test]
fn without_an_administrator_a_key_of_aws_switches_itself_off_where_its_policy_lets_it() {
    let Some(aws) = Aws::start() else { return };
    let desk = aws.desk(false, "");
    desk.keep_secret(aws.secret("ci"));
    desk.keep_secret(aws.secret("own"));
    let refused = desk.ask(&["revoke", "--yes"], aws.pair("ci").as_bytes());
    assert_eq!(refused.code, 3, "{} {}", refused.out, refused.err);
    assert_eq!(aws.status("ci").as_deref(), Some("Active"));
    let ran = desk.ask(&["revoke", "--yes"], aws.pair("own").as_bytes());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(
        ran.out.contains("done and proved (secret, can be undone)"),
        "{}",
        ran.out
    );
    assert_eq!(aws.status("own").as_deref(), Some("Inactive"));
}

#[test]
fn a_secret_beside_the_id_of_another_is_not_called_dead() {
    let Some(aws) = Aws::start() else { return };
    let desk = aws.desk(false, "");
    desk.keep_secret(aws.secret("own"));
    let wrong = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        aws.id("ci"),
        aws.secret("own")
    );
    assert_eq!(desk.ask(&["verify"], wrong.as_bytes()).code, 3);
    let alone = format!("aws_secret_access_key = {}\n", aws.secret("own"));
    let ran = desk.ask(&["verify"], alone.as_bytes());
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("does not stand near it"), "{}", ran.out);
}

/// Bait tells whoever laid it that it was touched: the account is read from the id, and nothing is sent.
#[test]
fn a_key_of_a_canarys_account_is_never_asked_about() {
    let Some(aws) = Aws::start() else { return };
    let desk = aws.desk(true, "canaries = [\"123456789012\"]");
    desk.keep_secret(aws.secret("ci"));
    for command in [&["verify"][..], &["owners"], &["revoke", "--yes"]] {
        let ran = desk.ask(command, aws.pair("ci").as_bytes());
        assert_eq!(ran.code, 3, "{command:?} {} {}", ran.out, ran.err);
        assert!(
            format!("{}{}", ran.out, ran.err).contains("is a canary's: nothing was sent"),
            "{} {}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(aws.status("ci").as_deref(), Some("Active"));
}
