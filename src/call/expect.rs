//! Reads a reply against the rule file's expectations. Pure; a reply is foreign and proves only what is declared.

use serde_json::Value;

use super::{Reply, Values, sign, template};
use crate::rule::file::{Expect, Filled};

/// Most values that one pointer selects.
const MOST_SELECTED: usize = 10_000;

/// Whether all that the expectation gives holds. One that gives nothing holds of no reply, nor does one that only says
/// what the body is without.
pub fn matches(expect: &Expect, reply: &Reply) -> bool {
    let says_more = expect.absent.is_some() || expect.certifies.is_some();
    if expect.status.is_none() && expect.body.is_none() && expect.json.is_empty() && !says_more {
        return false;
    }
    if says_more
        && !expect
            .filled
            .as_ref()
            .is_some_and(|filled| filled_matches(expect, filled, reply))
    {
        return false;
    }
    expect.status.is_none_or(|status| status == reply.status)
        && expect
            .body
            .as_ref()
            .is_none_or(|text| memchr::memmem::find(&reply.body, text.as_bytes()).is_some())
        && expect
            .without
            .as_ref()
            .is_none_or(|text| memchr::memmem::find(&reply.body, text.as_bytes()).is_none())
        && expect.json.iter().all(|(pointer, wanted)| {
            reply
                .json()
                .is_some_and(|json| select(json, pointer).contains(&wanted))
        })
}

/// Whether what is only known with a call's values holds, too.
fn filled_matches(expect: &Expect, filled: &Filled, reply: &Reply) -> bool {
    let Some(json) = reply.json().filter(|json| json.is_object()) else {
        return false;
    };
    let absent = |pointer: &String| select(json, pointer).is_empty();
    let certifies = |(pointer, key): &(String, Vec<u8>)| {
        let certificate = select(json, pointer).first().and_then(|value| value.as_str());
        certificate.is_some_and(|text| sign::certificate_holds(text, key))
    };
    (expect.absent.is_none() || filled.absent.as_ref().is_some_and(absent))
        && (expect.certifies.is_none() || filled.certifies.as_ref().is_some_and(certifies))
}

/// The expectations with a call's values filled in. What cannot be filled in holds of no reply.
pub fn fill(expects: &[Expect], values: &Values) -> Vec<Expect> {
    let pointer = |text: &Option<String>| template::fill_pointer(text.as_ref()?, values).ok();
    let key = || values.get("secret").and_then(|(text, _)| sign::public_key(text));
    let one = |expect: &Expect| {
        let filled = Filled {
            absent: pointer(&expect.absent),
            certifies: pointer(&expect.certifies).zip(key()),
        };
        Expect {
            filled: Some(filled),
            ..expect.clone()
        }
    };
    expects.iter().map(one).collect()
}

/// Whether one of them holds.
pub fn any(expects: &[Expect], reply: &Reply) -> bool {
    first(expects, reply).is_some()
}

/// The first that holds.
pub fn first<'a>(expects: &'a [Expect], reply: &Reply) -> Option<&'a Expect> {
    expects.iter().find(|expect| matches(expect, reply))
}

/// The values at a JSON pointer (RFC 6901) in which `*` stands for every element of a list or object.
///
/// At most 10 000; a pointer that leads nowhere, or is none, selects nothing.
pub fn select<'a>(json: &'a Value, pointer: &str) -> Vec<&'a Value> {
    let mut selected = vec![json];
    if pointer.is_empty() {
        return selected;
    }
    let Some(steps) = pointer.strip_prefix('/') else {
        return Vec::new();
    };
    for step in steps.split('/') {
        let step = step.replace("~1", "/").replace("~0", "~");
        let mut next: Vec<&Value> = Vec::new();
        for value in selected {
            match value {
                Value::Array(list) if step == "*" => next.extend(list),
                Value::Object(map) if step == "*" => next.extend(map.values()),
                Value::Array(list) => next.extend(step.parse::<usize>().ok().and_then(|at| list.get(at))),
                Value::Object(map) => next.extend(map.get(&step)),
                _ => {}
            }
            if next.len() > MOST_SELECTED {
                next.truncate(MOST_SELECTED);
                break;
            }
        }
        selected = next;
    }
    selected
}

/// A scalar as text: strings as they are, numbers and truth values written out; nothing for the rest.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{matches, select};
    use crate::call::Reply;
    use crate::rule::file::Expect;

    #[test]
    fn an_expectation_that_says_nothing_holds_of_no_reply() {
        assert!(!matches(&Expect::default(), &Reply::new(200, [], Vec::new())));
    }

    #[test]
    fn all_that_an_expectation_gives_must_hold() {
        let mut expect = Expect {
            status: Some(401),
            body: Some("expired".to_owned()),
            ..Expect::default()
        };
        let reply = Reply::new(401, [], br#"{"detail":"Token expired","codes":[1,2]}"#.to_vec());
        assert!(matches(&expect, &reply));
        expect.json.insert("/codes/*".to_owned(), json!(2));
        assert!(matches(&expect, &reply));
        expect.without = Some("<html".to_owned());
        assert!(matches(&expect, &reply));
        expect.without = Some("codes".to_owned());
        assert!(!matches(&expect, &reply));
        expect.without = None;
        expect.json.insert("/detail".to_owned(), json!("else"));
        assert!(!matches(&expect, &reply));
    }

    #[test]
    fn a_pointer_with_a_star_selects_every_element() {
        let json = json!({"orgs": [{"slug": "a"}, {"slug": "b"}, {}], "a/b": {"~": 1}});
        assert_eq!(select(&json, "/orgs/*/slug"), [&json!("a"), &json!("b")]);
        assert_eq!(select(&json, "/a~1b/~0"), [&json!(1)]);
        assert_eq!(select(&json, "orgs"), Vec::<&serde_json::Value>::new());
        assert_eq!(select(&json, ""), [&json]);
    }
}
