//! The cookies: the session, the one of the sign-in form before anybody is known, and the one of a sign-in elsewhere. All are
//! out of reach of scripts, stay on this site, and over TLS are bound to this host.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

use crate::secret::Secret;

/// Which cookie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cookie {
    /// Who is signed in.
    Session,
    /// That the sign-in form came from here.
    Form,
    /// That the sign-in elsewhere was begun by this browser.
    Elsewhere,
}

impl Cookie {
    /// A browser takes a `__Host-` cookie from its own host alone, over TLS alone.
    fn name(self, behind_tls: bool) -> &'static str {
        match (self, behind_tls) {
            (Self::Session, true) => "__Host-unleak",
            (Self::Session, false) => "unleak",
            (Self::Form, true) => "__Host-unleak-form",
            (Self::Form, false) => "unleak-form",
            (Self::Elsewhere, true) => "__Host-unleak-elsewhere",
            (Self::Elsewhere, false) => "unleak-elsewhere",
        }
    }

    /// What the browser sent; none if it sent two.
    pub(super) fn read(self, headers: &HeaderMap, behind_tls: bool) -> Option<Secret> {
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let mut values = pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name(behind_tls));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(Secret::new(value.as_bytes())),
            _ => None,
        }
    }

    /// The header that gives it, until the browser is closed or for so many seconds.
    pub(super) fn given(self, value: &str, seconds: i64, behind_tls: bool) -> String {
        let secure = if behind_tls { "; Secure" } else { "" };
        // whoever comes back from a provider follows a link of another site
        let site = if matches!(self, Self::Elsewhere) {
            "Lax"
        } else {
            "Strict"
        };
        format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={site}{secure}",
            self.name(behind_tls)
        )
    }

    /// The header that takes it away.
    pub(super) fn taken(self, behind_tls: bool) -> String {
        self.given("", 0, behind_tls)
    }
}
