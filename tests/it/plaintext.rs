//! The whole loop over every output there is, and a search of them all for the secrets that went through it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use unleak::secret::crc32_base62;

use crate::support::desk::Desk;
use crate::support::local::{Asked, Local, Said};
use crate::support::sought;

/// A token with its checksum; joined here, so that no source holds one.
fn token(prefix: &str, body: &str) -> String {
    let sum = crc32_base62(body.as_bytes());
    [prefix, body, std::str::from_utf8(&sum).expect("ASCII")].concat()
}

/// What goes in: a token that is revoked, one that cannot be, one that is in the working tree, and one of a service
/// that does not answer.
fn secrets() -> [String; 4] {
    [
        token("ghp_", "r3v0kEdr3v0kEdr3v0kEdr3v0kEdr3"),
        token("gho_", "s7AysaLiVes7AysaLiVes7AysaLiVe"),
        token("ghu_", "w0rKinGtr3ew0rKinGtr3ew0rKinGt"),
        ["glpat-", "S1l3nt_s3rv1ce-XyZ42"].concat(),
    ]
}

#[derive(Default)]
struct Service {
    revoked: BTreeSet<String>,
    /// Answers to a revocation come late: time to kill whoever waits.
    slow: bool,
}

/// A service that says what it was told in every field that is read.
fn service(service: &mut Service, asked: &Asked) -> Said {
    let bearer = asked.bearer().unwrap_or_default();
    match asked.line().as_str() {
        "POST /credentials/revoke" => {
            if service.slow {
                std::thread::sleep(Duration::from_secs(3));
            }
            let json = asked.json();
            let text = json["credentials"][0].as_str().unwrap_or_default().to_owned();
            if text.starts_with("gho_") {
                return Said::json(422, &json!({ "message": format!("cannot revoke {text}") }));
            }
            service.revoked.insert(text);
            Said::json(202, &json!({}))
        }
        "GET /user" if service.revoked.contains(bearer) || !secrets().iter().any(|known| known == bearer) => {
            Said::json(401, &json!({ "message": "Bad credentials", "token": bearer }))
        }
        "GET /user" => {
            let echo = json!({ "login": format!("mia {bearer}"), "id": 1, "email": "mia@acme.example" });
            Said::json(200, &echo).with("X-OAuth-Scopes", &format!("repo, {bearer}"))
        }
        "GET /user/orgs" => Said::json(200, &json!([{ "login": "acme" }, { "login": bearer }])),
        "GET /orgs/acme/members" => Said::json(200, &json!([{ "login": "olivia" }, { "login": bearer }])),
        _ => Said::json(404, &json!({ "echo": format!("{asked:?}") })),
    }
}

/// A small mail server that keeps every line.
fn mail_server() -> (u16, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || take_mail(stream, &kept));
        }
    });
    (port, heard)
}

