//! `CODEOWNERS`: who owns a path of a repository.
//!
//! GitHub's rules: patterns like gitignore's, the last match wins, `!` and `[ ]` are not understood and such lines
//! are passed over, a match without owners clears what stood before. GitLab's sections are understood as far as
//! their owners go. The file is foreign: it is read bounded, never through a link, and matched without backtracking
//! that could explode.

use std::io::Read;
use std::path::Path;

/// Where it is looked for, in this order; the first that exists is the one.
const PLACES: [&str; 4] = [
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitlab/CODEOWNERS",
];

/// GitHub passes over larger ones, in bytes.
const LARGEST: u64 = 3 << 20;

/// Longest pattern and path that are matched, in bytes: no honest one is longer, and hostile ones cost time.
const LONGEST_PATTERN: usize = 512;
const LONGEST_PATH: usize = 4096;

/// A parsed file.
#[derive(Clone, Debug, Default)]
pub struct CodeOwners {
    /// Without sections there is one; each has its own last match.
    sections: Vec<Vec<Line>>,
}

#[derive(Clone, Debug)]
struct Line {
    pattern: Vec<Segment>,
    owners: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// `**`: any number of folders, none too.
    Deep,
    /// One folder or file name with `*` and `?`.
    Name(Vec<Symbol>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Star,
    One,
    Exact(char),
}

impl CodeOwners {
    /// Reads the repository's file; `None` where it has none. An error says why the one it has was passed over.
    pub fn read(root: &Path) -> Result<Option<Self>, String> {
        for place in PLACES {
            let path = root.join(place);
            let Ok(data) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            if !data.is_file() {
                return Err(format!("{place} is not a plain file and was not read"));
            }
            if data.len() > LARGEST {
                return Err(format!("{place} is larger than 3 MB, as GitHub it was not read"));
            }
            let mut bytes = Vec::new();
            return match std::fs::File::open(&path)
                .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
            {
                Ok(_) => Ok(Some(Self::parse(&String::from_utf8_lossy(&bytes)))),
                Err(error) => Err(format!("{place} cannot be read: {error}")),
            };
        }
        Ok(None)
    }

    /// Reads the text; a line that is not understood is passed over, as GitHub does.
    pub fn parse(text: &str) -> Self {
        let mut sections = vec![Vec::new()];
        let mut by_default: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(rest) = section_header(line) {
                by_default = owners(rest).unwrap_or_default();
                sections.push(Vec::new());
                continue;
            }
            let (pattern, rest) = split_pattern(line);
            let (Some(pattern), Some(mut owners)) = (segments(&pattern), owners(rest)) else {
                continue;
            };
            if owners.is_empty() {
                owners.clone_from(&by_default);
            }
            if let Some(section) = sections.last_mut() {
                section.push(Line { pattern, owners });
            }
        }
        Self { sections }
    }

    /// Owners of a path below the repository's root, `/` between folders: `@user`, `@organisation/team` or an e-mail.
    pub fn of(&self, path: &str) -> Vec<&str> {
        if path.len() > LONGEST_PATH {
            return Vec::new();
        }
        let names: Vec<Vec<char>> = path
            .split('/')
            .filter(|name| !name.is_empty())
            .map(|name| name.chars().collect())
            .collect();
        let mut found: Vec<&str> = Vec::new();
        for section in &self.sections {
            let last = section.iter().rev().find(|line| matches(&line.pattern, &names));
            for owner in last.into_iter().flat_map(|line| &line.owners) {
                if !found.contains(&owner.as_str()) {
                    found.push(owner);
                }
            }
        }
        found
    }
}

/// GitLab's `[Name]`, `^[Name]` or `[Name][2]`; what follows are the section's owners.
fn section_header(line: &str) -> Option<&str> {
    let (_, rest) = line.trim_start_matches('^').strip_prefix('[')?.rsplit_once(']')?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// The pattern ends at the first space that no backslash stands before.
fn split_pattern(line: &str) -> (String, &str) {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if c.is_whitespace() && !escaped {
            return (line[..at].to_owned(), &line[at..]);
        }
        escaped = c == '\\' && !escaped;
    }
    (line.to_owned(), "")
}

/// `None` where a word is no owner: GitHub then takes the whole line as broken.
fn owners(text: &str) -> Option<Vec<String>> {
    text.split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .map(|word| {
            let named = word.strip_prefix('@').is_some_and(|name| !name.is_empty());
            (named || super::address(word).is_some()).then(|| word.to_owned())
        })
        .collect()
}

