//! action.yml itself: its steps run as they are written, its release fetched from a server that plays GitHub.

use sha2::{Digest as _, Sha256};

use super::{Checkout, Desk};
use crate::support::local::{Asked, Local, Said};
use crate::support::tool::{Tool, token};
use crate::support::tools::program;

#[test]
fn the_actions_steps_scan_a_pull_request_and_set_its_outputs() {
    let desk = Desk::new();
    desk.commit("a.env", &token());
    let event = desk.pull_request("eve/shop");
    let mut job = desk.job("pull_request", &event, Checkout::Shallow, "refs/pull/7/merge");
    let ran = job.action(&[("install", env!("CARGO_BIN_EXE_unleak"))]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let outputs = job.outputs();
    assert_eq!((outputs["count"].as_str(), outputs["live"].as_str()), ("1", "0"));
    let sarif = std::fs::read_to_string(&outputs["sarif"]).unwrap();
    assert!(sarif.contains("\"a.env\""), "{sarif}");
    let never = [("install", env!("CARGO_BIN_EXE_unleak")), ("fail-on", "never")];
    assert_eq!(job.action(&never).code, 0);
}

#[test]
fn what_an_input_holds_is_never_run() {
    let desk = Desk::new();
    let event = serde_json::json!({ "repository": { "full_name": "acme/shop" } });
    let mut job = desk.job("schedule", &event, Checkout::Whole, "refs/heads/main");
    let evil = "$(touch pwned); `touch pwned` \"; touch pwned; \" --show-secrets";
    for input in ["base", "baseline", "fail-on", "version", "install", "verify"] {
        let mut inputs = vec![("install", env!("CARGO_BIN_EXE_unleak")), (input, evil)];
        inputs.reverse();
        job.action(&inputs);
        assert!(!job.folder().join("pwned").exists(), "{input}");
    }
}

/// A release as GitHub serves it: an archive, and the list of checksums.
#[derive(Default)]
struct Release {
    archive: Vec<u8>,
    list: String,
}

fn serve(release: &mut Release, asked: &Asked) -> Said {
    if asked.path.ends_with("/SHA256SUMS") {
        return Said::text(200, "text/plain", &release.list);
    }
    if asked.path.contains("/acme/unleak/releases/download/v") && asked.path.ends_with(".tar.gz") {
        // The archive is text in these tests, so that the server needs no other kind of body.
        return Said::text(
            200,
            "application/gzip",
            &String::from_utf8(release.archive.clone()).unwrap(),
        );
    }
    Said::empty(404)
}

#[test]
fn a_release_with_another_checksum_is_not_run() {
    let desk = Desk::new();
    let event = serde_json::json!({ "repository": { "full_name": "acme/shop" } });
    let archive = b"not what was released".to_vec();
    let sum: String = Sha256::digest(&archive)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!(
        "unleak-{}-x86_64-unknown-linux-musl.tar.gz",
        env!("CARGO_PKG_VERSION")
    );
    let other = "0".repeat(64);
    for (list, why) in [
        (format!("{other}  {name}\n"), "has another checksum"),
        (format!("{sum}  something-else.tar.gz\n"), "no checksum is known"),
        (String::new(), "no checksum is known"),
    ] {
        let release = Release {
            archive: archive.clone(),
            list,
        };
        let github = Local::play(release, serve);
        let mut job = desk.job("schedule", &event, Checkout::Whole, "refs/heads/main");
        job.set("GITHUB_SERVER_URL", &github.base);
        let ran = job.action(&[]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(why), "{why} in {}{}", ran.out, ran.err);
    }
    let github = Local::play(Release::default(), |_, _| Said::empty(404));
    let mut job = desk.job("schedule", &event, Checkout::Whole, "refs/heads/main");
    job.set("GITHUB_SERVER_URL", &github.base);
    assert!(job.action(&[]).out.contains("could not be fetched"));
}

#[test]
fn the_linters_of_workflows_have_nothing_to_say() {
    let here = env!("CARGO_MANIFEST_DIR");
    let tool = Tool::new();
    let run = |program: &std::path::Path, args: &[&str]| {
        let mut command = tool.command(program.to_str().unwrap());
        let output = command.current_dir(here).args(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&said)
        );
    };
    let Some(zizmor) = program("hooks/bin/zizmor") else {
        return;
    };
    run(
        &zizmor,
        &["--offline", "--no-progress", "action.yml", ".github/workflows"],
    );
    let Some(schema) = program("hooks/bin/check-jsonschema") else {
        return;
    };
    run(
        &schema,
        &["--builtin-schema", "vendor.github-actions", "action.yml"],
    );
    for workflow in ["ci", "release"] {
        let workflow = format!(".github/workflows/{workflow}.yml");
        run(
            &schema,
            &["--builtin-schema", "vendor.github-workflows", &workflow],
        );
    }
    run(
        &schema,
        &[
            "--builtin-schema",
            "vendor.gitlab-ci",
            "packaging/gitlab/unleak.gitlab-ci.yml",
        ],
    );
}