fn take_mail(mut stream: TcpStream, kept: &Mutex<Vec<u8>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n');
    let mut in_mail = false;
    let _ = stream.write_all(b"220 test\r\n");
    for line in lines.map_while(Result::ok) {
        kept.lock().unwrap().extend([&line[..], b"\n"].concat());
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let said = match line.as_str() {
            "." if in_mail => {
                in_mail = false;
                "250 taken\r\n"
            }
            _ if in_mail => continue,
            "DATA" => {
                in_mail = true;
                "354 go on\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        if stream.write_all(said.as_bytes()).is_err() {
            return;
        }
    }
}

fn webhook(_: &mut (), _: &Asked) -> Said {
    Said::empty(204)
}

/// The configuration of every channel, with a policy that revokes at once.
fn configure(desk: &Desk, github: &Local<Service>, hook: &Local<()>, mail: u16) {
    let operator = desk.key_file("operator.key", &token("ghp_", "Op3r4torOp3r4torOp3r4torOp3r4t"));
    let signing = ["whsec", "_", &STANDARD.encode([9_u8; 32])].concat();
    let signing = desk.key_file("webhook.key", &signing);
    let outbox = desk.tool.home().join("outbox");
    let text = format!(
        "[notify]\noutbox = {outbox:?}\n\
         [notify.email]\nhost = \"127.0.0.1\"\nport = {mail}\nfrom = \"unleak@example.com\"\ntls = \"none\"\n\
         [notify.webhook]\nurl = \"{}/hook\"\nsecret_file = {signing:?}\n\
         [services.github]\nbases = [\"{}\"]\ncredential_file = {operator:?}\nsettle_seconds = 1\n\
         [services.gitlab]\nbases = [\"{}\"]\n\
         [call]\ntimeout_seconds = 2\n\
         [owners.addresses]\nolivia = \"olivia@acme.example\"\n\
         [[policy.allow]]\nname = \"all\"\naction = \"revoke\"\n",
        hook.base, github.base, github.base
    );
    std::fs::write(desk.config(), text).unwrap();
}

/// Every report in every form, before anything is revoked.
fn reports(desk: &Desk) {
    let home = desk.tool.home();
    for format in unleak::report::Format::ALL.map(unleak::report::Format::name) {
        let file = home.join(format!("report.{format}"));
        desk.run(&["scan", ".", "--verify", "--format", format, "-vv"]);
        let to_file = format!("{format}={}", file.display());
        desk.run(&["scan", ".", "--format", &to_file, "--log-format", "json", "-vv"]);
        assert!(file.exists(), "{format}");
    }
    let baseline = home.join("baseline");
    let baseline = baseline.to_str().unwrap();
    assert_eq!(desk.run(&["scan", ".", "--write-baseline", baseline]).code, 1);
    assert_eq!(desk.run(&["scan", ".", "--baseline", baseline]).code, 0);
}

/// A run that is killed while its revocation is on the way.
fn killed_in_the_middle(desk: &Desk, github: &Local<Service>) {
    github.state().slow = true;
    let mut child = desk
        .tool
        .command(env!("CARGO_BIN_EXE_unleak"))
        .args([
            "--config",
            desk.config().to_str().unwrap(),
            "scan",
            ".",
            "--respond",
            "-vv",
        ])
        .env("RUST_BACKTRACE", "full")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while github.asked_for("POST /credentials/revoke").is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "no revocation was sent"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.code().is_none(), "killed");
    desk.also_search("standard output of the killed run", output.stdout);
    desk.also_search("standard error of the killed run", output.stderr);
    github.state().slow = false;
}

/// A token of the embedded service, as its holder gets it.
fn issued(desk: &Desk) -> String {
    let user = [
        "token",
        "user",
        "create",
        "bob",
        "--email",
        "bob@example.com",
        "--name",
        "Bob",
    ];
    assert_eq!(desk.run(&user).code, 0);
    let created = desk.tool.run_with_input(
        &[
            "--config",
            desk.config().to_str().unwrap(),
            "token",
            "create",
            "--user",
            "bob",
            "--description",
            "for a test",
            "--scope",
            "events:write",
        ],
        b"",
    );
    assert_eq!(created.code, 0, "{}", created.err);
    let issued = created.out.trim();
    desk.also_search("standard error of token create", created.err.clone());
    assert!(issued.starts_with("unlu_"), "{issued}");
    desk.keep_secret(issued);
    issued.to_owned()
}

