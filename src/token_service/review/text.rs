//! A review as text.

use std::fmt::Write as _;

use crate::token_service::review::Advice;

/// One paragraph for each token, and how many there are.
pub fn text(advice: &[Advice]) -> String {
    let mut text = String::new();
    for advised in advice {
        let token = &advised.token;
        // writing into a String cannot fail
        let _ = writeln!(
            text,
            "{}  {}  {}  {}",
            token.id,
            token.shown(),
            token.holder(),
            token.description
        );
        for remark in &advised.remarks {
            let _ = writeln!(text, "    {}", remark.text);
        }
        if let Some(smaller) = &advised.smaller {
            let _ = writeln!(text, "    → {}", smaller.command);
        }
    }
    let _ = writeln!(text, "tokens to look at: {}", advice.len());
    text
}
