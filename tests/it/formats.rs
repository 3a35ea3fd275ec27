//! Files whose format says where a secret stands: found there, with exactly its value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::tool::Tool;

/// Two values that look drawn at random, and one that a person chose; joined, so that no source holds one.
fn values() -> [String; 3] {
    [
        ["hT7qPz4v", "Lm2xKd9w"].concat(),
        ["9fK2mvQx7", "LpZr4Tn8w"].concat(),
        ["winter-st", "0rm!"].concat(),
    ]
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// What is found in a file of this name, by line.
fn found(name: &str, text: &str) -> Vec<(u64, String)> {
    let tool = Tool::new();
    tool.write(name, text);
    let ran = tool.run(["scan", ".", "--show-secrets", "--format", "jsonl"]);
    let found = ran.findings().into_iter().map(|finding| {
        let line = finding["location"]["line"].as_u64().unwrap();
        (line, finding["secret"].as_str().unwrap().to_owned())
    });
    found.collect()
}

#[test]
fn a_terraform_state_gives_its_sensitive_attributes_generated_passwords_and_outputs() {
    let [random, other, chosen] = values();
    // Written out, it would be such an output itself.
    let key = "value";
    let state = format!(
        r#"{{"resources": [
  {{"type": "aws_db_instance", "instances": [{{"attributes": {{
    "username": "admin",
    "password": "{chosen}",
    "secret_string": "{random}",
    "sensitive_attributes": [[{{"type": "get_attr", "value": "password"}}]]}}}}]}},
  {{"type": "random_password", "instances": [{{"attributes": {{"id": "none", "length": 18,
    "result": "{other}"}}}}]}}],
  "outputs": {{"region": {{"value": "eu-central-1", "type": "string"}}, "smtp": {{
    "{key}": "{chosen}2", "type": "string", "sensitive": true}}}}}}
"#
    );
    assert_eq!(
        found("terraform.tfstate", &state),
        [
            (4, chosen.clone()),
            (5, random),
            (8, other),
            (10, format!("{chosen}2"))
        ]
    );
}

#[test]
fn a_kubernetes_secret_gives_what_stands_in_data_and_string_data() {
    let [random, other, _] = values();
    let url = base64(&format!("postgres://admin:{other}@db.acme.net/app"));
    let manifest = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  username: {}\n  password: {}\n  DATABASE_URL: \
         {url}\nstringData:\n  smtp: {other}\n",
        base64("admin"),
        base64(&random)
    );
    assert_eq!(
        found("secret.yaml", &manifest),
        [(7, base64(&random)), (8, url), (10, other)]
    );
}

#[test]
fn docker_configurations_give_their_auths() {
    let [random, other, _] = values();
    let (first, second) = (
        base64(&format!("acme:{random}")),
        base64(&format!("acme:{other}")),
    );
    let config = format!("{{\"auths\": {{\n\"ghcr.example.net\": {{\"auth\": \"{first}\"}}}}}}\n");
    assert_eq!(found("config.json", &config), [(2, first)]);
    let legacy =
        format!("{{\"https://quay.example.net\": {{\"auth\": \"{second}\", \"email\": \"a@b.c\"}}}}\n");
    assert_eq!(found(".dockercfg", &legacy), [(1, second)]);
}

#[test]
fn the_credential_files_of_package_managers_and_netrc_give_their_passwords() {
    let [random, other, _] = values();
    let netrc = format!(
        "machine a.net login bob password {random}\nmachine b.net\n  login bob\n  password {other}\n"
    );
    assert_eq!(found(".netrc", &netrc), [(1, random.clone()), (4, other.clone())]);
    let (auth, password) = (base64(&format!("bob:{other}")), base64(&random));
    let npmrc = format!(
        "//npm.acme.net/:_authToken={random}{other}\n//npm.acme.net/:_password={password}\n_auth={auth}\n"
    );
    assert_eq!(
        found(".npmrc", &npmrc),
        [(1, format!("{random}{other}")), (2, password), (3, auth)]
    );
    let pypirc =
        format!("[acme]\nusername: bob\npassword: {random}\n[other]\nusername = bob\npassword = {other}\n");
    assert_eq!(found(".pypirc", &pypirc), [(3, random.clone()), (6, other)]);
    let pip = format!("[global]\nindex-url = https://bob:{random}@packages.acme.net/simple\n");
    assert_eq!(found("pip.conf", &pip), [(2, random)]);
}

#[test]
fn a_password_file_gives_its_hashes() {
    let hashes = [
        ["$apr1$8Nv3kXqZ$", "VbYc2Jm9QwErT5uLpHs0d/"].concat(),
        ["{SHA}", "W6ph5Mm5Pz8GgiULbPgzG37mj9g="].concat(),
    ];
    let file = format!("bob:{}\nann:{}\n", hashes[0], hashes[1]);
    assert_eq!(
        found(".htpasswd", &file),
        [(1, hashes[0].clone()), (2, hashes[1].clone())]
    );
}
