//! Every route of the pages, asked by everybody: a route without a row here fails.

use unleak::server::pages::routes::table;

use super::provider::Provider;
use super::site::{Answer, Browser, EVERY, Kept, Site, TWO_PEOPLE, page_of};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Let {
    /// It is let in, whatever its form is worth.
    In,
    /// It is refused: they may see it and not do this.
    No,
    /// It is told that there is nothing.
    Out,
    /// It is sent to the sign-in form.
    Sign,
}

use Let::{In, No, Out, Sign};

/// In the order of the columns below.
const PEOPLE: [&str; 7] = ["nobody", "eve", "max", "narrow", "adam", "ann", "operator"];

/// What everybody may do: nobody, a stranger (owner of another organisation), a member, an owner whose token may only look
/// at leaks, an administrator, an owner, the operator.
type Row = (&'static str, &'static str, [Let; 7]);

const ALL: [Let; 7] = [In; 7];
const SIGNED_IN: [Let; 7] = [Sign, In, In, In, In, In, In];
const SEE: [Let; 7] = [Sign, Out, In, In, In, In, In];
const END: [Let; 7] = [Sign, Out, No, No, No, In, In];
const OPERATOR: [Let; 7] = [Sign, No, No, No, No, No, In];
const ADMINS: [Let; 7] = [Sign, Out, No, No, In, In, In];
const OWNERS: [Let; 7] = [Sign, Out, No, No, No, In, In];

const MATRIX: &[Row] = &[
    ("GET", "/", SIGNED_IN),
    ("GET", "/sign-in", ALL),
    ("POST", "/sign-in", ALL),
    ("GET", "/sign-in/oidc", ALL),
    ("GET", "/sign-in/oidc/back", ALL),
    ("POST", "/sign-out", SIGNED_IN),
    ("GET", "/assets/{name}", ALL),
    ("GET", "/leaks", SIGNED_IN),
    ("GET", "/leaks/{fingerprint}/{service}/{kind}", SEE),
    ("GET", "/leaks/{fingerprint}/{service}/{kind}/events", SEE),
    ("GET", "/leaks/{fingerprint}/{service}/{kind}/plan/{action}", END),
    ("POST", "/leaks/{fingerprint}/{service}/{kind}/act/{action}", END),
    ("POST", "/leaks/{fingerprint}/{service}/{kind}/approve", END),
    ("POST", "/leaks/{fingerprint}/{service}/{kind}/dismiss", END),
    ("POST", "/leaks/{fingerprint}/{service}/{kind}/reinstate", END),
    ("POST", "/leaks/{fingerprint}/{service}/{kind}/verify", END),
    ("GET", "/trends", SIGNED_IN),
    ("GET", "/services", SIGNED_IN),
    ("GET", "/policy", SIGNED_IN),
    ("POST", "/policy", OPERATOR),
    ("GET", "/tasks", OPERATOR),
    ("POST", "/tasks", OPERATOR),
    ("GET", "/organisations", SIGNED_IN),
    ("POST", "/organisations", OPERATOR),
    ("GET", "/organisations/{org}", ADMINS),
    ("POST", "/organisations/{org}/members", OWNERS),
    ("POST", "/organisations/{org}/projects", OWNERS),
    ("GET", "/organisations/{org}/tokens", ADMINS),
    ("POST", "/organisations/{org}/tokens", OWNERS),
    ("POST", "/organisations/{org}/tokens/{id}", OWNERS),
    ("GET", "/organisations/{org}/policy", OWNERS),
    ("POST", "/organisations/{org}/policy", OWNERS),
    ("POST", "/organisations/{org}/policy/preview", OWNERS),
    ("GET", "/organisations/{org}/review", ADMINS),
    ("GET", "/organisations/{org}/audit", OWNERS),
    ("GET", "/users", OPERATOR),
    ("POST", "/users", OPERATOR),
    ("POST", "/users/{login}", OPERATOR),
    ("GET", "/audit", OPERATOR),
];

/// A real address for a path of the table: a leak of acme, acme, and things of acme.
fn address(path: &str) -> String {
    path.replace("/leaks/{fingerprint}/{service}/{kind}", &page_of(1))
        .replace("{action}", "revoke")
        .replace("{org}", "acme")
        .replace("{id}", "nosuchtoken")
        .replace("{login}", "max")
        .replace("{name}", "style.css")
}

