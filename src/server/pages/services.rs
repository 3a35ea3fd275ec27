//! The services that are known, and what works for each.

use std::collections::BTreeMap;

use askama::Template;

use super::door::{Asked, html};
use super::routes::Answer;
use super::shown::{Frame, pair};
use crate::rule::Rule;
use crate::rule::file::With;

/// Services on a page.
const PAGE: usize = 100;

#[derive(Template)]
#[template(path = "services.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    words: String,
    can: String,
    rows: Vec<ServiceRow>,
    all: usize,
    fitting: usize,
    from: usize,
    before: Option<String>,
    next: Option<String>,
}

#[derive(Default)]
struct ServiceRow {
    id: String,
    name: String,
    docs: Option<String>,
    kinds: usize,
    verify: usize,
    owners: usize,
    contain: usize,
    by_token: bool,
    by_operator: bool,
    by_hand: bool,
    /// Whether the operator gave a credential for it.
    credential: bool,
}

impl ServiceRow {
    fn can(&self, what: &str) -> bool {
        match what {
            "verify" => self.verify > 0,
            "owners" => self.owners > 0,
            "contain" => self.contain > 0,
            "revoke" => self.by_token || self.by_operator,
            _ => true,
        }
    }

    fn add(&mut self, rule: &Rule) {
        self.kinds += 1;
        self.verify += usize::from(rule.verify().is_some());
        self.owners += usize::from(rule.owners().is_some());
        self.contain += usize::from(rule.contain().is_some());
        for way in rule.revoke().into_iter().flat_map(|revoke| revoke.ways()) {
            match way.with {
                With::Secret => self.by_token = true,
                With::Operator => self.by_operator = true,
                With::Session => self.by_hand = true,
            }
        }
    }
}

/// `GET /services`.
pub(super) async fn page(asked: Asked) -> Answer {
    let pages = &asked.pages;
    let mut services: BTreeMap<&str, ServiceRow> = BTreeMap::new();
    for rule in &pages.rules.rules {
        let service = &rule.service;
        let row = services.entry(&service.name).or_insert_with(|| ServiceRow {
            id: service.name.clone(),
            name: service.head().name.clone(),
            docs: super::shown::link(&service.head().docs),
            credential: pages
                .responder
                .caller
                .settings(&service.name)
                .credential
                .is_some(),
            ..ServiceRow::default()
        });
        row.add(rule);
    }
    let all = services.len();
    let words: String = asked.query("q").chars().take(100).collect();
    let (sought, can) = (words.to_lowercase(), asked.query("can").to_owned());
    let rows = services.into_values().filter(|row| {
        row.can(&can) && (row.id.contains(&sought) || row.name.to_lowercase().contains(&sought))
    });
    let rows: Vec<ServiceRow> = rows.collect();
    let fitting = rows.len();
    let from = asked.query("from").parse().unwrap_or(0_usize).min(fitting);
    let further = [pair("q", &words), pair("can", &can)].concat();
    let to = |from: usize| format!("/services?from={from}{further}");
    html(&Page {
        frame: asked.frame("Services", "services"),
        before: (from > 0).then(|| to(from.saturating_sub(PAGE))),
        next: (from + PAGE < fitting).then(|| to(from + PAGE)),
        rows: rows.into_iter().skip(from).take(PAGE).collect(),
        words,
        can,
        all,
        fitting,
        from,
    })
}