/// `None` for what GitHub does not understand: `!`, `[`, `]`.
fn segments(pattern: &str) -> Option<Vec<Segment>> {
    if pattern.starts_with('!') || pattern.contains(['[', ']']) || pattern.len() > LONGEST_PATTERN {
        return None;
    }
    let folder = pattern.ends_with('/');
    let body = pattern.trim_end_matches('/');
    let anchored = body.contains('/');
    let mut segments = Vec::new();
    if !anchored {
        segments.push(Segment::Deep);
    }
    let parts: Vec<&str> = body.split('/').filter(|part| !part.is_empty()).collect();
    for part in &parts {
        segments.push(if *part == "**" {
            Segment::Deep
        } else {
            Segment::Name(symbols(part))
        });
    }
    let any = Segment::Name(vec![Symbol::Star]);
    match parts.last() {
        None if pattern == "/" => segments = vec![Segment::Deep, any],
        None => return None,
        // `docs/**` and `docs/` are everything below, not the folder itself.
        Some(&"**") => segments.push(any),
        _ if folder => segments.extend([Segment::Deep, any]),
        // `docs/*` is one level.
        Some(&"*") => {}
        Some(_) => segments.push(Segment::Deep),
    }
    Some(segments)
}

fn symbols(part: &str) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    let mut rest = part.chars();
    while let Some(c) = rest.next() {
        symbols.push(match c {
            '*' => Symbol::Star,
            '?' => Symbol::One,
            '\\' => Symbol::Exact(rest.next().unwrap_or('\\')),
            c => Symbol::Exact(c),
        });
    }
    symbols
}

fn matches(pattern: &[Segment], names: &[Vec<char>]) -> bool {
    wild(
        pattern,
        names,
        |segment| *segment == Segment::Deep,
        |segment, name| match segment {
            Segment::Deep => true,
            Segment::Name(symbols) => wild(
                symbols,
                name,
                |symbol| *symbol == Symbol::Star,
                |symbol, c| match symbol {
                    Symbol::Star | Symbol::One => true,
                    Symbol::Exact(exact) => exact == c,
                },
            ),
        },
    )
}

/// Matching with wildcards that only ever goes back to the last one, so that its cost is at most the product of the
/// lengths.
fn wild<P, T>(pattern: &[P], text: &[T], many: impl Fn(&P) -> bool, one: impl Fn(&P, &T) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p).is_some_and(&many) {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|symbol| one(symbol, &text[t])) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(many)
}

#[cfg(test)]
mod tests {
    use super::CodeOwners;

    fn of(text: &str, path: &str) -> String {
        CodeOwners::parse(text).of(path).join(" ")
    }

    #[test]
    fn the_last_match_wins_and_an_owner_less_one_clears() {
        let text = "*       @everyone\n*.js    @js # inline\n/apps/  @apps\n/apps/github\n";
        assert_eq!(of(text, "README.md"), "@everyone");
        assert_eq!(of(text, "src/deep/x.js"), "@js");
        assert_eq!(of(text, "apps/x.js"), "@apps");
        assert_eq!(of(text, "apps/github/x.js"), "");
        assert_eq!(of(text, "lib/apps/x.rs"), "@everyone", "a leading slash anchors");
    }

    #[test]
    fn folders_stars_and_depth_are_githubs() {
        assert_eq!(of("docs/* @d", "docs/a.md"), "@d");
        assert_eq!(of("docs/* @d", "docs/b/a.md"), "", "docs/* is one level");
        assert_eq!(of("docs/** @d", "docs/b/a.md"), "@d");
        assert_eq!(
            of("docs/ @d", "build/docs/b/a.md"),
            "@d",
            "a folder without a slash before it is at any depth"
        );
        assert_eq!(of("docs/ @d", "docs"), "", "a folder pattern is no file");
        assert_eq!(of("/docs @d", "docs/a/b"), "@d");
        assert_eq!(of("**/logs @l", "a/b/logs/x"), "@l");
        assert_eq!(of("a/**/b @x", "a/b"), "@x");
        assert_eq!(of("a/**/b @x", "a/c/d/b"), "@x");
        assert_eq!(of("/* @x", "a/b"), "");
        assert_eq!(of("te?t.rs @x", "a/test.rs"), "@x");
        assert_eq!(of(r"with\ space/ @x", "with space/f"), "@x");
    }

    #[test]
    fn a_line_that_github_does_not_understand_is_passed_over() {
        let text = "* @all\n!*.rs @no\n*.[ch] @no\n*.rs no-owner\n*.py dev@acme.example\n";
        assert_eq!(of(text, "x.rs"), "@all");
        assert_eq!(of(text, "x.c"), "@all");
        assert_eq!(of(text, "x.py"), "dev@acme.example");
    }

    #[test]
    fn each_section_of_gitlab_has_its_own_last_match() {
        let text = "* @all\n[Data][2] @data\n*.sql\n*.py @py\n^[Docs]\n*.md @docs\n*.sql @both\n";
        assert_eq!(of(text, "a.sql"), "@all @data @both");
        assert_eq!(of(text, "a.py"), "@all @py");
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_path() {
        let started = std::time::Instant::now();
        assert_eq!(of(&format!("{}b @x", "*a".repeat(255)), &"a".repeat(4_000)), "");
        assert_eq!(
            of(&format!("{}b @x", "**/a/".repeat(100)), &"a/".repeat(2_000)),
            ""
        );
        assert!(started.elapsed().as_secs() < 5);
    }
}
