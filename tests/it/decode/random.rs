//! Random texts in random nestings: the planted token comes out, and its span is the one it was put at.
//!
//! The library is used here, because thousands of cases take thousands of starts otherwise.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use memchr::memmem;
use proptest::prelude::*;
use unleak::source::decode::{Bounds, Seen, stored, visit};
use unleak::source::{Form, archive};

/// Letters that never stand around the planted text by chance.
const PLANTED: &str = "tok_PLANTEDplantedPLANTED0123456789";

#[derive(Clone, Copy, Debug)]
enum Layer {
    Base64,
    Base64Bare,
    Base64Url,
    Base64Wrapped,
    Hex,
    Percent,
    Unicode,
    Html,
    Plus,
}

const LAYERS: [Layer; 9] = [
    Layer::Base64,
    Layer::Base64Bare,
    Layer::Base64Url,
    Layer::Base64Wrapped,
    Layer::Hex,
    Layer::Percent,
    Layer::Unicode,
    Layer::Html,
    Layer::Plus,
];

impl Layer {
    /// Encodes a text without blanks at its ends; says where the bytes of `range` come to stand.
    fn wrap(self, text: &str, range: &Range<usize>) -> (String, Range<usize>) {
        let sixes = |range: &Range<usize>| range.start * 8 / 6..(range.end * 8).div_ceil(6);
        let each = |width: usize, write: &dyn Fn(u8) -> String| {
            let written: String = text.bytes().map(write).collect();
            (written, range.start * width..range.end * width)
        };
        match self {
            Self::Base64 => (STANDARD.encode(text), sixes(range)),
            Self::Base64Bare => (STANDARD_NO_PAD.encode(text), sixes(range)),
            Self::Base64Url => (URL_SAFE.encode(text), sixes(range)),
            Self::Base64Wrapped => {
                let encoded = STANDARD.encode(text);
                let place = |at: usize| at + at / 40 * 3;
                let lines: Vec<&str> = (0..encoded.len())
                    .step_by(40)
                    .map(|at| &encoded[at..encoded.len().min(at + 40)])
                    .collect();
                let at = sixes(range);
                (lines.join("\n  "), place(at.start)..place(at.end - 1) + 1)
            }
            Self::Hex => each(2, &|byte| format!("{byte:02x}")),
            Self::Percent => each(3, &|byte| format!("%{byte:02X}")),
            Self::Unicode => each(6, &|byte| format!("\\u{byte:04X}")),
            Self::Html => each(6, &|byte| format!("&#x{byte:02x};")),
            Self::Plus => {
                let middle = range.start + range.len() / 2;
                let written = format!("\"{}\" + \"{}\"", &text[..middle], &text[middle..]);
                (written, range.start + 1..range.end + 6)
            }
        }
    }
}

fn layers() -> impl Strategy<Value = Vec<Layer>> {
    proptest::collection::vec(proptest::sample::select(&LAYERS[..]), 1..4)
}

/// The spans at which the planted text was seen in a view.
fn seen(text: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    visit(text, Bounds::for_length(text.len()), &mut |seen| {
        if let Seen::Text(decoded) = seen {
            for at in memmem::find_iter(&decoded.bytes, PLANTED) {
                spans.push(decoded.original(&(at..at + PLANTED.len())));
            }
        }
    })
    .unwrap();
    spans
}

/// Everything that reads foreign bytes.
fn all(bytes: &[u8]) {
    struct Nobody;
    impl archive::Taker for Nobody {
        fn member(&mut self, member: archive::Member<'_>) {
            Form::of(member.bytes).text(member.bytes);
        }
        fn skip(&mut self, _: &[u8], _: String) {}
    }
    let mut views = |seen: Seen<'_>| {
        if let Seen::Text(decoded) = seen {
            let length = decoded.bytes.len();
            for range in [0..length, length / 3..length / 2, length..length] {
                let back = decoded.original(&range);
                assert!(back.start <= back.end && back.end <= bytes.len());
            }
        }
    };
    let _ = visit(bytes, Bounds::for_length(bytes.len()), &mut views);
    if let Some(stored) = stored(bytes) {
        views(Seen::Text(&stored));
    }
    Form::of(bytes).text(bytes);
    if let Some(kind) = archive::kind(bytes) {
        archive::open(bytes, kind, archive::Bounds::for_largest(1 << 20), &mut Nobody);
    }
}

