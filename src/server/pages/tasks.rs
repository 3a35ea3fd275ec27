//! What is to do, and what the workers gave up.

use askama::Template;

use super::door::{Asked, go, html};
use super::leaks::behind;
use super::routes::Answer;
use super::shown::{Frame, When, clean, length};
use super::trouble::Trouble;
use crate::store::{Backlog, Behind, DeadLetter};

/// Dead letters on a page.
const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "tasks.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    backlog: Backlog,
    lag: String,
    rows: Vec<Letter>,
    next: Option<String>,
}

struct Letter {
    link: String,
    fingerprint: String,
    rule: String,
    redacted: String,
    given_up: When,
    attempts: i64,
    why: String,
}

/// `GET /tasks`.
pub(super) async fn page(asked: Asked) -> Answer {
    let store = &asked.pages.responder.store;
    let from = behind(asked.query("behind")).unwrap_or(Behind {
        at: i64::MIN,
        fingerprint: String::new(),
        rule: String::new(),
    });
    let mut letters = store.dead_letters(&from, PAGE + 1).await?;
    let more = letters.len() > PAGE as usize;
    letters.truncate(PAGE as usize);
    let next = letters
        .last()
        .filter(|_| more)
        .map(|last| format!("/tasks?behind={}.{}.{}", last.due_at, last.fingerprint, last.rule));
    let backlog = store.backlog().await?;
    html(&Page {
        frame: asked.frame("Tasks", "tasks"),
        lag: length(jiff::SignedDuration::try_from(backlog.lag).unwrap_or_default()),
        backlog,
        rows: letters.into_iter().map(letter).collect(),
        next,
    })
}

fn letter(letter: DeadLetter) -> Letter {
    Letter {
        link: format!("/leaks/{}/{}", letter.fingerprint, letter.rule),
        redacted: clean(&letter.redacted),
        given_up: When::of_microseconds(letter.due_at),
        attempts: letter.attempts,
        why: clean(&letter.why),
        fingerprint: letter.fingerprint,
        rule: letter.rule,
    }
}

/// `POST /tasks`: puts dead letters again, one or all.
pub(super) async fn requeue(asked: Asked) -> Answer {
    let which = asked.field("fingerprint");
    let whole = which.len() == 32 && which.bytes().all(|byte| byte.is_ascii_hexdigit());
    let beginning = match (which, asked.field("all")) {
        ("", "yes") => "",
        (fingerprint, _) if whole => fingerprint,
        _ => return Err(Trouble::Bad("Say which task is to be put again.".to_owned())),
    };
    let store = asked.pages.responder.store.acting_as(&asked.viewer()?.name);
    store.requeue_tasks(beginning).await?;
    asked.pages.bell.wake();
    Ok(go("/tasks?said=requeued"))
}
