//! A private key and its certificate, made anew for each run by the machine's openssl.

use std::process::Command;
use std::sync::LazyLock;

static MADE: LazyLock<(String, String)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (
        folder.path().join("key.pem"),
        folder.path().join("certificate.pem"),
    );
    let status = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2", "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "openssl makes a key");
    let read = |path| std::fs::read_to_string(path).unwrap();
    (read(&key), read(&certificate))
});

/// The private key.
pub(super) fn pem() -> &'static str {
    &MADE.0
}

/// The certificate, as a JSON string holds it.
pub(super) fn certificate() -> String {
    MADE.1.replace('\n', "\\n")
}
