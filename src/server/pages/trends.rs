//! How it goes: leaks found and ended week by week, the median time from leak to death, what is still open.

use askama::Template;
use jiff::Timestamp;

use super::door::{Asked, html};
use super::routes::Answer;
use super::shown::{Frame, clean, length};
use crate::store::{State, Week};

/// Weeks that are shown.
const WEEKS: u16 = 12;
/// Size of the picture, in its own units.
const HEIGHT: i64 = 120;
const STEP: i64 = 48;

#[derive(Template)]
#[template(path = "trends.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    found: i64,
    live: i64,
    waiting: i64,
    median: Option<String>,
    weeks: Vec<Bar>,
    width: i64,
    organisations: Vec<Row>,
    operator: bool,
}

/// One week in the picture and in the table beside it.
struct Bar {
    week: String,
    found: i64,
    ended: i64,
    x: i64,
    found_height: i64,
    found_y: i64,
    ended_height: i64,
    ended_y: i64,
}

struct Row {
    name: String,
    found: i64,
    live: i64,
    dead: i64,
    median: String,
}

/// `GET /trends`.
pub(super) async fn page(asked: Asked) -> Answer {
    let viewer = asked.viewer()?;
    let (whose, store) = (viewer.whose(), &asked.pages.responder.store);
    let trends = store.trends(&whose, WEEKS).await?;
    let counts = store.counted(&whose).await?;
    let live = counts.iter().filter(|count| count.state == State::Live);
    html(&Page {
        frame: asked.frame("Trends", "trends"),
        found: counts.iter().map(|count| count.leaks).sum(),
        live: live.clone().map(|count| count.leaks).sum(),
        waiting: live.map(|count| count.waiting).sum(),
        median: trends.median.map(length),
        width: STEP * i64::from(WEEKS),
        weeks: bars(&trends.weeks),
        organisations: trends
            .organisations
            .into_iter()
            .map(|one| Row {
                name: clean(&one.name),
                found: one.found,
                live: one.live,
                dead: one.dead,
                median: one.median.map_or_else(|| "none died yet".to_owned(), length),
            })
            .collect(),
        operator: viewer.is_operator(),
    })
}

fn bars(weeks: &[Week]) -> Vec<Bar> {
    let most = weeks.iter().map(|week| week.found.max(week.ended)).max();
    let most = most.unwrap_or_default().max(1);
    let height = |count: i64| (count * HEIGHT / most).max(i64::from(count > 0) * 2);
    let mut x = 0;
    let bar = |week: &Week| {
        let (found, ended) = (height(week.found), height(week.ended));
        let bar = Bar {
            week: day(week.began),
            found: week.found,
            ended: week.ended,
            x,
            found_height: found,
            found_y: HEIGHT - found,
            ended_height: ended,
            ended_y: HEIGHT - ended,
        };
        x += STEP;
        bar
    };
    weeks.iter().map(bar).collect()
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}
