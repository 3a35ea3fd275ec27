//! Remarks on a pull request, against a server that plays GitHub's REST.

use serde_json::{Value, json};

use super::{Checkout, Desk};
use crate::support::local::{Asked, Local, Said};
use crate::support::tool::{Ran, other_token, token};

/// The remarks of pull request 7, and how the server behaves.
#[derive(Default)]
struct Remarks {
    lines: Vec<Value>,
    below: Vec<Value>,
    /// Lines that are not in the difference.
    outside: Vec<u64>,
    /// Remarks that somebody else wrote.
    foreign: Vec<u64>,
    next: u64,
}

fn answer(remarks: &mut Remarks, asked: &Asked) -> Said {
    if asked.bearer() != Some("workflow-token") {
        return Said::json(401, &json!({ "message": "Bad credentials" }));
    }
    let path = asked
        .path
        .strip_prefix("/repos/acme/shop/")
        .unwrap_or_default()
        .to_owned();
    let page: usize = asked.asked_for("page").parse().unwrap_or(1);
    let some = |all: &[Value]| {
        let some: Vec<Value> = all.iter().skip((page - 1) * 100).take(100).cloned().collect();
        Said::json(200, &Value::Array(some))
    };
    match (asked.method.as_str(), path.as_str()) {
        ("GET", "pulls/7/comments") => some(&remarks.lines),
        ("GET", "issues/7/comments") => some(&remarks.below),
        ("POST", "pulls/7/comments" | "issues/7/comments") => {
            let mut body = asked.json();
            let line = path.starts_with("pulls");
            if line && remarks.outside.contains(&body["line"].as_u64().unwrap()) {
                return Said::json(422, &json!({ "message": "Validation Failed" }));
            }
            remarks.next += 1;
            body["id"] = remarks.next.into();
            if line {
                &mut remarks.lines
            } else {
                &mut remarks.below
            }
            .push(body.clone());
            Said::json(201, &body)
        }
        ("PATCH", path) => {
            let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
            if remarks.foreign.contains(&id) {
                return Said::json(403, &json!({ "message": "Forbidden" }));
            }
            let all = if path.starts_with("pulls") {
                &mut remarks.lines
            } else {
                &mut remarks.below
            };
            match all.iter_mut().find(|one| one["id"] == id) {
                Some(one) => {
                    one["body"] = asked.json()["body"].clone();
                    Said::json(200, one)
                }
                None => Said::empty(404),
            }
        }
        _ => Said::empty(404),
    }
}

fn run(desk: &Desk, github: &Local<Remarks>) -> Ran {
    let event = desk.pull_request("acme/shop");
    let mut job = desk.job("pull_request", &event, Checkout::Shallow, "refs/pull/7/merge");
    job.set("GITHUB_TOKEN", "workflow-token")
        .set("GITHUB_API_URL", &github.base);
    let ran = job.run(&["--comment"]);
    for asked in github.asked() {
        assert!(!asked.body.contains(&token()) && !asked.body.contains(&other_token()));
    }
    ran
}

fn texts(all: &[Value]) -> Vec<&str> {
    all.iter().map(|one| one["body"].as_str().unwrap()).collect()
}

#[test]
fn each_leak_has_one_remark_at_its_line_which_is_written_again_and_not_repeated() {
    let desk = Desk::new();
    let github = Local::play(Remarks::default(), answer);
    let first = desk.commit("src/a.env", &format!("A=1\nT={}\n", token()));
    desk.commit(
        "b.env",
        &format!("T={}\nAGAIN={}\n", other_token(), other_token()),
    );
    let ran = run(&desk, &github);
    assert_eq!((ran.code, ran.err.contains("remark")), (1, false), "{}", ran.err);
    {
        let state = github.state();
        assert_eq!(state.lines.len(), 2, "{:?}", texts(&state.lines));
        let one = state.lines.iter().find(|one| one["path"] == "src/a.env").unwrap();
        assert_eq!(
            (one["line"].as_u64(), one["side"].as_str()),
            (Some(2), Some("RIGHT"))
        );
        assert_eq!(one["commit_id"].as_str(), Some(first.as_str()));
        assert!(one["body"].as_str().unwrap().contains("Revoke it"));
    }
    let before = github.asked().len();
    run(&desk, &github);
    assert_eq!(github.state().lines.len(), 2);
    let again = github.asked().split_off(before);
    assert!(
        again.iter().all(|asked| asked.method == "GET"),
        "nothing new is said"
    );
    // Rebased: other commits, the same leaks.
    desk.tool.git(&["commit", "-q", "--amend", "-m", "other"]);
    run(&desk, &github);
    assert_eq!(github.state().lines.len(), 2);
    // Taken out of the history: the remark says so, and stays.
    desk.tool.git(&["reset", "-q", "--hard", "HEAD~1"]);
    run(&desk, &github);
    let state = github.state();
    let gone = state.lines.iter().find(|one| one["path"] == "b.env").unwrap();
    assert!(
        gone["body"]
            .as_str()
            .unwrap()
            .contains("must be revoked all the same"),
        "{gone}"
    );
    assert_eq!(state.lines.len(), 2);
}

#[test]
fn a_line_that_takes_no_remark_has_it_below_and_a_foreign_remark_cannot_take_its_place() {
    let desk = Desk::new();
    let github = Local::play(Remarks::default(), answer);
    desk.commit("a.env", &token());
    desk.delete("a.env");
    github.state().outside.push(1);
    run(&desk, &github);
    run(&desk, &github);
    let body = {
        let state = github.state();
        assert_eq!((state.lines.len(), state.below.len()), (0, 1));
        state.below[0]["body"].as_str().unwrap().to_owned()
    };
    assert!(body.contains("line 1 of `a.env`"), "{body}");
    // The same name in somebody else's words.
    let (name, _) = body.split_once("-->").unwrap();
    let forged = json!({ "id": 99, "body": format!("{name}--> nothing to see") });
    *github.state() = Remarks {
        below: vec![forged],
        foreign: vec![99],
        next: 100,
        ..Remarks::default()
    };
    run(&desk, &github);
    assert_eq!(github.state().lines.len(), 1);
}

#[test]
fn remarks_are_found_on_later_pages_and_what_stops_them_is_told_and_changes_nothing_else() {
    let desk = Desk::new();
    let github = Local::play(Remarks::default(), answer);
    for id in 1000..1250 {
        github.state().lines.push(json!({ "id": id, "body": "lgtm" }));
    }
    desk.commit("a.env", &token());
    run(&desk, &github);
    run(&desk, &github);
    assert_eq!(github.state().lines.len(), 251);
    let refusing = Local::play(Remarks::default(), |_, _| Said::json(403, &json!({})));
    let ran = run(&desk, &refusing);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("pull-requests: write"), "{}", ran.err);
}
