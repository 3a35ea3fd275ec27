//! The style and the script, from the program itself. A browser keeps them for as long as they are the same.

use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use sha2::{Digest as _, Sha256};

use super::door::Asked;
use super::routes::Answer;
use super::trouble::Trouble;

const STYLE: &str = include_str!("static/style.css");
const SCRIPT: &str = include_str!("static/live.js");
const ICON: &str = include_str!("static/icon.svg");

/// Changes with the files.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for file in [STYLE, SCRIPT, ICON] {
        hash.update(file);
    }
    hash.finalize()[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
});

/// `GET /assets/{name}`.
pub(super) async fn file(asked: Asked) -> Answer {
    let (kind, text) = match asked.at("name") {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "live.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Trouble::NotFound("file")),
    };
    let mut response = ([(CONTENT_TYPE, kind)], text).into_response();
    if asked.query("v") == VERSION.as_str() {
        let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(CACHE_CONTROL, kept);
    }
    Ok(response)
}
