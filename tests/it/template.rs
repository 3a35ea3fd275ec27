//! Filling a call in: whatever a value holds, it stays in its place.

use std::collections::BTreeMap;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use unleak::call::template::{fill, fill_text, names};
use unleak::call::{CallError, Values};
use unleak::rule::file::CallFile;

const BASE: &str = "https://api.example.com/v1";

fn call(request: &str, headers: &[(&str, &str)], body: Option<&str>) -> CallFile {
    CallFile {
        request: request.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        body: body.map(str::to_owned),
        sign: None,
    }
}

fn values(x: &str) -> Values {
    let mut values = Values::new("example");
    values.set("base", BASE);
    values.set("x", x);
    values
}

proptest! {
    #[test]
    fn no_value_changes_the_host_or_the_shape_of_a_path(x in any::<String>()) {
        let Ok(filled) = fill(&call("GET {base}/orgs/{x}/members", &[], None), &values(&x)) else {
            let refused = x.is_empty() || x.split(['/', '\\']).any(|part| part == "." || part == "..");
            prop_assert!(refused, "refused {:?}", x);
            return Ok(());
        };
        prop_assert_eq!(filled.url.origin().ascii_serialization(), "https://api.example.com");
        prop_assert!(filled.url.query().is_none() && filled.url.fragment().is_none());
        let segments: Vec<&str> = filled.url.path_segments().unwrap().collect();
        prop_assert_eq!(segments.len(), 4);
        let read = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
        prop_assert_eq!(read, x);
    }

    #[test]
    fn no_value_leaves_its_place_in_a_query(x in any::<String>()) {
        let filled = fill(&call("GET {base}/members?query={x}&page=1", &[], None), &values(&x));
        prop_assert_eq!(filled.is_err(), x.is_empty());
        if let Ok(filled) = filled {
            let pairs: Vec<(String, String)> = filled.url.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs, [("query".to_owned(), x), ("page".to_owned(), "1".to_owned())]);
            prop_assert_eq!(filled.url.path(), "/v1/members");
        }
    }

    #[test]
    fn no_value_leaves_its_string_in_a_json_body(x in any::<String>()) {
        let body = r#"{"a{b": "\"\\", "list": ["{x}", "to {x}!"], "n": 1}"#;
        let filled = fill(&call("POST {base}/revoke", &[], Some(body)), &values(&x));
        prop_assert_eq!(filled.is_err(), x.is_empty());
        if let Ok(filled) = filled {
            let read: serde_json::Value = serde_json::from_slice(&filled.body.unwrap()).unwrap();
            let to = format!("to {x}!");
            prop_assert_eq!(read, serde_json::json!({"a{b": "\"\\", "list": [x, to], "n": 1}));
        }
    }

    #[test]
    fn without_quotes_only_a_whole_number_gets_into_a_json_body(x in any::<String>(), n in any::<i64>()) {
        let call = call("POST {base}/revoke", &[], Some(r#"{"id": {x}}"#));
        if x.parse::<i128>().is_err() {
            prop_assert!(fill(&call, &values(&x)).is_err());
        }
        let filled = fill(&call, &values(&n.to_string())).unwrap();
        prop_assert_eq!(filled.body.unwrap(), format!("{{\"id\": {n}}}").into_bytes());
    }

    #[test]
    fn no_value_leaves_its_field_in_a_form(x in any::<String>()) {
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let filled = fill(&call("POST {base}/revoke", &headers, Some("token={x}&hint=y")), &values(&x));
        prop_assert_eq!(filled.is_err(), x.is_empty());
        if let Ok(filled) = filled {
            let body = filled.body.unwrap();
            let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
            prop_assert_eq!(pairs, [("token".to_owned(), x), ("hint".to_owned(), "y".to_owned())]);
        }
    }

    #[test]
    fn no_value_adds_a_header(x in any::<String>()) {
        let filled = fill(&call("GET {base}/", &[("Authorization", "Bearer {x}")], None), &values(&x));
        prop_assert_eq!(filled.is_err(), x.is_empty() || x.chars().any(char::is_control));
        if let Ok(filled) = filled {
            prop_assert_eq!(filled.headers.len(), 1);
            let sent = format!("Bearer {x}");
            prop_assert_eq!(filled.headers["authorization"].as_bytes(), sent.as_bytes());
        }
    }
}

#[test]
fn a_template_that_lets_a_value_near_the_host_is_refused() {
    for request in [
        "GET {base}{x}/user",
        "GET {base}.evil.test/user",
        "GET {base}@evil.test/user",
        "GET https://{x}/user",
        "GET https://{x}.example.com/user",
        "GET https://api.example.com{x}",
        "GET https://api.example.com:{x}/user",
        "GET {x}",
        "GET {x}/user",
        "GET /user",
        "GET",
        "TRACE {base}/user",
        "GET\n{base}/user",
        "GET {base}/user#{x}",
    ] {
        let got = fill(&call(request, &[], None), &values("evil.test"));
        assert!(matches!(got, Err(CallError::Invalid(_))), "{request}");
    }
}

#[test]
fn values_that_join_to_dots_do_not_climb() {
    let mut values = values(".");
    values.set("y", ".");
    let got = fill(&call("DELETE {base}/orgs/{y}{x}/z", &[], None), &values);
    assert!(matches!(got, Err(CallError::Forbidden(_))));
    let got = fill(&call("DELETE {base}/orgs/.{x}/z", &[], None), &values);
    assert!(matches!(got, Err(CallError::Forbidden(_))));
    // Encoded they would not climb here, but at a service that decodes before it routes.
    for x in ["..", "a/../../admin", "../admin", "a\\..\\b", "a/."] {
        values.set("x", x);
        let got = fill(&call("DELETE {base}/orgs/{x}/z", &[], None), &values);
        assert!(matches!(got, Err(CallError::Forbidden(_))), "{x}");
        assert!(
            fill(&call("GET {base}/orgs?like={x}", &[], None), &values).is_ok(),
            "{x}"
        );
    }
}

#[test]
fn a_missing_value_names_itself_and_the_setting_that_gives_it() {
    let got = fill(&call("GET {base}/groups/{group}", &[], None), &values("x"))
        .err()
        .unwrap();
    assert!(got.to_string().contains("services.example.values.group"), "{got}");
    let headers = [("Authorization", "Basic {basic:operator}")];
    let got = fill(&call("GET {base}/", &headers, None), &values("x"))
        .err()
        .unwrap();
    assert!(got.to_string().contains("services.example.credential"), "{got}");
}

#[test]
fn basic_is_base64_and_a_header_with_a_secret_is_marked() {
    let mut values = values("x");
    values.set_secret("operator", "user:password");
    let headers = [("Authorization", "Basic {basic:operator}"), ("X-Plain", "{x}")];
    let filled = fill(&call("GET {base}/", &headers, None), &values).unwrap();
    assert_eq!(filled.headers["authorization"], "Basic dXNlcjpwYXNzd29yZA==");
    assert!(filled.headers["authorization"].is_sensitive());
    assert!(!filled.headers["x-plain"].is_sensitive());
    assert!(!format!("{:?}{values:?}", filled.headers).contains("dXNlc"));
}

#[test]
fn a_secret_gets_into_a_url_only_where_the_rule_file_puts_it() {
    let secret = ["exp_", "m7h4k2p9 x1c5v8b3"].concat();
    let mut values = values(&format!("my {secret}"));
    values.set_secret("secret", &secret);
    let got = fill(&call("GET {base}/who/{x}", &[], None), &values)
        .err()
        .unwrap();
    assert!(matches!(got, CallError::Forbidden(_)));
    assert!(!got.to_string().contains(&secret));
    let filled = fill(&call("GET {base}/bot{secret}/getMe", &[], None), &values).unwrap();
    assert!(filled.url.path().contains("m7h4k2p9%20x1c5v8b3"));
}

#[test]
fn a_rule_file_may_not_set_the_headers_of_the_connection() {
    for name in [
        "Host",
        "content-length",
        "Cookie",
        "Transfer-Encoding",
        "Bad Name",
        "",
    ] {
        let got = fill(&call("GET {base}/", &[(name, "x")], None), &values("x"));
        assert!(matches!(got, Err(CallError::Invalid(_))), "{name}");
    }
}

#[test]
fn names_are_found_in_all_parts_and_other_braces_are_text() {
    let call = call(
        "POST {base}/{organisation}/x",
        &[("Authorization", "Basic {basic:operator}")],
        Some(r#"{"query": "{ viewer }", "t": "{client-id}", "e": {}}"#),
    );
    let names: Vec<String> = names(&call).into_iter().collect();
    assert_eq!(names, ["base", "client-id", "operator", "organisation"]);
    assert_eq!(fill_text("{x}-{X}-{}-{x", &values("7")).unwrap(), "7-{X}-{}-{x");
}
