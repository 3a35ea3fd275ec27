//! Runs the steps of a containment or revocation, in order, each at most once.
//!
//! What must never happen here: acting on an entry that is not proved to be the one that is meant, and sending a
//! request that changes something a second time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::list::{self, List};
use super::{CallError, Caller, Reply, Values, expect, template};
use crate::rule::Service;
use crate::rule::file::{CallFile, Expect, FindFile, StepFile, TouchedFile};

/// Last-use marks may count whole seconds: after so long a new use has another one than any before.
const NEXT_MARK: Duration = Duration::from_millis(1100);

/// Uses the token once, so that its last-use mark moves; whether the service took it.
pub type Touch<'a> = dyn Fn() -> BoxFuture<'a, bool> + Send + Sync + 'a;

/// How a run of steps ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The service took every step, or said that it had been done before.
    Accepted,
    /// It stopped before its end: the service refused, or what is meant could not be told. Says why.
    Refused(String),
    /// It could not be asked now, and nothing was done: a limit, no connection. Another time may do. Says why.
    NotNow(String),
    /// A request that changes something left and its answer is lost. Says what is known.
    Lost(String),
}

/// What a run needs besides its steps.
pub struct Run<'a> {
    /// Sends.
    pub caller: &'a Caller,
    /// Whose steps they are.
    pub service: &'a Service,
    /// Uses the token once.
    pub touch: &'a Touch<'a>,
}

/// Sends one call: what only reads may be repeated, anything else leaves exactly once.
pub async fn send(
    caller: &Caller,
    service: &Service,
    call: &CallFile,
    values: &Values,
) -> Result<Reply, CallError> {
    if reads_only(call) {
        caller.ask(service, call, values).await
    } else {
        caller.act(service, call, values).await
    }
}

fn reads_only(call: &CallFile) -> bool {
    ["GET ", "HEAD "]
        .iter()
        .any(|method| call.request.starts_with(method))
}

/// Whether the reply is one of those; with none given, whether it is 200.
pub fn is_done(done: &[Expect], reply: &Reply) -> bool {
    if done.is_empty() {
        return reply.status == 200;
    }
    expect::any(done, reply)
}

/// Names that the steps need and neither `values` nor an earlier step gives, in alphabetical order.
pub fn missing(steps: &[StepFile], values: &Values) -> Vec<String> {
    let mut given: Vec<&String> = Vec::new();
    let mut missing = Vec::new();
    for step in steps {
        let mut needed = template::names(&step.call());
        if let Some(find) = &step.find {
            needed.extend(find.conditions.values().flat_map(|text| template::names_in(text)));
        }
        missing.extend(
            needed
                .into_iter()
                .filter(|name| !values.knows(name) && !given.contains(&name)),
        );
        given.extend(step.save.keys().chain(step.save_secret.keys()));
        given.extend(step.find.iter().flat_map(|find| find.take.keys()));
    }
    missing.sort();
    missing.dedup();
    missing
}

/// Why a run stopped.
enum Halt {
    Done,
    Refused(String),
    NotNow(String),
    Lost(String),
}