/// The databases as they lie on the disk while a server has the tokens open: with their side files.
fn served(desk: &Desk) {
    let issued = issued(desk);
    let mut server = desk
        .tool
        .command(env!("CARGO_BIN_EXE_unleak"))
        .args([
            "--config",
            desk.config().to_str().unwrap(),
            "serve",
            "--listen",
            "127.0.0.1:0",
            "-vv",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    let address = said.trim().rsplit("//").next().unwrap().to_owned();
    for request in [
        format!(
            "GET /api/v1/token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {issued}\r\nConnection: close\r\n\r\n"
        ),
        format!("GET /api/v1/token?token={issued} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut reply).unwrap();
        desk.also_search("a reply of the server", reply);
    }
    for (name, bytes) in sought::files(&desk.tool.home()) {
        desk.also_search(&format!("{name} while it is served"), bytes);
    }
    server.kill().unwrap();
    let output = server.wait_with_output().unwrap();
    desk.also_search("the server's log", output.stderr);
}

#[test]
fn no_output_log_database_notice_or_crash_holds_a_secret() {
    let secrets = secrets();
    let github = Local::play(Service::default(), service);
    let hook = Local::play((), webhook);
    let (mail, heard) = mail_server();
    let desk = Desk::new("");
    configure(&desk, &github, &hook, mail);
    for (at, secret) in secrets.iter().enumerate() {
        desk.keep_secret(secret);
        let text =
            format!("# settings {at}\nTOKEN={secret}\nURL=https://x:{secret}@example.com/a?b={secret}\n");
        desk.tool.write(&format!("settings/{at}.env"), text);
        // A name is read by more eyes than a text.
        desk.tool
            .write(&format!("names/{secret}/{at}.txt"), format!("again: {secret}\n"));
    }
    desk.tool.commit("add settings", "2024-03-01");
    std::fs::remove_file(desk.tool.path().join("settings/0.env")).unwrap();
    desk.tool.commit("remove one", "2024-03-02");

    reports(&desk);
    killed_in_the_middle(&desk, &github);
    for args in [
        &["scan", ".", "--respond", "-vv"][..],
        &[
            "scan",
            ".",
            "--respond",
            "-vv",
            "--log-format",
            "json",
            "--format",
            "json",
        ],
    ] {
        let ran = desk.run(args);
        assert!(ran.err.contains("alive (200"), "{}", ran.err);
    }
    for secret in &secrets {
        for args in [
            &["verify", "-vv", "--format", "json"][..],
            &["verify"],
            &["owners", "-vv"],
            &["revoke", "--yes", "-vv"],
        ] {
            desk.ask(args, secret.as_bytes());
        }
        // Wrong use: the secret stands where no secret should, and is not said back.
        for command in ["verify", "owners", "revoke"] {
            assert_eq!(desk.run(&[command, secret]).code, 2);
        }
    }
    assert!(github.state().revoked.contains(&secrets[0]) && !github.state().revoked.contains(&secrets[1]));
    served(&desk);

    desk.also_search("the mails", heard.lock().unwrap().clone());
    desk.also_search("the webhook", format!("{:?}", hook.asked()));
    let operators = token("ghp_", "Op3r4torOp3r4torOp3r4torOp3r4t");
    for asked in github.asked() {
        let in_url = [&operators].into_iter().chain(&secrets);
        for secret in in_url {
            assert!(!asked.path.contains(secret.as_str()) && !asked.query.contains(secret.as_str()));
        }
    }
    all_outputs_are_there(&desk);
    // The search itself happens when the desk is dropped.
}

/// The search means something only if each kind of output was there to be searched.
fn all_outputs_are_there(desk: &Desk) {
    let places = desk.places();
    for (what, holding) in [
        ("report.text", "github/personal-access-token"),
        ("report.json", "fingerprint"),
        ("report.jsonl", "\"type\":\"finding\""),
        ("report.sarif", "\"version\": \"2.1.0\""),
        ("report.html", "Content-Security-Policy"),
        ("report.github", "::error file="),
        ("report.markdown", "| state | leak |"),
        ("report.gitlab", "secret_detection"),
        ("report.codequality", "check_name"),
        ("standard error of scan . --respond -vv", "called"),
        (
            "standard error of scan . --respond -vv --log-format json",
            "\"level\":\"DEBUG\"",
        ),
        ("outbox", "Subject: "),
        ("the mails", "Subject: "),
        ("the webhook", "leak.found"),
        ("leaks.sqlite", "SQLite format 3"),
        ("tokens.sqlite", "SQLite format 3"),
        ("tokens.sqlite-wal while it is served", ""),
        ("baseline", "\n"),
        ("standard error of the killed run", "called"),
        ("the server's log", ""),
        ("a reply of the server", "HTTP/1.1 200"),
    ] {
        let there = places.iter().any(|(name, bytes)| {
            name.contains(what) && memchr::memmem::find(bytes, holding.as_bytes()).is_some()
        });
        let names: Vec<&String> = places.iter().map(|(name, _)| name).collect();
        assert!(there, "no {what} with {holding:?} among {names:#?}");
    }
    // And if what is sought would be found, in every form and wherever it stood.
    let [secret, ..] = secrets();
    for (form, bytes) in sought::forms(&secret) {
        let mut planted = places.clone();
        let at = planted.len() / 2;
        planted[at].1.extend([b"x\0", &bytes[..], b"\xff"].concat());
        let found = sought::found(std::slice::from_ref(&secret), &planted);
        assert!(
            found.iter().any(|found| found.contains(&planted[at].0)),
            "{form} is overlooked"
        );
    }
    let told = format!(
        "token={secret} and Basic {}",
        STANDARD.encode(format!("user:{secret}:x"))
    );
    for text in [&told[..told.len() / 3], &told[told.len() / 3..]] {
        let place = [("a place".to_owned(), text.as_bytes().to_vec())];
        assert!(
            !sought::found(std::slice::from_ref(&secret), &place).is_empty(),
            "overlooked"
        );
    }
}
