//! Texts of an operator's own: what may be changed, and what is refused at the start.

use std::path::Path;

use unleak::notify::{Kind, Texts};

use super::{about, alive, card};
use crate::store::owner;

fn loaded(files: &[(&str, &str)]) -> Result<Texts, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    Texts::load(Some(folder.path()), None).map_err(|error| format!("{error:#}"))
}

#[test]
fn an_operator_changes_what_he_likes_and_the_rest_stays() {
    let texts = loaded(&[
        (
            "words.toml",
            "footer = \"Ring 1234.\"\n[found]\nsubject = \"ACME {{ severity }}: {{ redacted }}\"\n",
        ),
        ("notice.html", "<p>{{ headline }}</p>"),
        (".hidden", "left alone"),
    ])
    .unwrap();
    let (held, card, owner) = (alive(), card(), owner("ada"));
    let message = texts.message(&about(Kind::Found, &held, &owner, &card)).unwrap();
    assert_eq!(message.subject, "ACME high: exp_…wQ7w");
    assert!(message.body.ends_with("\nRing 1234.\n"), "{}", message.body);
    assert!(
        message.body.contains("Revoke the token by hand"),
        "{}",
        message.body
    );
    assert!(message.html.unwrap().starts_with("<p>Example token"));
    let revoked = texts
        .message(&about(Kind::Revoked, &held, &owner, &card))
        .unwrap();
    assert!(
        revoked.subject.starts_with("[unleak] revoked:"),
        "{}",
        revoked.subject
    );
}

#[test]
fn a_subject_that_an_operators_template_makes_is_still_one_line() {
    let texts = loaded(&[("words.toml", "[found]\nsubject = \"a\\r\\nBcc: {{ name }}\"\n")]).unwrap();
    let (held, card, owner) = (alive(), card(), owner("ada"));
    let message = texts.message(&about(Kind::Found, &held, &owner, &card)).unwrap();
    assert!(!message.subject.contains(['\r', '\n']), "{:?}", message.subject);
}

#[test]
fn a_text_that_cannot_work_is_refused_at_the_start_with_its_name() {
    for (name, text, expected) in [
        (
            "words.toml",
            "[found]\nsubject = \"{{ severty }}\"",
            "asks for severty; there is:",
        ),
        (
            "words.toml",
            "[digest]\nsubject = \"{{ redacted }}\"",
            "asks for redacted; there is: alive",
        ),
        ("words.toml", "[found]\nsubject = \"{{ severity\"", "words.toml"),
        (
            "words.toml",
            "[found]\nsubjekt = \"x\"",
            "unknown field `subjekt`",
        ),
        ("words.toml", "footer = 3", "words.toml"),
        ("words.toml", "[found", "words.toml"),
        ("notice.txt", "{{ headlin }}", "notice.txt asks for headlin"),
        (
            "notice.txt",
            "{% for x in facts %}{{ x.valu }}{% endfor %}",
            "notice.txt",
        ),
        ("notice.html", "{% if link %}", "notice.html"),
        ("digest.html", "{{ headline | nofilter }}", "nofilter"),
        (
            "found.txt",
            "x",
            "no text of a notice is called that; there are words.toml, notice.txt",
        ),
    ] {
        let error = loaded(&[(name, text)])
            .err()
            .unwrap_or_else(|| panic!("accepted: {text}"));
        assert!(error.contains(expected), "{text}\n{error}");
    }
    let error = format!(
        "{:#}",
        Texts::load(Some(Path::new("/nowhere/at/all")), None)
            .err()
            .unwrap()
    );
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

#[test]
fn the_link_of_a_notice_may_lead_to_the_operators_own_page_of_the_leak() {
    let texts = Texts::load(None, Some("https://unleak.example.com/leaks/{fingerprint}")).unwrap();
    let (held, card, owner) = (alive(), card(), owner("ada"));
    let message = texts.message(&about(Kind::Found, &held, &owner, &card)).unwrap();
    let link = format!("https://unleak.example.com/leaks/{}", held.leak.fingerprint);
    assert_eq!(message.content.link, link);
    assert!(
        message.body.lines().take(6).collect::<String>().contains(&link),
        "{}",
        message.body
    );
}
