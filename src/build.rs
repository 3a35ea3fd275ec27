//! Embeds every rule file; runs again when the folder changes, so that no stale rule is ever built in.
//!
//! What the scan needs of each rule is worked out here and written as JSON: reading it costs a start two milliseconds,
//! where reading the files and their patterns costs fifty. The text of each file goes in as well; it is read when its
//! service is first asked about.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result};
use toml::{Table, Value};

#[path = "rule/keywords.rs"]
mod keywords;
#[expect(unreachable_pub, reason = "it is a module of the library as well")]
#[path = "rule/lead.rs"]
mod lead;

/// What of a rule is for after the scan.
const LATER: [&str; 7] = [
    "costly", "accepts", "rejects", "verify", "owners", "contain", "revoke",
];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script by the environment alone"
)]
fn main() -> Result<()> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("rules");
    let mut code = String::from(
        "/// Name, rules for the scan, and text of every rule file that was built in.\n\
         const BUNDLED: &[(&str, &str, &str)] = &[\n",
    );
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=src/rule/keywords.rs");
    println!("cargo:rerun-if-changed=src/rule/lead.rs");
    for file in files(&folder)? {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = file.file_stem().and_then(|stem| stem.to_str());
        let text = fs::read_to_string(&file)?;
        let rules = for_the_scan(&text).with_context(|| file.display().to_string())?;
        writeln!(
            code,
            "    ({:?}, {rules:?}, include_str!({:?})),",
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

/// A list of pairs as JSON: a rule without what is for later, and what its pattern promises.
fn for_the_scan(text: &str) -> Result<String> {
    let mut file: Table = text.parse()?;
    let rules = match file.remove("rule") {
        Some(Value::Array(rules)) => rules,
        _ => Vec::new(),
    };
    let mut pairs = Vec::new();
    for rule in rules {
        let mut rule: Table = rule.try_into()?;
        rule.retain(|key, _| !LATER.contains(&key));
        let pattern = rule.get("pattern").and_then(Value::as_str).unwrap_or_default();
        let shape =
            keywords::Shape::of(pattern, words(&rule)).with_context(|| format!("pattern {pattern}"))?;
        pairs.push((rule, shape));
    }
    Ok(serde_json::to_string(&pairs)?)
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
