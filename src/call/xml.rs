//! A reply in XML read as JSON would be, so that the same pointers lead into both. Foreign text: bounded, without DTD.
//!
//! An element is an object of its children by name; several of one name are a list, and `member` and `item`, which AWS
//! and others call the entries of lists, always are. One without children is its text.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// Most elements and texts that are read.
const MOST_NODES: u32 = 100_000;
/// Deepest nesting that is read; what lies deeper is left out.
const DEEPEST: usize = 32;

/// The document, with its root element's name; nothing, if it is no XML.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MOST_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(std::str::from_utf8(body).ok()?, options).ok()?;
    let root = document.root_element();
    let mut whole = Map::new();
    whole.insert(root.tag_name().name().to_owned(), value(root, 0));
    Some(Value::Object(whole))
}

fn value(node: Node<'_, '_>, depth: usize) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    if depth == DEEPEST {
        return Value::Null;
    }
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let value = value(child, depth + 1);
        match fields.get_mut(name) {
            Some(Value::Array(list)) => list.push(value),
            Some(single) => *single = Value::Array(vec![single.take(), value]),
            None if matches!(name, "member" | "item") => {
                drop(fields.insert(name.to_owned(), Value::Array(vec![value])));
            }
            None => drop(fields.insert(name.to_owned(), value)),
        }
    }
    if !fields.is_empty() {
        return Value::Object(fields);
    }
    match node.text().map(str::trim) {
        Some(text) if !text.is_empty() => Value::String(text.to_owned()),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;

    #[test]
    fn one_pointer_leads_to_one_entry_of_a_list_and_to_several() {
        let xml = |inside: &str| {
            let text =
                format!("<?xml version='1.0'?><R xmlns='urn:x'><L>{inside}</L><N/><T> a &amp; b </T></R>");
            read(text.as_bytes()).expect("it is XML")
        };
        let one = xml("<member><Id>1</Id></member>");
        assert_eq!(
            one,
            json!({"R": {"L": {"member": [{"Id": "1"}]}, "N": null, "T": "a & b"}})
        );
        let two = xml("<x>1</x><x>2</x>");
        assert_eq!(two.pointer("/R/L/x/1"), Some(&json!("2")));
    }

    #[test]
    fn what_is_built_to_hurt_is_no_document() {
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>"#;
        assert_eq!(read(bomb.as_bytes()), None);
        let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
        drop(read(deep.as_bytes()));
        assert_eq!(read(b"not <xml"), None);
        assert_eq!(read(b"\xff<a/>"), None);
    }
}
