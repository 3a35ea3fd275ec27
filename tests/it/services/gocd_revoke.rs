//! GoCD, played: revoking by the exact id, which the list does not give away.

use std::time::Duration;

use super::gocd::{ADMIN, GoCd, MIA, Token, desk, gocd, sibling, token};
use super::{Desk, Server};

const REVOKE: &str = "[policy]\n[[policy.allow]]\nname = \"ci\"\naction = \"revoke\"\nservice = \"gocd\"\n";
const FIRST: &str = "POST /go/api/admin/access_tokens/5/revoke";

/// Mia has two tokens, the leaked one and another that was used long ago.
fn two(base: &str) -> GoCd {
    let mut play = gocd(base);
    let mut other = Token::new(6, sibling(), "mia");
    other.last_used = Some("2026-02-01T00:00:00Z".parse().unwrap());
    play.tokens.push(other);
    play
}

fn revoked(server: &Server<GoCd>) -> Vec<u64> {
    let play = server.play();
    let revoked = play.tokens.iter().filter(|token| token.revoked.is_some());
    revoked.map(|token| token.id).collect()
}

fn revoke(desk: &Desk) -> (i32, String) {
    let ran = desk.run_with(&["revoke", "--yes", "--rule", "gocd/access-token"], &token());
    (ran.code, ran.out + &ran.err)
}

/// No token was ever shown to the pages where tokens are managed, as GoCD would refuse it.
fn no_bearer_managed_tokens(server: &Server<GoCd>) {
    for word in ["Bearer", "bearer"] {
        assert!(!server.was_shown("/go/api/admin", word) && !server.was_shown("/go/api/users", word));
    }
}

#[test]
fn the_only_active_token_of_the_user_is_revoked_by_its_id_and_proved_revoked() {
    let server = Server::start(gocd);
    let mut desk = desk(&server, ADMIN);
    desk.configure(REVOKE);
    let steps = desk.respond();
    assert!(steps.contains("revoke: done and proved (operator)"), "{steps}");
    assert!(steps.contains("dead: revoked"), "{steps}");
    assert_eq!(
        (server.changes(), revoked(&server)),
        (vec![FIRST.to_owned()], vec![5])
    );
    no_bearer_managed_tokens(&server);
    desk.notice("mia@acme.example", "revoked");
    let ran = desk.run_with(&["verify", "--rule", "gocd/access-token"], &token());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("dead, revoked"), "{}", ran.out);
    desk.respond();
    assert_eq!(server.changes().len(), 1);
    desk.holds_no_secret();
}

#[test]
fn of_two_tokens_of_the_user_the_one_whose_last_use_our_question_moves_is_revoked() {
    let server = Server::start(two);
    let mut desk = desk(&server, ADMIN);
    desk.configure(REVOKE);
    let steps = desk.respond();
    assert!(steps.contains("revoke: done and proved"), "{steps}");
    assert_eq!(
        (server.changes(), revoked(&server)),
        (vec![FIRST.to_owned()], vec![5])
    );
    desk.holds_no_secret();
}

#[test]
fn while_the_other_token_is_in_use_too_nothing_is_revoked() {
    let server = Server::start(two);
    server.play().tokens[2].busy = true;
    let desk = desk(&server, ADMIN);
    let (code, said) = revoke(&desk);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("2 of them were used just now: nothing was changed"),
        "{said}"
    );
    assert_eq!((server.changes(), revoked(&server)), (vec![], vec![]));
    desk.holds_no_secret();
}

#[test]
fn a_last_use_that_is_not_written_down_in_time_revokes_nothing() {
    let server = Server::start(two);
    server.play().flush_every = Duration::from_secs(3600);
    let desk = desk(&server, ADMIN);
    let (code, said) = revoke(&desk);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("moved the last-use mark of none: nothing was changed"),
        "{said}"
    );
    assert_eq!(revoked(&server), Vec::<u64>::new());
    desk.holds_no_secret();
}

/// Marks are whole seconds: where ours is written down in the second in which it is used again, it does not move, and
/// another that is used a little later alone would.
#[test]
fn a_use_in_the_second_of_the_last_one_never_makes_another_token_look_like_ours() {
    let server = Server::start(|base| GoCd {
        flush_every: Duration::ZERO,
        ..two(base)
    });
    let desk = desk(&server, ADMIN);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let listed = || server.seen().iter().any(|what| what.ends_with("/access_tokens"));
            while !listed() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(1500));
            server.play().tokens[2].busy = true;
        });
        let (code, said) = revoke(&desk);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
    });
    assert_eq!(revoked(&server), Vec::<u64>::new());
    desk.holds_no_secret();
}

#[test]
fn a_409_says_that_it_was_revoked_already_and_asking_again_proves_it() {
    let server = Server::start(|base| GoCd {
        overtaken: true,
        ..gocd(base)
    });
    let desk = desk(&server, ADMIN);
    let (code, said) = revoke(&desk);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("dead: revoked"), "{said}");
    assert_eq!(server.changes(), [FIRST]);
    desk.holds_no_secret();
}

#[test]
fn a_credential_that_is_no_administrators_revokes_nothing_and_says_so() {
    let server = Server::start(gocd);
    let desk = desk(&server, MIA);
    let (code, said) = revoke(&desk);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("step 1 of 2: the service answered 403"), "{said}");
    assert_eq!((server.changes(), revoked(&server)), (vec![], vec![]));
    desk.holds_no_secret();
}

#[test]
fn an_access_token_as_the_operators_credential_is_refused_before_anything_is_sent() {
    let server = Server::start(gocd);
    let credential = ["fa4efa4e", "0123456789abcdef0123456789abcdef"].concat();
    let desk = desk(&server, &credential);
    let (code, said) = revoke(&desk);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("services.gocd.credential must be user:password"),
        "{said}"
    );
    assert_eq!(server.changes(), Vec::<String>::new());
    assert!(
        !server.seen().iter().any(|what| what.contains("/admin/")),
        "{:?}",
        server.seen()
    );
    desk.holds_no_secret();
}

#[test]
fn disabling_the_user_contains_every_token_of_theirs() {
    let server = Server::start(two);
    let desk = desk(&server, ADMIN);
    let args = ["revoke", "--contain", "--yes", "--rule", "gocd/access-token"];
    let ran = desk.run_with(&args, &token());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(server.changes(), ["PATCH /go/api/users/mia"]);
    let ran = desk.run_with(&["verify", "--rule", "gocd/access-token"], &token());
    assert!(ran.out.contains("dead, owner disabled"), "{}", ran.out);
    no_bearer_managed_tokens(&server);
    desk.holds_no_secret();
}
