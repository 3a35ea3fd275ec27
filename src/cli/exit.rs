//! The exit codes that scripts trust, and the errors that choose them.

use std::process::ExitCode;

/// How the program ends; design.md section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing found, or done.
    Clean,
    /// Leaks found.
    Leaks,
    /// Wrong use or configuration.
    Usage,
    /// The scan, or what was asked for, is not complete.
    Incomplete,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Leaks => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
        })
    }
}

/// An error with the next step for the reader.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Hinted {
    message: String,
    hint: String,
    exit: Exit,
}

impl Hinted {
    /// Wrong use: exit code 2.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self {
            message: message.into(),
            hint: hint.into(),
            exit: Exit::Usage,
        }
        .into()
    }

    /// What was asked for could not be done whole: exit code 3.
    pub fn incomplete(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self {
            message: message.into(),
            hint: hint.into(),
            exit: Exit::Incomplete,
        }
        .into()
    }
}

/// Writes the error as `error: …` and, where there is one, `hint: …`; gives the exit code that its kind has.
pub(super) fn explain(error: &anyhow::Error, to: &mut dyn std::io::Write) -> Exit {
    let _ = writeln!(to, "error: {error:#}");
    match error.chain().find_map(|cause| cause.downcast_ref::<Hinted>()) {
        Some(hinted) => {
            let _ = writeln!(to, "hint: {}", hinted.hint);
            hinted.exit
        }
        None => Exit::Usage,
    }
}

/// Whether somebody closed the pipe that we were writing to (`unleak scan . | head`).
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind)
            .or_else(|| {
                cause
                    .downcast_ref::<serde_json::Error>()
                    .and_then(serde_json::Error::io_error_kind)
            })
    };
    error
        .chain()
        .any(|cause| io(cause) == Some(std::io::ErrorKind::BrokenPipe))
}
