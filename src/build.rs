//! Embeds every rule file; runs again when the folder changes, so that no stale rule is ever built in.
//!
//! What the scan needs of each rule is worked out here and written as constants of `rule::built`: a start reads nothing,
//! where reading the files and their patterns costs fifty milliseconds, and reading them as JSON ten. The text of each
//! file goes in as well; it is read when its service is first asked about.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result, anyhow, bail};
use toml::{Table, Value};

#[expect(dead_code, reason = "it is a module of the library as well")]
#[path = "rule/keywords.rs"]
mod keywords;
#[expect(unreachable_pub, reason = "it is a module of the library as well")]
#[path = "rule/lead.rs"]
mod lead;

#[expect(unreachable_pub, dead_code, reason = "it is a module of the library as well")]
#[path = "rule/steps.rs"]
mod steps;

/// Fields of a rule that are read from the text of its file when they are first needed.
const LATER: [&str; 10] = [
    "title", "costly", "accepts", "rejects", "verify", "owners", "contain", "revoke", "weight", "use",
];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script by the environment alone"
)]
fn main() -> Result<()> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("rules");
    let mut code = String::from(
        "/// Name, rules for the scan, and text of every rule file that was built in.\n\
         const BUNDLED: &[(&str, &[Built], &str)] = &[\n",
    );
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=src/rule/keywords.rs");
    println!("cargo:rerun-if-changed=src/rule/lead.rs");
    println!("cargo:rerun-if-changed=src/rule/steps.rs");
    for file in files(&folder)? {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file.file_stem().and_then(|stem| stem.to_str());
        let text = fs::read_to_string(&file)?;
        let rules = for_the_scan(&text).with_context(|| file.display().to_string())?;
        writeln!(
            code,
            "    ({:?}, &[{rules}], include_str!({:?})),",
            name.unwrap_or_default(),
            file.display().to_string()
        )?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("bundled.rs"), code)?;
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    Ok(files)
}

/// The rules of a file as a list of `Built { … }`.
fn for_the_scan(text: &str) -> Result<String> {
    let mut file: Table = text.parse()?;
    let mut code = String::new();
    if let Some(Value::Array(rules)) = file.remove("rule") {
        for rule in rules {
            code.push_str(&constant(rule.try_into()?)?);
        }
    }
    Ok(code)
}

/// One rule, and what its pattern promises. The same choices as `rule::compile` makes for a file that is loaded; a test
/// compares the two.
fn constant(mut rule: Table) -> Result<String> {
    let id = text(&mut rule, "id")?;
    let within = |error: anyhow::Error| error.context(format!("rule {id:?}"));
    let pattern = text(&mut rule, "pattern").map_err(within)?;
    let given = words(&rule);
    let shape = keywords::Shape::of(&pattern, given).map_err(within)?;
    if !shape.groups.iter().any(|group| group == "secret") {
        return Err(within(anyhow!("the pattern has no group (?<secret>…)")));
    }
    let context = match rule.remove("context") {
        Some(context) => Some(Table::try_from(context)?),
        None => None,
    };
    let list = |table: &mut Table, field: &str| -> Result<Vec<String>> {
        match table.remove(field) {
            Some(words) => Ok(words.try_into()?),
            None => Ok(Vec::new()),
        }
    };
    let lower = |words: Vec<String>| words.iter().map(|word| word.to_lowercase()).collect::<Vec<_>>();
    rule.remove("keywords");
    let mut code = format!(
        "Built {{ id: {id:?}, pattern: {pattern:?}, longest: {:?}, ",
        shape.longest
    );
    write!(code, "prefix: {:?}, ", shape.secret_prefix)?;
    if let Some(mut context) = context {
        let near = lower(list(&mut context, "words")?);
        let unless = lower(list(&mut context, "unless")?);
        let within = context.remove("within").unwrap_or(Value::Integer(0));
        write!(
            code,
            "context: Some(BuiltContext {{ words: &{near:?}, within: {within}, unless: &{unless:?} }}), "
        )?;
    }
    write!(
        code,
        "keywords: &{:?}, lead: Lead::{:?}, ",
        shape.keywords, shape.lead
    )?;
    if shape.lead != lead::Lead::Missing {
        code.push_str(&behind(&pattern, &shape.keywords)?);
    }
    write!(
        code,
        "unless_value: &{:?}, ",
        lower(list(&mut rule, "unless_value")?)
    )?;
    for (field, value) in rule.iter().filter(|(field, _)| !LATER.contains(&field.as_str())) {
        let field = field_of(field, value).with_context(|| format!("rule {id:?}"))?;
        code.push_str(&field);
    }
    code.push_str("..Built::EMPTY },\n");
    Ok(code)
}

/// What may stand behind the first keyword of a match, and which bytes that begins with.
fn behind(pattern: &str, keywords: &[String]) -> Result<String> {
    let mut steps = steps::Steps::of(&keywords::parse(pattern)?);
    let Some(behind) = steps.behind(&lead::Words::new(keywords)) else {
        return Ok("behind: Behind::Untold, ".to_owned());
    };
    let (next, rests) = (steps.firsts(&behind).0, steps.rests());
    Ok(format!(
        "next: Bytes({next:?}), behind: Behind::At {{ rests: &{rests:?}, steps: &{behind:?} }}, "
    ))
}

/// A field that is written as it is, or nearly so.
fn field_of(field: &str, value: &Value) -> Result<String> {
    Ok(match (field, value) {
        ("checksum", value) => format!("checksum: Some({value}), "),
        ("entropy", Value::Integer(bits)) => format!("entropy: Some({bits}.0), "),
        ("entropy", value) => format!("entropy: Some({value}), "),
        ("looks", Value::String(word)) => format!("looks: Some(Looks::{}), ", variant(word)),
        ("confidence", Value::String(word)) => format!("confidence: Confidence::{}, ", variant(word)),
        ("severity", Value::String(word)) => format!("severity: Severity::{}, ", variant(word)),
        ("near", value) => {
            let near: std::collections::BTreeMap<String, Vec<String>> = value.clone().try_into()?;
            let parts: Vec<String> = near
                .iter()
                .map(|(name, rules)| format!("({name:?}, &{rules:?})"))
                .collect();
            format!("near: &[{}], ", parts.join(", "))
        }
        ("published" | "needs" | "facts", value) => {
            let words: Vec<String> = value.clone().try_into()?;
            format!("{field}: &{words:?}, ")
        }
        ("digits" | "base64" | "yields" | "public", value) => format!("{field}: {value}, "),
        ("decode", _) => "decode: true, ".to_owned(),
        _ => bail!("there is no field {field:?}"),
    })
}

fn text(rule: &mut Table, field: &str) -> Result<String> {
    match rule.remove(field) {
        Some(Value::String(text)) => Ok(text),
        _ => bail!("a rule has no {field}, or one that is no text"),
    }
}

/// `high` as the variant is written: `High`.
fn variant(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + rest
}

/// The words that call a rule, where its file names them: else they are read off its pattern.
fn words(rule: &Table) -> Vec<String> {
    let list = |value: Option<&Value>| match value {
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    };
    let given = list(rule.get("keywords"));
    if given.is_empty() {
        return list(rule.get("context").and_then(|context| context.get("words")));
    }
    given
}
