//! A review as one HTML page: no script, nothing loaded from elsewhere, and every word from outside escaped.

use std::fmt::Write as _;

use crate::token_service::model::Time;
use crate::token_service::review::Advice;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Token review</title><style>\
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.5rem;\
border-bottom:1px solid #ccc}ul{margin:0;padding-left:1.2rem}code{overflow-wrap:anywhere}</style></head><body>\n";

/// The page.
pub fn html(advice: &[Advice], now: Time) -> String {
    let mut page = HEAD.to_owned();
    // writing into a String cannot fail
    let _ = write!(
        page,
        "<h1>Token review</h1>\n<p>Tokens to look at: {}, as of {now}.</p>\n<table><thead><tr><th scope=\"col\">Token</th>\
         <th scope=\"col\">Holder</th><th scope=\"col\">Last used</th><th scope=\"col\">Findings</th>\
         <th scope=\"col\">What would do</th></tr></thead><tbody>\n",
        advice.len()
    );
    for advised in advice {
        let token = &advised.token;
        let used = token
            .last_used_at
            .map_or("never".to_owned(), |last| last.to_string());
        let findings: String = advised
            .remarks
            .iter()
            .map(|remark| format!("<li>{}</li>", escaped(&remark.text)))
            .collect();
        let smaller = advised.smaller.as_ref();
        let smaller = smaller.map_or("none: revoke it".to_owned(), |smaller| {
            format!("<code>{}</code>", escaped(&smaller.command))
        });
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code><br>{}<br>{}</td><td>{}</td><td>{used}</td><td><ul>{findings}</ul></td><td>{smaller}</td></tr>",
            escaped(&token.id),
            escaped(&token.shown()),
            escaped(&token.description),
            escaped(&token.holder()),
        );
    }
    page.push_str("</tbody></table></body></html>\n");
    page
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn no_word_from_outside_becomes_markup() {
        assert_eq!(escaped("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
