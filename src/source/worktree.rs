//! Files of a folder or a working tree: hidden ones too, `.git` not, what `.gitignore` names only on request.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};

use super::{Limits, Place, Tally, Visitor, nothing_before, offer};
use crate::finding::ScanPath;

/// Scans one file or everything below a folder. Paths in findings are relative to the folder, or the file as given.
pub fn visit(root: &Path, limits: &Limits, tally: &Tally, visit: &Visitor<'_>) {
    tally.begin("scanning files", 0);
    let data = match std::fs::metadata(root) {
        Ok(data) => data,
        Err(error) => return tally.skip(root.display().to_string(), plain(&error)),
    };
    if !data.is_dir() {
        let mut reader = Reader {
            root: None,
            limits,
            tally,
            visit,
            buffer: Vec::new(),
        };
        return reader.file(root);
    }
    let mut walk = WalkBuilder::new(root);
    walk.hidden(false)
        .ignore(false)
        .git_global(!limits.ignored_too)
        .git_exclude(!limits.ignored_too);
    walk.git_ignore(!limits.ignored_too)
        .parents(!limits.ignored_too)
        .threads(limits.jobs);
    walk.filter_entry(|entry| entry.file_name() != OsStr::new(".git") || entry.depth() == 0);
    walk.build_parallel().visit(&mut Builder {
        root,
        limits,
        tally,
        visit,
    });
}

struct Builder<'a> {
    root: &'a Path,
    limits: &'a Limits,
    tally: &'a Tally,
    visit: &'a Visitor<'a>,
}

impl<'a> ParallelVisitorBuilder<'a> for Builder<'a> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 'a> {
        Box::new(Reader {
            root: Some(self.root),
            limits: self.limits,
            tally: self.tally,
            visit: self.visit,
            buffer: Vec::new(),
        })
    }
}

/// One per thread; the buffer is reused, which is several times faster than mapping small files (facts/speed.md C).
struct Reader<'a> {
    root: Option<&'a Path>,
    limits: &'a Limits,
    tally: &'a Tally,
    visit: &'a Visitor<'a>,
    buffer: Vec<u8>,
}

impl ParallelVisitor for Reader<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if !self.tally.goes_on() {
            return WalkState::Quit;
        }
        match entry {
            Ok(entry) => {
                if let Some(error) = entry.error() {
                    self.tally
                        .skip(entry.path().display().to_string(), error.to_string());
                }
                if entry.file_type().is_some_and(|kind| kind.is_file()) {
                    self.file(entry.path());
                }
            }
            Err(error) => self.tally.skip(
                path_of(&error).unwrap_or_else(|| "a folder".to_owned()),
                plain_walk(&error),
            ),
        }
        WalkState::Continue
    }
}

impl Reader<'_> {
    fn file(&mut self, path: &Path) {
        self.tally.step();
        let shown = self
            .root
            .and_then(|root| path.strip_prefix(root).ok())
            .unwrap_or(path);
        let shown = ScanPath::new(shown.as_os_str().as_encoded_bytes());
        self.buffer.clear();
        // One byte more than the limit tells a file that ends there from one that goes on.
        let read = File::open(path).and_then(|file| {
            file.take(self.limits.largest.saturating_add(1))
                .read_to_end(&mut self.buffer)
        });
        if let Err(error) = read {
            return self.tally.skip(shown.to_string(), plain(&error));
        }
        if self.buffer.len() as u64 > self.limits.largest {
            let why = format!(
                "larger than {} bytes; raise --max-size or --max-memory",
                self.limits.largest
            );
            return self.tally.skip(shown.to_string(), why);
        }
        self.tally.add_file();
        offer(
            &self.buffer,
            Place::File(&shown),
            &nothing_before,
            self.tally,
            self.visit,
        );
    }
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

fn plain_walk(error: &ignore::Error) -> String {
    error.io_error().map_or_else(|| error.to_string(), plain)
}

fn path_of(error: &ignore::Error) -> Option<String> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.display().to_string()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}