/// Beginnings of files that are opened.
const HEADS: [&[u8]; 14] = [
    b"",
    b"\x1F\x8B\x08\x00",
    b"BZh91AY&SY",
    b"\xFD7zXZ\0",
    b"\x28\xB5\x2F\xFD",
    b"PK\x03\x04",
    b"!<arch>\n",
    b"\xED\xAB\xEE\xDB",
    b"%PDF-1.4 obj /FlateDecode stream\n",
    b"SQLite format 3\0\x02\0\x01\x01\0\x40\x20\x20",
    b"\x55\x0D\x0D\x0A",
    b"\xCA\xFE\xBA\xBE\0\0\0\x34",
    b"070701",
    b"\xFF\xFE",
];

/// Texts full of what decoders look for.
fn suspicious() -> impl Strategy<Value = String> {
    let part = proptest::sample::select(
        &[
            "\\u00",
            "\\",
            "%4",
            "%",
            "&#",
            "&#x6",
            ";",
            "\"",
            "'",
            " + ",
            "\n",
            "\r\n",
            "=",
            "=3D",
            "aGVsbG8g",
            "d29ybGQh",
            "6768705f",
            "\\u{",
            "}",
            "é",
            "_",
            "-",
            ".",
            "\\\n",
            "H4sIAAAAAAAA",
            "<w:t>",
            "</w:t>",
            "<?xml",
            "quoted-printable",
            "\\x",
            "\\1",
        ][..],
    );
    proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_planted_text_is_seen_at_its_span_in_any_nesting(
        before in "[a-z ]{0,30}",
        inner in "[a-z]{0,9}",
        behind in "[a-z]{0,20}",
        layers in layers(),
    ) {
        let mut text = format!("{inner}:{PLANTED}:{behind}");
        let mut span = inner.len() + 1..inner.len() + 1 + PLANTED.len();
        for layer in &layers {
            // No program cuts a string within an escape, or quotes quotes with nothing.
            let whole = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=%_:-".contains(&byte);
            if matches!(layer, Layer::Plus) && !text.bytes().all(whole) {
                continue;
            }
            (text, span) = layer.wrap(&text, &span);
        }
        let start = before.len() + 7;
        let whole = format!("{before}\nkey = {text}\n{behind}\n");
        let span = span.start + start..span.end + start;
        let spans = seen(whole.as_bytes());
        prop_assert!(spans.contains(&span), "{layers:?}: expected {span:?}, seen {spans:?} in {whole}");
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(
        head in proptest::sample::select(&HEADS[..]),
        tail in proptest::collection::vec(any::<u8>(), 0..900),
    ) {
        all(&[head, &tail].concat());
    }

    #[test]
    fn no_text_makes_a_decoder_panic(text in suspicious()) {
        all(text.as_bytes());
    }
}

/// The long runner, where there is no cargo-fuzz:
/// `PROPTEST_CASES=1000000 cargo test --test it decode::random -- --ignored`.
#[test]
#[ignore = "runs for as long as PROPTEST_CASES says"]
fn no_bytes_make_a_decoder_panic_for_long() {
    let strategy = (
        proptest::sample::select(&HEADS[..]),
        proptest::collection::vec(any::<u8>(), 0..4000),
        suspicious(),
    );
    let mut runner = proptest::test_runner::TestRunner::default();
    let run = runner.run(&strategy, |(head, tail, text)| {
        all(&[head, &tail, text.as_bytes()].concat());
        all(text.as_bytes());
        Ok(())
    });
    run.unwrap();
}
