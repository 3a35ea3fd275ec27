//! Requests that want to break in, wear us out, or be taken for somebody else's.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ring::signature::KeyPair as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::desk::{Desk, Signer, acme_token, pem, record};

const KEY: &str = "Github-Public-Key-Identifier";
const SIGNATURE: &str = "Github-Public-Key-Signature";

fn body() -> String {
    json!([record(&acme_token("one"), "acme_token", "https://example.com/a")]).to_string()
}

async fn nothing_was_taken(desk: &Desk) {
    for table in ["deliveries", "leaks", "tasks"] {
        assert_eq!(desk.count(table).await, 0, "{table}");
    }
}

/// What is none of this signer's signatures over this body.
fn wrong_signatures(signer: &Signer, body: &[u8]) -> Vec<(&'static str, String)> {
    let der = STANDARD.decode(signer.sign(body)).unwrap();
    let encoded = |der: &[u8]| STANDARD.encode(der);
    let number = [&[0x02, 0x21, 0x00][..], &[0xff; 32]].concat();
    let beyond = [&[0x30, 0x46][..], &number, &number].concat();
    let long_form = [&[0x30, 0x81, der[1]][..], &der[2..]].concat();
    // A leading zero that DER does not allow.
    let mut padded = der.clone();
    padded[1] += 1;
    padded[3] += 1;
    padded.insert(4, 0);
    let mut wrong = vec![
        ("another's key", Signer::new().sign(body)),
        ("another text", signer.sign(b"[]")),
        ("nothing", String::new()),
        ("no base64", "%%%%".to_owned()),
        ("base64 for URLs", URL_SAFE.encode([0xfb_u8; 70])),
        (
            "hexadecimal",
            der.iter().map(|byte| format!("{byte:02x}")).collect(),
        ),
        ("fixed width (IEEE P1363)", encoded(&[7; 64])),
        ("zero", encoded(&[0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00])),
        ("beyond the group", encoded(&beyond)),
        ("a long form of length", encoded(&long_form)),
        ("trailing bytes", encoded(&[&der[..], &[0]].concat())),
        ("a padded number", encoded(&padded)),
        ("very long", "A".repeat(1000)),
    ];
    let cut = [1, 2, 4, 8, der.len() / 2, der.len() - 1];
    wrong.extend(cut.map(|length| ("cut off", encoded(&der[..length]))));
    wrong
}

