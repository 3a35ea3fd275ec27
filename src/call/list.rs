//! A list of the service, page by page, whole or not at all: an entry that was not seen could be the one that counts.

use serde_json::Value;
use url::Url;

use super::{CallError, Caller, Reply, Values, expect};
use crate::rule::Service;
use crate::rule::file::{CallFile, Expect, Paging};

/// Most pages of one list.
const MOST_PAGES: usize = 20;

/// Most entries of one list.
const MOST_ENTRIES: usize = 5_000;

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The call itself went wrong.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The service answered with something else than what counts as done.
    #[error("the service answered {0}")]
    Answered(u16),
    /// The reply is no JSON, or the list does not stand where the rule file says.
    #[error("the reply holds no list at {0}")]
    NotThere(String),
    /// It goes on longer than is read.
    #[error("the list has more than {MOST_PAGES} pages or {MOST_ENTRIES} entries")]
    TooLong,
}

/// Which list: the call, where the entries stand in a reply, how it goes on, and which replies count.
pub struct List<'a> {
    /// The call for the first page.
    pub call: &'a CallFile,
    /// JSON pointer to the entries, ending in `/*`.
    pub each: &'a str,
    /// How it goes on.
    pub next: Option<&'a Paging>,
    /// Replies that count; empty: 200.
    pub done: &'a [Expect],
}

/// All entries of a list.
pub async fn entries(
    caller: &Caller,
    service: &Service,
    list: &List<'_>,
    values: &Values,
) -> Result<Vec<Value>, ListError> {
    let first = match list.next {
        Some(Paging::Cursor { .. }) => Some(super::first_url(list.call, values)?),
        _ => None,
    };
    let mut entries = Vec::new();
    let mut reply = super::steps::send(caller, service, list.call, values).await?;
    for page in 1..=MOST_PAGES {
        if !super::steps::is_done(list.done, &reply) {
            return Err(ListError::Answered(reply.status));
        }
        entries.extend(of_page(&reply, list.each)?);
        let Some(next) = list
            .next
            .and_then(|paging| following(paging, first.as_ref(), &reply))
        else {
            return Ok(entries);
        };
        if page == MOST_PAGES || entries.len() > MOST_ENTRIES {
            break;
        }
        reply = caller.ask_page(service, list.call, values, &next).await?;
    }
    Err(ListError::TooLong)
}

fn of_page(reply: &Reply, each: &str) -> Result<Vec<Value>, ListError> {
    let not_there = || ListError::NotThere(each.to_owned());
    let json = reply.json().ok_or_else(not_there)?;
    // The pointer's parent must be there: an empty list is an answer, a missing one is none.
    let holder = each.strip_suffix("/*").ok_or_else(not_there)?;
    let is_list = |value: &&Value| value.is_array() || value.is_object();
    if !expect::select(json, holder).iter().any(is_list) {
        // XML has no empty list, only a holder without entries.
        let above = holder.rsplit_once('/').map_or("", |(above, _)| above);
        if reply.is_xml() && expect::select(json, above).iter().any(|value| value.is_null()) {
            return Ok(Vec::new());
        }
        return Err(not_there());
    }
    Ok(expect::select(json, each).into_iter().cloned().collect())
}

/// The URL of the next page, if there is one.
fn following(paging: &Paging, first: Option<&Url>, reply: &Reply) -> Option<String> {
    let word = |pointer: &str| {
        let found = expect::select(reply.json()?, pointer);
        let text = found.first().and_then(|value| expect::text(value));
        text.filter(|text| !text.is_empty())
    };
    match paging {
        Paging::Link => reply.header("link").and_then(next_link),
        Paging::Json(pointer) => word(pointer),
        Paging::Cursor { at, parameter } => {
            let mut next = first?.clone();
            next.query_pairs_mut().append_pair(parameter, &word(at)?);
            Some(next.into())
        }
    }
}

/// `<URL>; rel="next"` of a `Link` header (RFC 8288). Sentry always writes one and says `results="false"` at the end.
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (url, after) = after.split_once('>')?;
        // The parameters reach up to the next `<`; a comma within a URL does no harm so.
        let end = after.find('<').unwrap_or(after.len());
        let parameters: Vec<(String, &str)> = after[..end]
            .split([';', ','])
            .filter_map(|parameter| parameter.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
            .collect();
        let says = |name: &str, wanted: &str| {
            parameters
                .iter()
                .any(|(known, value)| known == name && value.split_whitespace().any(|word| word == wanted))
        };
        if says("rel", "next") {
            return (!says("results", "false")).then(|| url.to_owned());
        }
        rest = &after[end..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[test]
    fn the_next_page_is_the_one_that_link_says() {
        let github =
            r#"<https://a.example/x?page=1>; rel="prev", <https://a.example/x?page=3&a=b,c>; rel="next""#;
        assert_eq!(
            next_link(github).as_deref(),
            Some("https://a.example/x?page=3&a=b,c")
        );
        assert_eq!(next_link("<https://a.example/x>; rel=last"), None);
        assert_eq!(next_link("rubbish <"), None);
    }

    #[test]
    fn sentrys_last_page_names_a_next_one_without_results() {
        let more = r#"<https://s.example/?cursor=0:0:1>; rel="previous"; results="false"; cursor="0:0:1", <https://s.example/?cursor=0:100:0>; rel="next"; results="true"; cursor="0:100:0""#;
        assert_eq!(
            next_link(more).as_deref(),
            Some("https://s.example/?cursor=0:100:0")
        );
        assert_eq!(
            next_link(&more.replace(r#"results="true""#, r#"results="false""#)),
            None
        );
    }
}
