//! Somebody's browser as far as HTTP goes: cookies, forms, streams. Everything it gets is searched in the end.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::site::{PATIENCE, Site};

/// Somebody's browser: it keeps cookies and goes nowhere by itself.
pub(super) struct Browser<'a> {
    site: &'a Site,
    client: reqwest::Client,
    pub(super) cookies: RefCell<BTreeMap<String, String>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) to: String,
    pub(super) text: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The value of a hidden field.
    pub(super) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let at = self
            .text
            .find(&start)
            .unwrap_or_else(|| panic!("no field {name}: {}", self.text));
        let rest = &self.text[at + start.len()..];
        rest.split('"').next().unwrap().to_owned()
    }
}

impl<'a> Browser<'a> {
    pub(super) fn new(site: &'a Site) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            site,
            client,
            cookies: RefCell::default(),
        }
    }

    pub(super) fn sign_in(&self, token: &str) -> Answer {
        let key = self.get("/sign-in").hidden("key");
        self.send("POST", "/sign-in", &[("key", &key), ("token", token)], &[])
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &[])
    }

    /// The key of this session's forms.
    pub(super) fn key(&self) -> String {
        self.get("/organisations").hidden("key")
    }

    /// Sends a form with its key.
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let key = self.key();
        self.send("POST", path, &[&[("key", key.as_str())], fields].concat(), &[])
    }

    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.site.base));
        let cookies = self.cookies.borrow().clone();
        let cookies: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method == reqwest::Method::POST {
            let body: String = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body);
        }
        let answer = self.site.wait(async {
            let response = request.send().await.unwrap();
            let headers = response.headers().iter();
            let headers: Vec<(String, String)> = headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect();
            let find = |name: &str| headers.iter().find(|(known, _)| known == name);
            let streams = find("content-type").is_some_and(|(_, kind)| kind == "text/event-stream");
            Answer {
                status: response.status().as_u16(),
                to: find("location").map(|(_, to)| to.clone()).unwrap_or_default(),
                text: if streams {
                    String::new()
                } else {
                    response.text().await.unwrap()
                },
                headers,
            }
        });
        for (name, value) in &answer.headers {
            if name == "set-cookie" {
                self.keep(value);
            }
        }
        self.site.got(format!("{method} {path}"), &answer.text);
        answer
    }

    fn keep(&self, cookie: &str) {
        let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        let mut cookies = self.cookies.borrow_mut();
        if value.is_empty() {
            cookies.remove(name);
        } else {
            self.site.keep_secret(value);
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The first events of a stream.
    pub(super) fn events(&self, path: &str, enough: impl Fn(&str) -> bool) -> String {
        let cookies = self.cookies.borrow().clone();
        let cookies: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = self
            .client
            .get(format!("{}{path}", self.site.base))
            .header("cookie", cookies.join("; "));
        self.site.wait(async {
            let mut response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), 200);
            let mut text = String::new();
            let all = async {
                while let Some(piece) = response.chunk().await.unwrap() {
                    text.push_str(&String::from_utf8_lossy(&piece));
                    if enough(&text) {
                        break;
                    }
                }
            };
            let _in_time = tokio::time::timeout(PATIENCE, all).await;
            text
        })
    }
}