fn became(method: &str, path: &str, answer: &Answer) -> Let {
    match answer.status {
        303 if answer.to.starts_with("/sign-in?next=") => Sign,
        401 if path == "/sign-in" && method == "POST" || path == "/sign-in/oidc/back" => In,
        403 => No,
        // a token that is not there is the handler's own word, which only those hear who were let in
        404 if answer.text.contains("no such token") => In,
        404 => Out,
        200..=399 | 400 | 409 => In,
        other => panic!("{method} {path}: {other}"),
    }
}

#[test]
fn every_route_has_a_row_and_every_row_a_route() {
    let routes: Vec<_> = table().iter().map(|route| (route.method, route.path)).collect();
    let rows: Vec<_> = MATRIX.iter().map(|(method, path, _)| (*method, *path)).collect();
    for route in &routes {
        assert!(rows.contains(route), "{route:?} has no row in the matrix");
    }
    assert_eq!(
        rows.len(),
        routes.len(),
        "the matrix has rows without routes, or one twice"
    );
}

/// What is not in the table is not behind the door either.
#[test]
fn no_page_is_added_but_by_the_table() {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/pages");
    let (mut added, mut left) = (0, vec![pages]);
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(path).unwrap().map(|file| file.unwrap().path()));
            continue;
        }
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let here = [".route(", ".nest(", ".fallback(", "_service("].iter();
            added += here.map(|call| text.matches(call).count()).sum::<usize>();
        }
    }
    assert_eq!(added, 1, "one call adds every route of the table");
}

#[test]
fn everybody_is_let_in_where_they_may_and_nowhere_else() {
    for kept in EVERY {
        let provider = Provider::new();
        let site = provider.site(*kept, TWO_PEOPLE);
        site.fill();
        for (column, who) in PEOPLE.iter().enumerate() {
            let mut browser = match *who {
                "nobody" => Browser::new(&site),
                who => site.browser(who),
            };
            for (method, path, row) in MATRIX {
                if *path == "/sign-out" && *who != "nobody" {
                    // the others go on with a session of their own
                    browser = site.browser(who);
                }
                let answer = match (*method, *who) {
                    ("GET", _) | (_, "nobody") => browser.send(method, &address(path), &[], &[]),
                    _ => browser.post(&address(path), &[]),
                };
                assert_ne!(answer.status, 503, "{who}: {method} {path}: {}", site.log());
                let so = became(method, path, &answer);
                assert_eq!(
                    so, row[column],
                    "{who}: {method} {path}: {} {}",
                    answer.status, answer.text
                );
                if *path == "/sign-out" && *who != "nobody" {
                    browser = site.browser(who);
                }
            }
        }
        assert!(
            !site.is_dead(1) && site.service.state().revoked.is_empty(),
            "nothing was done"
        );
    }
}

#[test]
fn a_form_without_its_key_or_from_another_site_changes_nothing() {
    let site = Site::open(Kept::Sqlite, TWO_PEOPLE);
    let (browser, other) = (site.browser("operator"), site.browser("operator"));
    let (key, foreign) = (browser.key(), other.key());
    let before = site.acts(1);
    for (method, path, _) in MATRIX
        .iter()
        .filter(|(method, path, _)| *method == "POST" && *path != "/sign-in")
    {
        let address = address(path);
        let tries: [(&str, &[(&str, &str)]); 5] = [
            ("", &[]),
            ("key", &[]),
            (&foreign, &[]),
            (&key, &[("sec-fetch-site", "cross-site")]),
            (&key, &[("origin", "https://evil.example")]),
        ];
        for (key, headers) in tries {
            let fields = [
                ("key", key),
                ("why", "x"),
                ("read", "yes"),
                ("action", "revoke"),
                ("switch", "stop"),
            ];
            let answer = browser.send(method, &address, &fields, headers);
            assert_eq!(answer.status, 403, "{path} {key} {headers:?}");
        }
        let json = browser.send("POST", &address, &[], &[("content-type", "application/json")]);
        assert!(json.status >= 400, "{path}: {}", json.status);
    }
    assert_eq!(site.acts(1), before);
    assert!(site.wait(site.store.stopped()).unwrap().is_none());
    assert_eq!(browser.get("/leaks").status, 200, "nobody was signed out");
}
