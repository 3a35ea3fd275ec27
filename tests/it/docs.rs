//! Every command in the documentation is run: the blocks marked `console`, in a repository of their page's own.
//!
//! A line that begins with `$ ` is a command; `# exit N` behind it is how it ends. The lines below are what it says, each a
//! row of words that must follow each other somewhere in one line of the output; `…` stands for anything. A block with a
//! name behind its language (```toml acme.toml) is a file that is there from then on.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;
use unleak::cli::Cli;

use crate::support::tool::Tool;

struct Step {
    command: String,
    /// A file that is written instead.
    file: Option<String>,
    code: i32,
    says: Vec<String>,
    line: usize,
}

#[test]
fn every_command_in_the_documentation_does_what_it_says() {
    let mut run = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let steps = steps(&text);
        run += steps.len();
        if !steps.is_empty() {
            follow(&page, &steps);
        }
    }
    assert!(run > 25, "only {run} commands were found");
}

#[test]
fn every_command_that_the_documentation_names_is_one_that_unleak_understands() {
    let mut seen = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for said in named(&text) {
            let words = words(&said);
            let parsed = Cli::try_parse_from(&words);
            let fine = parsed.as_ref().err().is_none_or(|error| {
                // `unleak revoke` and the like are named without what they are given; help is an answer.
                !error.use_stderr()
                    || (words.len() < 4 && error.kind() == ErrorKind::MissingRequiredArgument)
                    || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    || (words.iter().any(|word| stands_for(word))
                        && matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation))
            });
            assert!(fine, "{}: {said}\n{}", page.display(), parsed.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 80, "only {seen} commands were found");
}

/// Whether a word stands for something that the reader has: FILE.
fn stands_for(word: &str) -> bool {
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The commands between backquotes and in blocks of code.
fn named(text: &str) -> Vec<String> {
    let (mut all, mut in_block) = (Vec::new(), false);
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        let code = line.trim_start().trim_start_matches("$ ");
        if (in_block || line.starts_with("    ")) && code.starts_with("unleak ") {
            all.push(code.to_owned());
        }
        let inside = line.split('`').skip(1).step_by(2);
        all.extend(
            inside
                .filter_map(|code| code.find("unleak ").map(|at| code[at..].to_owned()))
                .filter(|code| !code.contains('…')),
        );
    }
    all
}

/// What a shell makes of a line: words, up to a pipe, a redirection, a comment or the next command.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            ('|' | '<' | '>' | '#' | ';' | '&' | '\\', None) => break,
            // `[--dead]` is a choice; a full stop ends a sentence.
            ('[' | ']', None) => {}
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_link_of_the_documentation_leads_to_a_file() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") || target.starts_with('#') {
                continue;
            }
            let file = target.split('#').next().unwrap();
            assert!(
                page.parent().unwrap().join(file).exists(),
                "{}: {target}",
                page.display()
            );
        }
    }
}

#[test]
fn every_command_is_in_the_readme_or_in_a_page() {
    let all: String = pages()
        .iter()
        .map(|page| std::fs::read_to_string(page).unwrap())
        .collect();
    let help = Tool::new().run(["--help"]).out;
    let (_, commands) = help.split_once("Commands:").unwrap();
    let (commands, _) = commands
        .split_once("Options:")
        .or_else(|| commands.split_once("options:"))
        .unwrap();
    let names = commands
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|name| !name.is_empty() && *name != "help") {
        assert!(
            all.contains(&format!("unleak {name}")),
            "nothing tells of `unleak {name}`"
        );
    }
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some((_, name)) = line.strip_prefix("```").and_then(|head| head.split_once(' ')) {
            let body: String = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .flat_map(|line| [line, "\n"])
                .collect();
            steps.push(Step {
                command: name.to_owned(),
                file: Some(body),
                code: 0,
                says: Vec::new(),
                line: at + 1,
            });
            continue;
        }
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside || line.trim().is_empty() => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    let (command, code) = command.split_once("# exit ").unwrap_or((command, "0"));
                    steps.push(Step {
                        command: command.trim().to_owned(),
                        file: None,
                        code: code.trim().parse().unwrap(),
                        says: Vec::new(),
                        line: at + 1,
                    });
                }
                (None, Some(step)) => step.says.push(line.to_owned()),
                (None, None) => panic!("line {}: output before a command", at + 1),
            },
        }
    }
    steps
}

fn follow(page: &Path, steps: &[Step]) {
    let tool = Tool::repository();
    tool.git(&["config", "--global", "user.name", "Ada"]);
    tool.git(&["config", "--global", "user.email", "ada@example.com"]);
    tool.git(&["config", "--global", "init.defaultBranch", "main"]);
    tool.write("README.md", "An application\n");
    tool.commit("first", "2024-01-01");
    let unleak = Path::new(env!("CARGO_BIN_EXE_unleak")).parent().unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "programs are found by the tests' own PATH"
    )]
    let path = format!("{}:{}", unleak.display(), std::env::var("PATH").unwrap());
    for step in steps {
        if let Some(text) = &step.file {
            tool.write(&step.command, text);
            continue;
        }
        let mut command = tool.command("bash");
        let output = command
            .env("PATH", &path)
            .args(["-c", &step.command])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let at = format!("{}:{}: {}", page.display(), step.line, step.command);
        assert_eq!(output.status.code(), Some(step.code), "{at}\n{said}");
        let mut lines = said.lines();
        for wanted in &step.says {
            assert!(
                lines.any(|line| holds(line, wanted)),
                "{at}\ndoes not say {wanted:?} in\n{said}"
            );
        }
    }
}

/// Whether the line has these words one behind the other.
fn holds(line: &str, wanted: &str) -> bool {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = wanted.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = line.as_str();
    wanted.split('…').all(|part| match rest.find(part.trim_start()) {
        Some(found) => {
            rest = &rest[found + part.trim_start().len()..];
            true
        }
        None => false,
    })
}
