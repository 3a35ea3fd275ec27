//! What the pages tell beside single leaks: how it goes, what works for which service, and what to type instead.

use jiff::{SignedDuration, Timestamp};
use unleak::leak::Held;
use unleak::store::Delivery;

use super::site::{EVERY, Kept, Site, TWO_PEOPLE, held, page_of, secret};

#[test]
fn trends_tell_what_was_found_what_lives_and_how_long_a_token_lived_by_organisation() {
    for kept in EVERY {
        let site = Site::empty(*kept, TWO_PEOPLE);
        let seen = |(number, days): (u32, i64)| -> Held {
            let mut held = held(number, "https://code.example/settings.py");
            held.leak.first_seen = Timestamp::now() - SignedDuration::from_hours(24 * days);
            site.keep_secret(&secret(number));
            held
        };
        let leaks: Vec<Held> = [(1, 2), (2, 3), (3, 9), (5, 20)].map(seen).into();
        site.wait(site.store.take_in(&Delivery::new("test", b"1"), &leaks))
            .unwrap();
        let is_live = |number| site.leak(number).verdict.is_some_and(|verdict| verdict.is_live());
        site.until("they live", || [1, 2, 3, 5].into_iter().all(is_live));
        let operator = site.browser("operator");
        for number in [1, 3, 5] {
            site.service.state().dead.insert(secret(number));
            operator.post(&format!("{}/verify", page_of(number)), &[]);
        }
        site.until("three died", || {
            [1, 3, 5].into_iter().all(|number| site.is_dead(number))
        });

        let number = |count: u32| format!("<td class=\"number\">{count}</td>");
        let row = |name: &str, counts: [u32; 3], median: &str| {
            let counts = counts.map(number).concat();
            format!("<th scope=\"row\">{name}</th>{counts}<td>{median}</td>")
        };
        let acme = row("acme", [3, 0, 3], "9 days");
        let beta = row("beta", [1, 1, 0], "none died yet");
        let all = operator.get("/trends").text;
        assert!(all.contains(&acme) && all.contains(&beta), "{all}");
        for figure in [
            "<dt>Leaks found</dt><dd>4</dd>",
            "<dt>Live tokens still open</dt><dd><a href=\"/leaks?state=live\">1</a></dd>",
            "<dt>Median from leak to dead</dt><dd>9 days</dd>",
        ] {
            assert!(all.contains(figure), "{figure}: {all}");
        }
        let ended: u32 = all
            .split("<tr><th scope=\"row\">20")
            .skip(1)
            .map(|week| {
                week.split(">")
                    .nth(4)
                    .unwrap()
                    .split('<')
                    .next()
                    .unwrap()
                    .parse::<u32>()
                    .unwrap()
            })
            .sum();
        assert_eq!(ended, 3, "each death stands in its week: {all}");
        let hers = site.browser("eve").get("/trends").text;
        assert!(hers.contains(&beta) && !hers.contains("acme"), "{hers}");
        assert!(hers.contains("<dt>Leaks found</dt><dd>1</dd>"));
    }
}

#[test]
fn services_say_what_works_for_each_and_a_leak_says_what_to_type() {
    let site = Site::open(Kept::Sqlite, TWO_PEOPLE);
    let operator = site.browser("operator");
    let page = operator.get("/services?q=example").text;
    assert!(
        page.contains("with the token itself") && page.contains("1 to 1 of 1"),
        "{page}"
    );
    assert!(
        operator
            .get("/services?q=example&can=contain")
            .text
            .contains("No service fits.")
    );
    let leak = operator.get(&page_of(1)).text;
    let fingerprint = page_of(1).split('/').nth(2).unwrap().to_owned();
    for command in ["unleak verify", "unleak owners", "unleak revoke"] {
        assert!(
            leak.contains(&format!("<code>{command} {fingerprint}")),
            "{command}: {leak}"
        );
    }
}
