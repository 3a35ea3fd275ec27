//! Which rules may match where: the gate's keywords, and what is asked about each before a pattern runs.
//!
//! Must never leave out a rule that matches around a keyword; it may name too many.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError};

use super::behind::{Behind, OFTEN};
use super::matcher::Scanner;
use super::memory::{Called, Memory};
use super::plan::Plan;
use super::probe::{Choice, Probe};

/// How often a keyword was met, and what its rules look like behind it once that is often.
#[derive(Default)]
pub(super) struct Hot {
    met: AtomicU32,
    probes: OnceLock<Vec<Option<Probe>>>,
}

/// What one thread works in.
#[derive(Default)]
pub(super) struct Room {
    choices: Vec<Choice>,
    /// By the keyword's number in the gate.
    behind: HashMap<usize, Behind>,
    memory: Memory,
}

impl Scanner {
    /// Calls `found` with every rule that may match around a keyword, and where the keyword stands.
    pub(super) fn calls(&self, text: &[u8], mut found: impl FnMut(usize, Range<usize>)) {
        self.in_a_room(|Room { choices, behind, .. }| {
            self.gate.find(text, |keyword, start, end| {
                self.behind(keyword, behind, text, end, |rule| {
                    if self.plan(rule).allows(text, &(start..end), choices) {
                        found(rule, start..end);
                    }
                });
            });
        });
    }

    /// The same for a text much of which was seen before, as in a history; it may name more rules.
    pub(super) fn calls_again(&self, text: &[u8], mut found: impl FnMut(usize, Range<usize>)) {
        if self.crosses_lines {
            return self.calls(text, found);
        }
        self.in_a_room(|room| {
            let Room {
                choices,
                behind,
                memory,
            } = room;
            let look = |stretch: &[u8], calls: &mut Vec<Called>| {
                self.gate.find(stretch, |keyword, start, end| {
                    self.behind(keyword, behind, stretch, end, |rule| {
                        calls.push(Called {
                            rule: rule as u32,
                            start: start as u32,
                            end: end as u32,
                        });
                    });
                });
            };
            memory.calls(text, look, |rule, keyword| {
                if self.plan(rule).allows(text, &keyword, choices) {
                    found(rule, keyword);
                }
            });
        });
    }

    /// Calls `found` with every rule of a keyword that may go on behind it.
    fn behind(
        &self,
        keyword: usize,
        known: &mut HashMap<usize, Behind>,
        text: &[u8],
        end: usize,
        mut found: impl FnMut(usize),
    ) {
        let called = &self.called[keyword];
        match self.hot(keyword) {
            Some(probes) => known
                .entry(keyword)
                .or_insert_with(|| Behind::new(probes))
                .follow(probes, text, end, |number| found(called[number])),
            None => {
                // Of the rules of a common word most end here, before their pattern is read.
                let goes_on = |rule: &&usize| {
                    text.get(end)
                        .is_none_or(|&byte| self.rules[**rule].next.has(byte))
                };
                called.iter().filter(goes_on).for_each(|&rule| found(rule));
            }
        }
    }

    /// Works in a room that no other thread works in.
    fn in_a_room(&self, work: impl FnOnce(&mut Room)) {
        let rooms = || self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = rooms().pop().unwrap_or_default();
        work(&mut room);
        rooms().push(room);
    }

    /// What the rules of a keyword look like, if it is met often.
    fn hot(&self, keyword: usize) -> Option<&[Option<Probe>]> {
        let hot = &self.hot[keyword];
        if hot.probes.get().is_none() && hot.met.fetch_add(1, Ordering::Relaxed) < OFTEN {
            return None;
        }
        let rules = self.called[keyword].iter().map(|&rule| &self.rules[rule]);
        let probes = || rules.map(|rule| Plan::loose(rule)).collect();
        Some(hot.probes.get_or_init(probes))
    }
}
