//! Proves calls: that they go to the service and nowhere else, carry no secret in a URL, and use known names only.

use std::collections::BTreeSet;

use super::Notes;
use crate::rule::compile::Rule;
use crate::rule::file::{CallFile, SignFile};
use crate::rule::template::{Hole, How, holes};

/// Names that unleak fills itself.
pub(super) const BUILT_IN: [&str; 8] = [
    "secret",
    "base",
    "region",
    "organisation",
    "principal",
    "email",
    "operator",
    "cause",
];

/// What a call of some section may be.
pub(super) struct Frame<'a> {
    /// Where it stands, `[revoke] step 2`.
    pub(super) place: String,
    /// Names that are filled there.
    pub(super) known: &'a BTreeSet<String>,
    /// Methods that may stand there.
    pub(super) methods: &'a [&'a str],
    /// The secret may stand in its URL, because the service has it nowhere else.
    pub(super) in_url: bool,
}

/// Every hole of a call.
pub(super) fn all_holes(call: &CallFile) -> Vec<Hole<'_>> {
    let texts = std::iter::once(&call.request)
        .chain(call.headers.values())
        .chain(&call.body);
    let key = call.sign.iter().flat_map(SignFile::texts);
    texts.chain(key).flat_map(|text| holes(text)).collect()
}

/// Whether the call uses this name.
pub(super) fn uses(call: &CallFile, name: &str) -> bool {
    all_holes(call)
        .iter()
        .any(|hole| hole.names().any(|known| known == name))
}

/// Proves one call.
pub(super) fn check(rule: &Rule, call: &CallFile, frame: &Frame<'_>, notes: &mut Notes<'_>) {
    let place = &frame.place;
    let Some((method, url)) = call.request.split_once(' ') else {
        notes.add(
            format!("{place}: request = {:?} is not METHOD URL", call.request),
            "write it like \"GET {base}/user\"",
        );
        return;
    };
    notes.add_unless(
        frame.methods.contains(&method),
        format!("{place}: the method {method} may not stand here"),
        format!("there are {}", frame.methods.join(", ")),
    );
    address(rule, url, frame, notes);
    let mut told = BTreeSet::new();
    let holes = all_holes(call);
    let names = holes
        .iter()
        .flat_map(|hole| hole.names().map(move |name| (hole, name)));
    for (hole, name) in names {
        let signature = name == "jwt" && matches!(call.sign, Some(SignFile::Jwt(_)));
        if !signature && !frame.known.contains(name) && told.insert(name) {
            let known: Vec<_> = frame.known.iter().map(String::as_str).collect();
            notes.add(
                format!("{place}: nothing fills {}", hole.whole),
                format!(
                    "correct it, or describe it in [service.values] if the configuration gives it; here there are {}",
                    known.join(", ")
                ),
            );
        }
    }
    for (name, value) in &call.headers {
        notes.add_unless(
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !value.chars().any(char::is_control),
            format!("{place}: the header {name:?} cannot be sent"),
            "a header has a name of letters, digits and hyphens, and a value on one line",
        );
    }
    if let Some(body) = &call.body {
        text(call, body, place, notes);
    }
}

fn address(rule: &Rule, url: &str, frame: &Frame<'_>, notes: &mut Notes<'_>) {
    let place = &frame.place;
    let hosts = &rule.service.head().hosts;
    let start = ["{base}", "{region}"]
        .into_iter()
        .find_map(|start| url.strip_prefix(start));
    let path = start.or_else(|| {
        let host = url.strip_prefix("https://")?;
        let end = host.find(['/', '?']).unwrap_or(host.len());
        hosts
            .iter()
            .any(|known| *known == host[..end])
            .then(|| &host[end..])
    });
    match path {
        Some(path) if path.is_empty() || path.starts_with(['/', '?']) => {
            let fine = !path.chars().any(|c| c.is_control() || c == ' ' || c == '\\' || c == '#');
            notes.add_unless(
                fine,
                format!("{place}: the URL holds a space, a backslash, a # or a control character"),
                "percent-encode it",
            );
            let hidden = |name: &str| {
                (name == "secret" && !frame.in_url)
                    || ["operator", "base", "region", "jwt"].contains(&name) || name.starts_with("operator-")
            };
            let leaks = holes(path)
                .iter()
                .any(|hole| hole.how != How::Plain || hole.names().any(hidden));
            notes.add_unless(
                !leaks,
                format!("{place}: the URL's path or query holds a secret or a second base"),
                "URLs end up in logs: send secrets in a header or the body",
            );
        }
        _ => notes.add(
            format!("{place}: the URL does not begin with {{base}}/, {{region}}/ or https:// and a host of service.hosts"),
            "a token may be sent nowhere else: add the host, or use {base}",
        ),
    }
}

fn text(call: &CallFile, body: &str, place: &str, notes: &mut Notes<'_>) {
    let holes = holes(body);
    notes.add_unless(
        !holes.iter().any(|hole| hole.how == How::Basic),
        format!("{place}: {{basic:…}} stands in the body"),
        "it is for the Authorization header",
    );
    let json = call
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .is_none_or(|(_, value)| value.contains("json"));
    if json {
        // A number stands well in a string and outside of one.
        let filled = holes
            .iter()
            .fold(body.to_owned(), |text, hole| text.replace(hole.whole, "0"));
        notes.add_unless(
            serde_json::from_str::<serde_json::Value>(&filled).is_ok(),
            format!("{place}: the body is not JSON"),
            "correct it, or name another Content-Type in headers",
        );
    }
}

/// Whether it is a JSON pointer, perhaps with `*`; empty means the whole.
pub(super) fn is_pointer(pointer: &str) -> bool {
    pointer.is_empty() || pointer.starts_with('/')
}

/// Whether it names a list's entries.
pub(super) fn is_list(pointer: &str) -> bool {
    pointer == "/*" || (pointer.starts_with('/') && pointer.ends_with("/*"))
}

/// Whether it is a host name in lower case.
pub(super) fn is_host(host: &str) -> bool {
    host.contains('.')
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

/// Whether it is the address of a page for people: `https://…`, or `{base}/…` of the instance itself.
pub(super) fn is_page(page: &str) -> bool {
    let page = match page.strip_prefix("{base}/") {
        Some(path) => format!("https://base.example/{path}"),
        None => page.to_owned(),
    };
    url::Url::parse(&page).is_ok_and(|url| url.scheme() == "https" && url.has_host())
        && !page.contains(['{', '}'])
}

#[cfg(test)]
mod tests {
    use super::{is_host, is_page};

    #[test]
    fn hosts_and_pages_are_strict() {
        assert!(is_host("api.example.com"));
        for host in ["https://a.b", "a.b/c", "a..b", "localhost", "A.b", "a.b:80"] {
            assert!(!is_host(host), "{host}");
        }
        assert!(is_page("https://example.com/x") && is_page("{base}/x"));
        assert!(is_page("{base}/settings") && !is_page("{base}.evil.example/"));
        assert!(!is_page("http://example.com/x") && !is_page("https://{base}/x"));
        assert!(!is_page("{base}") && !is_page("{base}/{secret}") && !is_page("{region}/x"));
    }
}
