//! What is taken from the process's environment, once. Nothing else in the program reads it.

use std::path::PathBuf;

use super::traces::Variables;

/// What is taken from the environment, once.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Folder for the configuration file.
    pub(super) config: Option<PathBuf>,
    /// Folder for keys and stores.
    pub(super) state: Option<PathBuf>,
    /// `NO_COLOR` is set, or the terminal is `dumb`.
    pub plain: bool,
    /// Who runs the program, for the ledger.
    pub user: String,
    /// A pull request from a fork runs it, by what the CI system says: whoever wrote the commits chose what is scanned.
    pub fork: bool,
    /// What OpenTelemetry's variables say.
    pub(super) telemetry: Variables,
    /// The step at which the kill test wants the process to kill itself.
    #[cfg(feature = "kill-points")]
    pub kill_at: u64,
}

impl Environment {
    /// Reads the process's environment.
    pub fn of_process() -> Self {
        let folder = |xdg: &str, below_home: &str| {
            let home = || {
                path("HOME")
                    .or_else(|| path("USERPROFILE"))
                    .map(|home| home.join(below_home))
            };
            path(xdg)
                .filter(|path| path.is_absolute())
                .or_else(home)
                .map(|path| path.join("unleak"))
        };
        Self {
            config: folder("XDG_CONFIG_HOME", ".config"),
            state: path("UNLEAK_STATE").or_else(|| folder("XDG_STATE_HOME", ".local/state")),
            plain: variable("NO_COLOR").is_some_and(|value| !value.is_empty())
                || variable("TERM").is_some_and(|term| term == "dumb"),
            user: variable("USER")
                .or_else(|| variable("USERNAME"))
                .unwrap_or_else(|| "operator".to_owned()),
            fork: super::runner::is_fork(),
            telemetry: Variables::of(variables()),
            #[cfg(feature = "kill-points")]
            kill_at: variable("UNLEAK_KILL_AT")
                .and_then(|step| step.parse().ok())
                .unwrap_or_default(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    // Names and values that are no text are none that we ask for.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn path(name: &str) -> Option<PathBuf> {
    variable(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
