//! Parses, logs, runs, and gives the exit code.

fn main() -> std::process::ExitCode {
    unleak::cli::main()
}
