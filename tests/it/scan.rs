//! `unleak scan` on files, folders, standard input: what is found, what is said, and how it ends.

use crate::support::tool::{Tool, token};

#[test]
fn a_token_in_a_file_is_found_with_its_place_and_without_itself() {
    let tool = Tool::new();
    tool.write("sub dir/app.env", format!("A=1\nZoë=\"{}\"\n", token()));
    let ran = tool.run(["scan", ".", "--format", "jsonl"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let found = ran.findings();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["rule"], "github/personal-access-token");
    let at = &found[0]["location"];
    assert_eq!(at["path"], "sub dir/app.env");
    assert_eq!((at["line"].as_u64(), at["column"].as_u64()), (Some(2), Some(6)));
    assert_eq!(at["end_column"], 46);
    assert!(!ran.out.contains(&token()));
}

#[test]
fn nothing_found_ends_with_0_and_show_secrets_shows_what_was() {
    let tool = Tool::new();
    tool.write("a.txt", "nothing to see");
    assert_eq!(tool.run(["scan"]).code, 0);
    tool.write("b.txt", token());
    let ran = tool.run(["scan", "--format", "json", "--show-secrets"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains(&token()));
    assert_eq!(tool.run(["scan", "--fail-on", "never"]).code, 0);
}

#[test]
fn standard_input_is_scanned_and_an_empty_one_is_no_clean_scan() {
    let tool = Tool::new();
    let ran = tool.run_with_input(
        &["scan", "-", "--format", "jsonl"],
        format!("x {}", token()).as_bytes(),
    );
    assert_eq!(ran.code, 1);
    assert_eq!(ran.findings()[0]["location"]["origin"], "stdin");
    let ran = tool.run_with_input(&["scan", "-"], b"");
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("nothing to scan"), "{}", ran.out);
}

#[test]
fn hidden_files_are_scanned_and_ignored_ones_only_on_request() {
    let tool = Tool::repository();
    tool.write(".hidden/.env", token());
    tool.write(".gitignore", "ignored.env\n");
    tool.write("ignored.env", token());
    let paths = |args: &[&str]| -> Vec<String> {
        let found = tool.run(args).findings();
        found
            .iter()
            .map(|f| f["location"]["path"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        paths(&["scan", ".", "--no-history", "--format", "jsonl"]),
        [".hidden/.env"]
    );
    assert_eq!(
        paths(&["scan", ".", "--no-history", "--no-ignore", "--format", "jsonl"]),
        [".hidden/.env", "ignored.env"]
    );
}

#[test]
fn a_missing_path_and_an_empty_folder_end_with_3_and_say_so() {
    let tool = Tool::new();
    let ran = tool.run(["scan", "not-there"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.out.contains("not-there") && ran.out.contains("does not exist"),
        "{}",
        ran.out
    );
    assert_eq!(tool.run(["scan", "."]).code, 3);
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_ends_with_3_even_where_a_leak_was_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let tool = Tool::new();
    tool.write("found.env", token());
    // A dangling link given as a target cannot be read by anybody, root included.
    std::os::unix::fs::symlink("nowhere", tool.path().join("dangling")).unwrap();
    let ran = tool.run(["scan", "found.env", "dangling", "--format", "jsonl"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.findings().len(), 1);
    assert!(ran.out.contains("dangling"));
    let locked = tool.write("locked.env", "x");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&locked).is_err() {
        let ran = tool.run(["scan", "locked.env"]);
        assert_eq!(ran.code, 3);
        assert!(ran.out.contains("permission denied"), "{}", ran.out);
    }
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf8_is_scanned_and_shown_escaped() {
    use std::os::unix::ffi::OsStrExt as _;
    let tool = Tool::new();
    let name = std::ffi::OsStr::from_bytes(b"bad\xffname\n.env");
    std::fs::write(tool.path().join(name), token()).unwrap();
    let ran = tool.run(["scan", ".", "--format", "jsonl"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.findings()[0]["location"]["path"], "bad\\xffname\\x0a.env");
    let sarif = tool.run(["scan", ".", "--format", "sarif"]);
    assert!(sarif.out.contains("bad%FFname%0A.env"), "{}", sarif.out);
}

#[test]
fn utf16_text_is_read_and_binary_files_are_counted() {
    let tool = Tool::new();
    let wide: Vec<u8> = std::iter::once(0xFEFF_u16)
        .chain(token().encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    tool.write("wide.ps1", wide);
    tool.write("blob.bin", [b"\0\0".as_slice(), token().as_bytes()].concat());
    let ran = tool.run(["scan", ".", "--format", "jsonl"]);
    assert_eq!(ran.findings().len(), 1);
    assert!(ran.out.contains("\"binary\":1"), "{}", ran.out);
}

#[test]
fn a_file_over_the_limit_makes_the_scan_incomplete() {
    let tool = Tool::new();
    tool.write("big.txt", vec![b'a'; (1 << 20) + 1]);
    let ran = tool.run(["scan", ".", "--max-size", "1"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("--max-size"), "{}", ran.out);
    assert_eq!(tool.run(["scan", ".", "--max-size", "2"]).code, 0);
}

#[test]
fn inline_marks_and_the_baseline_suppress_and_are_reported() {
    let tool = Tool::new();
    tool.write(
        "a.env",
        format!(
            "T={} # unleak:ignore github/personal-access-token test data\n",
            token()
        ),
    );
    let ran = tool.run(["scan", ".", "--format", "jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.findings()[0]["suppression"].to_string().contains("test data"));

    tool.write("a.env", format!("T={}\n", token()));
    assert_eq!(tool.run(["scan", ".", "--write-baseline", "known.txt"]).code, 1);
    tool.write("a.env", format!("moved\nfurther\ndown T={}\n", token()));
    assert_eq!(tool.run(["scan", ".", "--baseline", "known.txt"]).code, 0);
    let baseline = std::fs::read_to_string(tool.path().join("known.txt")).unwrap();
    assert!(!baseline.contains(&token()));
    // Another machine, with another key of its own, reads the same baseline.
    let other = Tool::new();
    other.write("b.env", token());
    other.write("known.txt", &baseline);
    assert_eq!(other.run(["scan", ".", "--baseline", "known.txt"]).code, 0);
}

#[test]
fn the_same_scan_twice_reads_the_same() {
    let tool = Tool::new();
    for i in 0..50 {
        tool.write(&format!("d{i}/x.env"), token());
    }
    let first = tool.run(["scan", "."]);
    assert_eq!(first.out, tool.run(["scan", "."]).out);
}

#[test]
fn wrong_use_ends_with_2_and_names_the_next_step() {
    let tool = Tool::new();
    tool.write("a.txt", "x");
    for args in [
        ["scan", ".", "--only", "nosuchrule"].as_slice(),
        &["scan", ".", "--nosuchflag"],
        &["scan", ".", "--staged", "--range", "a..b"],
        &["scan", ".", "--config", "not-there.toml"],
        &["scan", ".", "--range", "noDots"],
    ] {
        let ran = tool.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains("error:"), "{args:?}: {}", ran.err);
    }
    assert!(
        tool.run(["scan", "--only", "nosuchrule"])
            .err
            .contains("unleak rules list")
    );
}

#[test]
fn a_report_written_to_a_file_is_whole_and_standard_output_stays_empty() {
    let tool = Tool::new();
    tool.write("a.env", token());
    let ran = tool.run(["scan", ".", "--format", "sarif", "--output", "out.sarif"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let sarif: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(tool.path().join("out.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let ran = tool.run(["scan", ".", "--output", "no/such/folder/x"]);
    assert_eq!(ran.code, 2);
}

#[test]
fn paths_are_relative_to_where_the_user_is_and_several_targets_are_told_apart() {
    let tool = Tool::new();
    tool.write("one/a.env", token());
    tool.write("two/a.env", token());
    let paths = |args: &[&str]| -> Vec<String> {
        let found = tool
            .run([&["scan", "--format", "jsonl"], args].concat())
            .findings();
        found
            .iter()
            .map(|f| f["location"]["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let absolute = tool.path().join("two");
    assert_eq!(
        paths(&["one", absolute.to_str().unwrap()]),
        ["one/a.env", "two/a.env"]
    );
    assert_eq!(paths(&["./one/a.env"]), ["one/a.env"]);
    let elsewhere = Tool::new();
    elsewhere.write("a.env", token());
    assert_eq!(paths(&[elsewhere.path().to_str().unwrap()]), ["a.env"]);
}