#[tokio::test]
async fn what_is_not_signed_as_it_must_be_is_refused_and_leaves_nothing_behind() {
    let desk = Desk::open("").await;
    let (body, id) = (body(), desk.signer.id.clone());
    for (what, signature) in wrong_signatures(&desk.signer, body.as_bytes()) {
        let headers = [(KEY, id.as_str()), (SIGNATURE, &signature)];
        let answer = desk.post("/reports/github", &headers, body.clone()).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    nothing_was_taken(&desk).await;
    assert_eq!(desk.github(&body).await.status, 200, "and the right one is taken");
}

#[tokio::test]
async fn keys_of_another_curve_or_form_prove_nothing() {
    let desk = Desk::open("").await;
    let body = body();
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P384_SHA384_ASN1_SIGNING;
    let key = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let p384 = ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
    let p384_head = [
        0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
        0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
    ];
    let p384_key = pem(&[&p384_head[..], p384.public_key().as_ref()].concat());
    let signature = STANDARD.encode(p384.sign(&random, body.as_bytes()).unwrap().as_ref());
    let ours = desk.signer.pem.clone();
    let not_on_curve = {
        let der = STANDARD
            .decode(
                ours.lines()
                    .filter(|line| !line.starts_with('-'))
                    .collect::<String>(),
            )
            .unwrap();
        pem(&[&der[..27], &[1; 64]].concat())
    };
    let keys = [
        ("P-384", p384_key, signature),
        ("off the curve", not_on_curve, desk.signer.sign(body.as_bytes())),
        ("no PEM", "MFkw".to_owned(), desk.signer.sign(body.as_bytes())),
        (
            "private",
            ours.replace("PUBLIC", "PRIVATE"),
            desk.signer.sign(body.as_bytes()),
        ),
        ("empty", String::new(), desk.signer.sign(body.as_bytes())),
    ];
    for (i, (name, key, _)) in keys.iter().enumerate() {
        desk.published
            .lock()
            .unwrap()
            .keys
            .push((format!("{i}-{name}"), key.clone(), true));
    }
    for (i, (name, _, signature)) in keys.iter().enumerate() {
        let id = format!("{i}-{name}");
        let answer = desk
            .post(
                "/reports/github",
                &[(KEY, &id), (SIGNATURE, signature)],
                body.clone(),
            )
            .await;
        assert_eq!(answer.status, 401, "{name}: {}", answer.text);
    }
    nothing_was_taken(&desk).await;
    assert_eq!(
        desk.github(&body).await.status,
        200,
        "they do not spoil the list they stand in"
    );
}

/// What it is, the headers, the answer.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

#[tokio::test]
async fn headers_that_can_be_read_in_two_ways_are_refused() {
    let desk = Desk::open("").await;
    let (body, id) = (body(), desk.signer.id.clone());
    let right = desk.signer.sign(body.as_bytes());
    let spaced = format!("  {id} ");
    let (long, other) = ("a".repeat(5000), "b".repeat(64));
    let table: &[Case] = &[
        ("none", &[], 401),
        ("no signature", &[(KEY, &id)], 401),
        ("no id", &[(SIGNATURE, &right)], 401),
        ("an empty id", &[(KEY, ""), (SIGNATURE, &right)], 400),
        ("two ids", &[(KEY, &id), (KEY, &other), (SIGNATURE, &right)], 400),
        (
            "the same id twice",
            &[(KEY, &id), (KEY, &id), (SIGNATURE, &right)],
            400,
        ),
        (
            "two signatures",
            &[(KEY, &id), (SIGNATURE, "AAAA"), (SIGNATURE, &right)],
            400,
        ),
        ("a long id", &[(KEY, &long), (SIGNATURE, &right)], 400),
        (
            "GitLab's headers",
            &[
                ("Gitlab-Public-Key-Identifier", &id),
                ("Gitlab-Public-Key-Signature", &right),
            ],
            401,
        ),
        (
            "another type of body",
            &[(KEY, &id), (SIGNATURE, &right), ("content-type", "text/xml")],
            400,
        ),
        (
            "lower case",
            &[
                ("github-public-key-identifier", &id),
                ("GITHUB-PUBLIC-KEY-SIGNATURE", &right),
            ],
            200,
        ),
        (
            "spaces around",
            &[
                (KEY, &spaced),
                (SIGNATURE, &right),
                ("content-type", "Application/JSON; charset=utf-8"),
            ],
            200,
        ),
    ];
    for (what, headers, status) in table {
        let answer = desk.post("/reports/github", headers, body.clone()).await;
        assert_eq!(answer.status, *status, "{what}: {}", answer.text);
    }
    assert_eq!(desk.count("deliveries").await, 1);
}

#[tokio::test]
async fn there_is_no_other_way_to_a_door() {
    let desk = Desk::open("").await;
    let (body, id) = (body(), desk.signer.id.clone());
    let right = desk.signer.sign(body.as_bytes());
    for path in [
        "/reports/nobody",
        "/reports/github/x",
        "/reports/%ff",
        "/reports/GITHUB",
        "/reports/",
    ] {
        let answer = desk
            .post(path, &[(KEY, &id), (SIGNATURE, &right)], body.clone())
            .await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(desk.get("/reports/github", &[]).await.status, 405);
    nothing_was_taken(&desk).await;
}

#[tokio::test]
async fn bodies_that_are_no_list_of_records_are_refused() {
    let desk = Desk::open("").await;
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for (body, status) in [
        ("", 400),
        ("{}", 400),
        ("null", 400),
        ("[", 400),
        ("[}", 400),
        ("[{},]", 400),
        ("[] []", 400),
        ("[]x", 400),
        ("\u{0}", 400),
        (&deep, 400),
        ("[]", 200),
        (" \n[]\n", 200),
    ] {
        let answer = desk.github(body).await;
        assert_eq!(answer.status, status, "{body:.20}: {}", answer.text);
    }
    assert_eq!(desk.count("leaks").await, 0);
}

#[tokio::test]
async fn a_report_of_too_many_records_is_refused_and_one_of_thousands_is_answered() {
    let desk = Desk::open("").await;
    let records = |count: usize| {
        let one = |i: usize| {
            record(
                &acme_token(&format!("many {i}")),
                "acme_token",
                "https://example.com/a",
            )
        };
        serde_json::to_string(&(0..count).map(one).collect::<Vec<_>>()).unwrap()
    };
    let answer = desk.github(records(50_000)).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert!(answer.text.contains("too many records"), "{}", answer.text);
    let small = format!("[{}1]", "1,".repeat(2_000_000));
    assert_eq!(
        desk.github(small).await.status,
        413,
        "counted before they are kept"
    );
    nothing_was_taken(&desk).await;
    assert_eq!(desk.github(records(3_000)).await.status, 200);
    assert_eq!(
        (desk.count("leaks").await, desk.count("tasks").await),
        (3_000, 3_000)
    );
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_before_they_are_read() {
    let desk = Desk::open("").await;
    let (id, signature) = (desk.signer.id.clone(), desk.signer.sign(b""));
    let head = |further: &str| {
        format!(
            "POST /reports/github HTTP/1.1\r\nhost: x\r\n{KEY}: {id}\r\n{SIGNATURE}: {signature}\r\n{further}\r\n\r\n"
        )
    };
    let address = desk.base.trim_start_matches("http://").to_owned();
    // By what it says of itself: the answer comes although nothing of the body did.
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    stream
        .write_all(head("content-length: 104857600").as_bytes())
        .await
        .unwrap();
    assert!(first_line(&mut stream).await.starts_with("HTTP/1.1 413"));
    // By what comes: in chunks, without saying how much.
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    stream
        .write_all(head("transfer-encoding: chunked").as_bytes())
        .await
        .unwrap();
    let chunk = [b"100000\r\n".to_vec(), vec![b'['; 1 << 20], b"\r\n".to_vec()].concat();
    let mut sent = 0;
    while sent < 100 && stream.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 100, "the connection ended before all of it went");
    // Both lengths at once, and a length that is none, are nobody's honest request.
    for further in [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: -1",
    ] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream
            .write_all(format!("{}0\r\n\r\n", head(further)).as_bytes())
            .await
            .unwrap();
        let line = first_line(&mut stream).await;
        assert!(
            line.starts_with("HTTP/1.1 400") || line.starts_with("HTTP/1.1 401"),
            "{further}: {line}"
        );
    }
    nothing_was_taken(&desk).await;
}

#[tokio::test]
async fn a_sender_who_dawdles_holds_up_nobody_else() {
    let desk = Desk::open("").await;
    let (id, signature) = (desk.signer.id.clone(), desk.signer.sign(b""));
    let address = desk.base.trim_start_matches("http://").to_owned();
    let mut slow = Vec::new();
    for _ in 0..60 {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /reports/github HTTP/1.1\r\nhost: x\r\n{KEY}: {id}\r\n{SIGNATURE}: {signature}\r\ncontent-length: 1000\r\n\r\n["
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(desk.github(body()).await.status, 200);
    let line = tokio::time::timeout(Duration::from_secs(60), first_line(&mut slow[0])).await;
    assert!(
        line.unwrap().starts_with("HTTP/1.1 408"),
        "and is cut off in the end"
    );
}

async fn first_line(stream: &mut tokio::net::TcpStream) -> String {
    let mut said = [0; 200];
    let read = stream.read(&mut said).await.unwrap_or_default();
    String::from_utf8_lossy(&said[..read])
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
