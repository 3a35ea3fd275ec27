//! Made-up tokens: what they look like, and what they find out.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use unleak::leak::Verdict;
use unleak::secret::Secret;
use unleak::verify::{Verifier, made_up};

use crate::played::{Server, TOKEN, caller, held, reply, rules};
use crate::verify::VERIFY;

#[tokio::test]
async fn a_service_that_says_yes_to_all_is_not_believed() {
    let portal = Server::start(|_| reply(200, "Content-Type: text/html\r\n", "<h1>Welcome</h1>")).await;
    let set = rules("", VERIFY);
    let verifier = Verifier::new(caller(&[&portal.base]));
    let other = concat!("exp_", "z9y8x7w6v5u4t3s2r1q0");
    for token in [TOKEN, other] {
        let verdict = verifier.verify(&set.rules[0], &held(token, &[])).await.verdict;
        let said = "the service says yes to a made-up token (captive portal or proxy?)";
        assert_eq!(verdict, Verdict::unknown(said));
    }
    let seen = portal.seen();
    assert_eq!(seen.len(), 1, "one probe, and no real token");
    assert!(
        !seen[0].contains(TOKEN) && seen[0].contains("Bearer exp_") || seen[0].contains("bearer exp_"),
        "{}",
        seen[0]
    );
}

proptest! {
    #[test]
    fn a_made_up_token_has_the_same_shape_and_is_never_the_real_one(rest in "[ -~]{0,60}", odd in any::<String>()) {
        for text in [format!("exp_{rest}"), format!("exp_{odd}")] {
            let Some(made) = made_up(&Secret::new(text.clone()), "exp_") else {
                prop_assert!(!text[4..].bytes().any(|b| b.is_ascii_alphanumeric()) || text.len() < 7);
                continue;
            };
            let made = made.expose_str().unwrap();
            prop_assert!(made != text && made.starts_with("exp_") && made.len() == text.len());
            for (a, b) in made.chars().zip(text.chars()) {
                prop_assert_eq!(a.is_ascii_alphanumeric(), b.is_ascii_alphanumeric());
                prop_assert_eq!(a.is_ascii_uppercase(), b.is_ascii_uppercase());
                prop_assert!(a.is_ascii_alphanumeric() || a == b);
            }
        }
    }

    #[test]
    fn a_made_up_hexadecimal_token_is_hexadecimal_and_one_of_digits_has_digits(
        hex in "[0-9a-f]{40}", digits in "[0-9]{12}"
    ) {
        let made = made_up(&Secret::new(format!("{digits}_{hex}")), "").unwrap();
        let (left, right) = made.expose_str().unwrap().split_once('_').unwrap();
        prop_assert!(left.bytes().all(|b| b.is_ascii_digit()));
        prop_assert!(right.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    }
}
