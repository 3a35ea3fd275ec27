//! The list and the page of a leak: whose leaks they show, what they leave out, and paging while leaks arrive.

use std::collections::BTreeSet;

use unleak::finding::Severity;
use unleak::leak::{Identity, Verdict};

use super::site::{EVERY, Kept, Site, TWO_PEOPLE, held, owner, page_of, secret};

/// The links to leaks on a page, in its order.
fn linked(text: &str) -> Vec<String> {
    let links = text
        .split("href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    links
        .filter(|link| link.starts_with("/leaks/"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn owners_see_the_leaks_of_their_organisation_and_operators_all() {
    for kept in EVERY {
        let site = Site::open(*kept, TWO_PEOPLE);
        let [one, two, three] = [1, 2, 3].map(page_of);
        for (who, expected) in [
            ("ann", vec![&one, &three]),
            ("max", vec![&one, &three]),
            ("eve", vec![&two]),
            ("operator", vec![&one, &two, &three]),
        ] {
            let browser = site.browser(who);
            let sorted = |links: Vec<String>| links.into_iter().collect::<BTreeSet<_>>();
            let expected: BTreeSet<String> = expected.into_iter().cloned().collect();
            let list = browser.get("/leaks");
            assert_eq!(sorted(linked(&list.text)), expected, "{who}");
            let all = format!("<td class=\"number strong\">{}</td>", expected.len());
            assert!(list.text.contains(&all), "{who}: counts");
            for number in [1, 2, 3] {
                let page = page_of(number);
                let status = if expected.contains(&page) { 200 } else { 404 };
                assert_eq!(browser.get(&page).status, status, "{who} {number}");
                assert_eq!(
                    browser.get(&format!("{page}/events")).status,
                    status,
                    "{who} {number}"
                );
                // neither a search nor a name tells that there is one
                let fingerprint = page.split('/').nth(2).unwrap();
                for sought in [
                    format!("q={fingerprint}"),
                    format!("q=code.example/{number}/"),
                    format!("q=mia{number}"),
                ] {
                    let found = linked(&browser.get(&format!("/leaks?{sought}")).text);
                    assert_eq!(found.len(), usize::from(status == 200), "{who} {sought}");
                }
            }
            let trends = browser.get("/trends").text;
            assert_eq!(
                trends.contains("<th scope=\"row\">beta</th>"),
                matches!(who, "eve" | "operator"),
                "{who}"
            );
            assert_eq!(
                trends.contains("<th scope=\"row\">acme</th>"),
                who != "eve",
                "{who}"
            );
        }
    }
}

#[test]
fn a_token_without_the_scope_to_see_leaks_sees_none_and_hears_why() {
    let site = Site::open(Kept::Sqlite, TWO_PEOPLE);
    let token = site.token("ann", &["members:read"]);
    let browser = super::site::Browser::new(&site);
    browser.sign_in(&token);
    let list = browser.get("/leaks");
    assert!(linked(&list.text).is_empty() && list.text.contains("leaks:read"));
    assert_eq!(browser.get(&page_of(1)).status, 404);
}

#[test]
fn addresses_are_for_administrators_and_owners_and_secrets_for_nobody() {
    let site = Site::open(Kept::Sqlite, TWO_PEOPLE);
    let leak = held(1, "x").leak;
    let owners = [owner("carla"), owner("carl@mail.example")];
    site.wait(site.store.save_owners(leak.fingerprint, &leak.rule, &owners))
        .unwrap();
    for (who, sees) in [
        ("max", false),
        ("narrow", false),
        ("adam", true),
        ("ann", true),
        ("operator", true),
    ] {
        let browser = site.browser(who);
        for path in [
            "/leaks".to_owned(),
            page_of(1),
            "/policy".to_owned(),
            "/trends".to_owned(),
        ] {
            let text = browser.get(&path).text;
            let operator_alone = path == "/policy";
            let expected = sees && path == page_of(1) || who == "operator" && operator_alone;
            assert_eq!(text.contains("@mail.example"), expected, "{who} {path}: {text}");
        }
        let text = browser.get(&page_of(1)).text;
        assert!(text.contains("carla") && text.contains("mia1"), "{who}");
    }
}

#[test]
fn a_list_goes_on_where_it_was_while_leaks_arrive() {
    for kept in EVERY {
        let site = Site::empty(*kept, "");
        let put = |from: u32, to: u32| {
            for number in from..to {
                let mut held = held(number, "a/file.py");
                held.leak.identity.organisations = vec!["ACME".to_owned()];
                // several of one moment
                let at = format!("2025-06-01T12:00:{:02}Z", number / 5);
                held.leak.first_seen = at.parse().unwrap();
                site.wait(site.store.record(&held)).unwrap();
            }
        };
        put(0, 120);
        let browser = site.browser("ann");
        let (mut seen, mut path) = (Vec::new(), "/leaks".to_owned());
        let mut pages = 0;
        loop {
            let text = browser.get(&path).text;
            seen.extend(linked(&text));
            pages += 1;
            put(200 + pages * 10, 210 + pages * 10);
            let Some(next) = text.split("href=\"").find(|part| part.contains("rel=\"next\"")) else {
                break;
            };
            path = next.split('"').next().unwrap().replace("&#38;", "&");
        }
        assert_eq!((pages, seen.len()), (3, 120));
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), 120, "none twice, and none of those that came later");
        let newest = linked(&browser.get("/leaks").text);
        assert_eq!(newest[0], page_of(239), "what came later stands first");
    }
}

#[test]
fn filters_and_words_find_what_they_say_and_nothing_that_they_could_be_read_as() {
    for kept in EVERY {
        let site = Site::empty(*kept, "");
        let places = [
            "src/settings_100%.py",
            "src/settingsX100.py",
            "docs/read me.md",
            "a\\b",
        ];
        for (number, place) in (0_u32..).zip(places) {
            let mut held = held(number, place);
            held.leak.severity = if number == 0 {
                Severity::Low
            } else {
                Severity::High
            };
            if number == 1 {
                held.leak.verdict = Some(Verdict::Live {
                    reason: "200".to_owned(),
                });
            }
            site.wait(site.store.record(&held)).unwrap();
        }
        let browser = site.browser("operator");
        for (query, expected) in [
            ("q=settings_100%25", vec![0]),
            ("q=SETTINGS", vec![0, 1]),
            ("q=%25", vec![0]),
            ("q=_", vec![0, 1, 2, 3]),
            ("q=a%5Cb", vec![3]),
            ("q=read+me", vec![2]),
            ("q=example%2Ftoken+docs", vec![2]),
            ("severity=low", vec![0]),
            ("state=live", vec![1]),
            ("state=unknown&severity=high", vec![2, 3]),
            ("service=example", vec![0, 1, 2, 3]),
            ("service=github", vec![]),
            ("waiting=yes", vec![]),
            ("state=nonsense&severity=%27", vec![0, 1, 2, 3]),
            ("q=%27%3B+DROP+TABLE+leaks", vec![]),
        ] {
            let found: BTreeSet<String> = linked(&browser.get(&format!("/leaks?{query}")).text)
                .into_iter()
                .collect();
            let expected: BTreeSet<String> = expected.into_iter().map(page_of).collect();
            assert_eq!(found, expected, "{query}");
        }
        assert_eq!(browser.get("/leaks?behind=nonsense").status, 400);
        assert_eq!(browser.get("/leaks?behind=1.x.y").status, 200);
    }
}

#[test]
fn a_leak_that_opens_two_of_my_organisations_stands_once_in_the_list_and_in_the_counts() {
    for kept in EVERY {
        let site = Site::empty(*kept, "");
        let by = super::site::by();
        let role = unleak::token_service::model::Role::Owner;
        site.wait(site.tokens.set_member("beta", "ann", role, &by))
            .unwrap();
        let mut held = held(1, "x");
        held.leak.identity = Identity {
            organisations: vec!["acme".to_owned(), "Beta".to_owned(), "gamma".to_owned()],
            ..Identity::default()
        };
        site.wait(site.store.record(&held)).unwrap();
        let list = site.browser("ann").get("/leaks").text;
        assert_eq!(linked(&list).len(), 1);
        assert!(list.contains("<td class=\"number strong\">1</td>") && !list.contains("strong\">2</td>"));
    }
}

#[test]
fn what_strangers_wrote_is_shown_and_never_run() {
    let site = Site::empty(Kept::Sqlite, "");
    let script = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let mut held = held(1, script);
    held.leak.identity.principal = Some(format!("{script}\u{202e}\u{7}"));
    held.leak.identity.organisations = vec!["acme".to_owned(), script.to_owned()];
    held.leak.identity.scopes = vec![script.to_owned()];
    held.leak.verdict = Some(Verdict::Live {
        reason: script.to_owned(),
    });
    held.leak.owners = vec![owner(script)];
    site.wait(site.store.record(&held)).unwrap();
    site.wait(
        site.store
            .acting_as(script)
            .dismiss(held.leak.fingerprint, &held.leak.rule, script),
    )
    .unwrap();
    let browser = site.browser("operator");
    for path in [
        "/leaks".to_owned(),
        page_of(1),
        "/trends".to_owned(),
        format!("{}/plan/revoke", page_of(1)),
        "/leaks?q=%3Cscript%3Ealert(1)".to_owned(),
    ] {
        let text = browser.get(&path).text;
        assert!(
            !text.contains("<script>") && !text.contains("<img") && !text.contains('\u{202e}'),
            "{path}"
        );
        assert!(text.contains("&#60;script&#62;"), "{path}: {text}");
    }
    assert!(!browser.get(&page_of(1)).text.contains(&secret(1)));
}

#[test]
fn a_store_that_an_older_unleak_wrote_is_listed_when_it_is_opened() {
    use sqlx::Connection as _;
    let site = Site::open(Kept::Sqlite, TWO_PEOPLE);
    let url = format!("sqlite://{}/leaks.db", site.tool.home().display());
    let count = || {
        site.wait(async {
            let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let (rows,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM listed")
                .fetch_one(&mut database)
                .await
                .unwrap();
            rows
        })
    };
    assert_eq!(count(), 6, "one for all and one for its organisation, of each");
    site.wait(async {
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("DELETE FROM listed; DELETE FROM marks WHERE name = 'listed'")
            .execute(&mut database)
            .await
            .unwrap();
    });
    let key = unleak::store::StoreKey::new([7; 32]);
    drop(site.wait(unleak::store::Store::open(&url, key)).unwrap());
    assert_eq!(count(), 6);
    assert_eq!(
        linked(&site.browser("ann").get("/leaks?q=code.example").text).len(),
        2
    );
}
