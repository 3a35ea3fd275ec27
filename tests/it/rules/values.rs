//! What is told of a value is the value: no sign of the shell before it, no full stop behind it; and what is surer, or
//! told at all, goes before what is not.

use std::sync::LazyLock;

use unleak::scan::Scanner;

use super::{scanner, shipped};

static SCANNER: LazyLock<Scanner> = LazyLock::new(|| scanner(&shipped()));

/// Rules and secrets that are found in `text`.
fn found(text: &str) -> Vec<(String, String)> {
    let secret =
        |hit: &unleak::scan::Hit| String::from_utf8_lossy(&text.as_bytes()[hit.range.clone()]).into_owned();
    SCANNER
        .look(text.as_bytes())
        .iter()
        .map(|hit| (hit.rule.id.to_string(), secret(hit)))
        .collect()
}

fn secrets(text: &str) -> Vec<String> {
    found(text).into_iter().map(|(_, secret)| secret).collect()
}

#[test]
fn the_default_of_a_shell_variable_is_told_without_its_sign() {
    let value = ["q7Zx-4kVw9", "Lm2_vR8tBn", "5sYd3Hj6Pc1F"].concat();
    for name in [
        "ACME_API_KEY",
        "ACME_TOKEN",
        "DB_PASSWORD",
        "ACME_KEY",
        "BLYNK_TOKEN",
    ] {
        let text = format!("{name}=${{{name}:-{value}}}\n");
        assert_eq!(secrets(&text), std::slice::from_ref(&value), "{text}");
    }
}

#[test]
fn a_token_whose_checksum_is_wrong_is_no_token_of_its_service_but_told() {
    let token = ["ghp_", "q7Zx4kVw9Lm2vR8tBn5sYd3Hj6Pc1FgWe0Ku"].concat();
    let told = found(&format!("see {token} here"));
    assert_eq!(told, [("generic/token-of-unsound-checksum".to_owned(), token)]);
}

#[test]
fn the_full_stop_of_a_sentence_is_no_part_of_a_token() {
    let token = ["pinr_", "q7Zx4kVw9Lm2vR8tBn5.sYd3Hj6Pc1FgWe0Ku"].concat();
    assert_eq!(secrets(&format!("The token is {token}.\n")), [token]);
}

#[test]
fn an_identifier_is_told_beside_its_secret_only() {
    let (id, secret) = (
        ["4f1c09ab", "7d2e35f80c61"].concat(),
        ["9b4f1c09ab7d2e35f80c", "61d7a2be4093f5c81e6a"].concat(),
    );
    let of_id = |text: &str| {
        found(text)
            .into_iter()
            .any(|(rule, _)| rule == "github/oauth-client-id-hex")
    };
    assert!(of_id(&format!(
        "GITHUB_CLIENT_ID={id}\nGITHUB_CLIENT_SECRET={secret}\n"
    )));
    assert!(!of_id(&format!("GITHUB_CLIENT_ID={id}\n")));
}

#[test]
fn the_token_of_a_form_is_no_secret() {
    let value = ["h7Qz4kXw9Lm2", "vR8tBn5sYd3H"].concat();
    let form = format!("post sign_in_path, params: {{ authenticity_token: \"{value}\" }}");
    assert_eq!(secrets(&form), Vec::<String>::new());
}
