//! husky: plain shell files in `.husky`, in which our lines stand between two marks.

use std::path::Path;

use anyhow::Result;

use super::{Done, make_executable, text_of, unedit, write as write_file};

const BEGIN: &str = "# unleak init: begin";
const END: &str = "# unleak init: end";

/// The files that may hold our lines.
pub(super) const FILES: [&str; 2] = [".husky/pre-commit", ".husky/pre-push"];

const HOOKS: [(&str, &str); 3] = [
    ("pre-commit", "unleak hook pre-commit || exit $?\n"),
    ("pre-merge-commit", "unleak hook pre-commit || exit $?\n"),
    // Whatever else the file runs gets the lines, too.
    (
        "pre-push",
        "unleak_lines=$(cat)\nprintf '%s\\n' \"$unleak_lines\" | unleak hook pre-push \"$@\" || exit $?\n\
         exec <<UNLEAK\n$unleak_lines\nUNLEAK\n",
    ),
];

/// Writes our lines into husky's files.
pub(super) fn write(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    for (hook, lines) in HOOKS {
        let file = root.join(".husky").join(hook);
        let text = text_of(&file)?;
        if text.as_ref().is_some_and(|text| text.contains(BEGIN)) {
            done.push(Done::new("kept", file.display().to_string()));
            continue;
        }
        write_file(&file, &with(text.as_deref().unwrap_or_default(), lines))?;
        if text.is_none() {
            make_executable(&file)?;
        }
        done.push(Done::new("wrote", file.display().to_string()));
    }
    Ok(())
}

/// Takes them out again.
pub(super) fn remove(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    for (hook, _) in HOOKS {
        unedit(&root.join(".husky").join(hook), without, done)?;
    }
    Ok(())
}

/// Ours come first, behind what starts the shell and husky: what follows may end the script.
fn with(text: &str, lines: &str) -> String {
    let starts = |line: &&str| line.starts_with("#!") || line.contains("husky.sh");
    let head: usize = text.split_inclusive('\n').take_while(starts).map(str::len).sum();
    let (head, rest) = text.split_at(head);
    format!("{head}{BEGIN}\n{lines}{END}\n{rest}")
}

fn without(text: &str) -> String {
    let mut inside = false;
    let mut rest = String::new();
    for line in text.split_inclusive('\n') {
        match line.trim_end() {
            BEGIN => inside = true,
            END => inside = false,
            _ if !inside => rest.push_str(line),
            _ => {}
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::{HOOKS, with, without};

    #[test]
    fn what_is_put_in_comes_out_again_and_the_rest_stays_as_it_was() {
        for text in [
            "",
            "npm test\n",
            "#!/bin/sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n\nnpm test",
            "#!/bin/sh\n",
        ] {
            for (_, lines) in HOOKS {
                assert_eq!(without(&with(text, lines)), text);
            }
        }
    }
}
