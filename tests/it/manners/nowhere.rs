//! The table of addresses that no call reaches, whoever names them: this machine, private networks, metadata services, in
//! every spelling. A server listens on this machine and hears nothing.

use unleak::call::{CallError, Caller, ServiceSettings, Values};
use unleak::rule::RuleSet;
use unleak::rule::file::CallFile;

use crate::played::{Server, TOKEN, held, json, quick, rules};

/// Hosts as a URL may spell them.
const HOSTS: &str = "127.0.0.1 127.1 127.0.1 0 0.0.0.0 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 \
    127.0.0.1. %31%32%37.0.0.1 \u{ff11}\u{ff12}\u{ff17}.0.0.1 127\u{3002}0.0.1 localhost LOCALHOST localhost. \
    10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 0xa000001 3232235521 \
    169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.43518 168.63.129.16 192.0.0.192 \
    100.64.0.1 100.100.100.200 100.127.255.255 \
    192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 192.88.99.1 224.0.0.1 240.0.0.1 255.255.255.255 \
    [::] [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:a9fe:a9fe] [::127.0.0.1] \
    [64:ff9b::7f00:1] [64:ff9b:1::a9fe:a9fe] [2002:7f00:1::] [2001:0:7f00:1::] [fc00::1] [fd00:ec2::254] [fe80::1] \
    [fec0::1] [ff02::1] [2001:db8::1] [100::1]";

/// What the URL itself may not say, wherever it leads.
const REFUSED: [&str; 4] = [
    "http://api.example.com",
    "https://api.example.com:8443",
    "https://user@api.example.com",
    "ftp://api.example.com",
];

/// A service whose rule file lists this host, were it possible.
fn listing(host: &str) -> RuleSet {
    let plain = host.trim_matches(['[', ']']);
    rules(&format!("hosts = [{plain:?}, {host:?}]"), "")
}

fn caller() -> Caller {
    Caller::new(quick(ServiceSettings::default())).unwrap()
}

/// What became of a request there with the token in it.
async fn sent(caller: &Caller, set: &RuleSet, url: &str) -> Result<u16, CallError> {
    let service = &set.services[0];
    let call = CallFile {
        request: format!("GET {url}/me"),
        headers: [("Authorization".to_owned(), "Bearer {secret}".to_owned())].into(),
        ..CallFile::default()
    };
    let mut values = Values::new(&service.name);
    values.set_secret("secret", TOKEN);
    caller
        .ask(service, &call, &values)
        .await
        .map(|reply| reply.status)
}

/// A name that nobody resolves is not reached either.
fn not_sent(ended: &Result<u16, CallError>) -> bool {
    ended.as_ref().is_err_and(|error| !error.may_have_arrived())
}

#[tokio::test]
async fn no_call_reaches_an_address_that_is_not_of_the_public_internet_however_it_is_spelt() {
    let (server, caller) = (Server::start(|_| json(200, "{}")).await, caller());
    let port = server.base.rsplit_once(':').unwrap().1.to_owned();
    for host in HOSTS.split_whitespace() {
        // Listed by a rule file, the address itself is what stands in the way.
        for url in [
            format!("https://{host}"),
            format!("https://{host}:{port}"),
            format!("http://{host}:{port}"),
        ] {
            let ended = sent(&caller, &listing(host), &url).await;
            assert!(not_sent(&ended), "{url}: {ended:?}");
        }
    }
    for url in REFUSED {
        let ended = sent(&caller, &rules("hosts = [\"api.example.com\"]", ""), url).await;
        assert!(not_sent(&ended), "{url}: {ended:?}");
    }
    assert!(server.seen().is_empty(), "{:?}", server.seen());
}

/// A token is foreign text, and so is what it says of its own home.
#[tokio::test]
async fn a_token_that_names_such_an_address_as_its_home_is_sent_nowhere() {
    let (server, caller) = (Server::start(|_| json(200, "{}")).await, caller());
    let port = server.base.rsplit_once(':').unwrap().1.to_owned();
    let set = rules("hosts = [\"api.example.com\"]", "");
    for host in HOSTS.split_whitespace() {
        for base in [
            format!("https://{host}"),
            format!("http://{host}:{port}"),
            format!("https://api.example.com@{host}"),
        ] {
            let refused = caller
                .bases_of(&set.services[0], &held(TOKEN, &[("base", &base)]))
                .unwrap_err();
            assert!(matches!(refused, CallError::Forbidden(_)), "{base}: {refused:?}");
        }
    }
    assert!(server.seen().is_empty());
}