impl Run<'_> {
    /// Runs the steps. `values` are those of one base (and one organisation); what steps find is added to them.
    pub async fn steps(&self, steps: &[StepFile], mut values: Values) -> Outcome {
        let mut acted = false;
        for (number, step) in steps.iter().enumerate() {
            let of = match steps.len() {
                1 => String::new(),
                all => format!("step {} of {all}: ", number + 1),
            };
            match self.step(step, &mut values).await {
                Ok(()) => acted |= step.reads.is_none() && !reads_only(&step.call()),
                Err(Halt::NotNow(why)) if acted => return Outcome::Lost(format!("{of}{why}")),
                Err(Halt::NotNow(why)) => return Outcome::NotNow(format!("{of}{why}")),
                Err(Halt::Done) => return Outcome::Accepted,
                Err(Halt::Refused(why)) => return Outcome::Refused(format!("{of}{why}")),
                Err(Halt::Lost(why)) => return Outcome::Lost(format!("{of}{why}")),
            }
        }
        Outcome::Accepted
    }

    async fn step(&self, step: &StepFile, values: &mut Values) -> Result<(), Halt> {
        let call = step.call();
        if let Some(find) = &step.find {
            let entry = self.pick(step, &call, find, values).await?;
            return take(&entry, &find.take, values);
        }
        let reply = if step.reads.is_some() {
            self.caller.ask(self.service, &call, values).await
        } else {
            send(self.caller, self.service, &call, values).await
        };
        let reply = reply.map_err(|error| halt(&error, &call, step.reads.is_some()))?;
        if expect::any(&step.already, &reply) {
            return Err(Halt::Done);
        }
        if !is_done(&step.done, &reply) {
            return Err(unexpected(&reply, &call, step.reads.is_some()));
        }
        if step.save.is_empty() && step.save_secret.is_empty() {
            return Ok(());
        }
        let json = reply
            .json()
            .ok_or_else(|| Halt::Refused("the reply is not JSON".to_owned()))?;
        take(json, &step.save, values)?;
        let mut hidden = Values::new("");
        take(json, &step.save_secret, &mut hidden)?;
        for name in step.save_secret.keys() {
            if let Some((text, _)) = hidden.get(name) {
                values.set_secret(name, text);
            }
        }
        Ok(())
    }

    /// The one entry that is meant.
    async fn pick(
        &self,
        step: &StepFile,
        call: &CallFile,
        find: &FindFile,
        values: &Values,
    ) -> Result<Value, Halt> {
        let before = self.candidates(step, call, find, values).await?;
        match (before.as_slice(), &find.touched) {
            ([], _) => Err(Halt::Refused(
                "no entry of the service's list fits this token: nothing was changed".to_owned(),
            )),
            ([only], touched) if !touched.as_ref().is_some_and(|touched| touched.always) => Ok(only.clone()),
            (_, Some(touched)) => self.moved(step, call, find, touched, values).await,
            (several, None) => Err(Halt::Refused(format!(
                "{} entries fit this token and nothing tells them apart: nothing was changed",
                several.len()
            ))),
        }
    }

    /// The one of several entries whose last-use mark moves when the token is used.
    async fn moved(
        &self,
        step: &StepFile,
        call: &CallFile,
        find: &FindFile,
        touched: &TouchedFile,
        values: &Values,
    ) -> Result<Value, Halt> {
        tokio::time::sleep(NEXT_MARK).await;
        // Right before the use, so that what moves is not what others did while we waited.
        let before = self.candidates(step, call, find, values).await?;
        if !(self.touch)().await {
            return Err(Halt::Refused(format!(
                "{} entries fit this token, and the service did not take it when it was used to tell them apart: \
                 nothing was changed",
                before.len()
            )));
        }
        tokio::time::sleep(self.settle(Duration::from_secs(touched.settle_seconds))).await;
        let after = self.candidates(step, call, find, values).await?;
        let marks: Vec<(Vec<Option<String>>, &Value)> = before
            .iter()
            .map(|entry| (key(entry, find), at(entry, &touched.pointer)))
            .collect();
        let moved: Vec<&Value> = after
            .iter()
            .filter(|entry| {
                let mark = at(entry, &touched.pointer);
                let key = key(entry, find);
                // Exactly one entry before had this key, so that two that look alike are never told apart by luck.
                let mut same = marks.iter().filter(|(known, _)| *known == key);
                match (same.next(), same.next()) {
                    (Some((_, was)), None) => !mark.is_null() && mark != *was,
                    _ => false,
                }
            })
            .collect();
        match moved.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(Halt::Refused(format!(
                "{} entries fit this token and using it moved the last-use mark of none: nothing was changed",
                before.len()
            ))),
            several => Err(Halt::Refused(format!(
                "{} entries fit this token and {} of them were used just now: nothing was changed, try again when \
                 the others are idle",
                before.len(),
                several.len()
            ))),
        }
    }

    /// Entries of the whole list for which the conditions hold.
    async fn candidates(
        &self,
        step: &StepFile,
        call: &CallFile,
        find: &FindFile,
        values: &Values,
    ) -> Result<Vec<Value>, Halt> {
        let wanted: BTreeMap<&String, String> = find
            .conditions
            .iter()
            .map(|(pointer, text)| Ok((pointer, template::fill_text(text, values)?)))
            .collect::<Result<_, CallError>>()
            .map_err(|error| halt(&error, call, true))?;
        let list = List {
            call,
            each: &find.each,
            next: step.next.as_ref(),
            done: &step.done,
        };
        let mut entries = list::entries(self.caller, self.service, &list, values)
            .await
            .map_err(|error| match error {
                list::ListError::Call(error) => halt(&error, call, step.reads.is_some()),
                trouble @ list::ListError::Answered(500..) => Halt::NotNow(trouble.to_string()),
                other => Halt::Refused(other.to_string()),
            })?;
        entries.retain(|entry| {
            wanted
                .iter()
                .all(|(pointer, wanted)| expect::text(at(entry, pointer)).as_ref() == Some(wanted))
        });
        Ok(entries)
    }

    fn settle(&self, written: Duration) -> Duration {
        self.caller.settings(&self.service.name).settle.unwrap_or(written)
    }
}

fn halt(error: &CallError, call: &CallFile, reads: bool) -> Halt {
    if error.may_have_arrived() && !reads && !reads_only(call) {
        Halt::Lost(format!("the request was sent and its answer is lost ({error})"))
    } else if error.may_pass() {
        Halt::NotNow(error.to_string())
    } else {
        Halt::Refused(error.to_string())
    }
}

/// A server in trouble may have acted before it failed; what only reads can be asked again.
fn unexpected(reply: &Reply, call: &CallFile, reads: bool) -> Halt {
    let silent = if (200..300).contains(&reply.status) {
        " without saying that it was done"
    } else {
        ""
    };
    let why = format!("the service answered {}{silent}", reply.status);
    if reply.status >= 500 {
        if reads || reads_only(call) {
            Halt::NotNow(why)
        } else {
            Halt::Lost(why)
        }
    } else {
        Halt::Refused(why)
    }
}

static NOTHING: Value = Value::Null;

/// The value at a pointer within an entry.
fn at<'a>(entry: &'a Value, pointer: &str) -> &'a Value {
    entry.pointer(pointer).unwrap_or(&NOTHING)
}

/// What tells an entry from others: the values that later steps would take from it.
fn key(entry: &Value, find: &FindFile) -> Vec<Option<String>> {
    find.take
        .values()
        .map(|pointer| expect::text(at(entry, pointer)))
        .collect()
}

fn take(json: &Value, names: &BTreeMap<String, String>, values: &mut Values) -> Result<(), Halt> {
    for (name, pointer) in names {
        let text = expect::text(at(json, pointer))
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Halt::Refused(format!("the reply has no {name} at {pointer}")))?;
        values.set(name, &text);
    }
    Ok(())
}
