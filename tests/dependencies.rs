//! What the program is built from: it must build with Rust and a C compiler alone, and have one TLS at most.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::process::Command;

/// Names and features of every crate that is built into the program or builds it, for every target.
fn tree() -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}|{f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let crates: Vec<(String, String)> = lines
        .lines()
        .filter_map(|line| {
            let (package, features) = line.split_once('|')?;
            Some((package.split(' ').next()?.to_owned(), features.trim_end_matches(" (*)").to_owned()))
        })
        .collect();
    assert!(crates.iter().any(|(name, _)| name == "rusqlite"), "`cargo tree` prints something else now:\n{lines}");
    crates
}

#[test]
fn nothing_needs_openssl_or_cmake() {
    let names: BTreeSet<String> = tree().into_iter().map(|(name, _)| name).collect();
    // `aws-lc-sys` builds with cmake on most targets; `ring` needs a C compiler only.
    for unwanted in ["openssl", "openssl-sys", "native-tls", "cmake", "aws-lc-sys", "aws-lc-rs", "libz-ng-sys"] {
        assert!(!names.contains(unwanted), "`cargo tree --invert {unwanted}` says who brings it in");
    }
}

#[test]
fn there_is_one_tls_provider_at_most() {
    let names: BTreeSet<String> = tree().into_iter().map(|(name, _)| name).collect();
    let providers =
        ["ring", "aws-lc-rs", "openssl", "native-tls", "boring", "rustls-rustcrypto", "schannel", "mbedtls"];
    let found: Vec<&str> = providers.into_iter().filter(|provider| names.contains(*provider)).collect();
    assert!(found.len() <= 1, "{found:?}");
}

#[test]
fn sqlite_comes_with_the_program() {
    let features: Vec<String> =
        tree().into_iter().filter(|(name, _)| name == "libsqlite3-sys").map(|(_, features)| features).collect();
    assert!(!features.is_empty());
    for features in features {
        assert!(features.split(',').any(|feature| feature == "bundled"), "{features}");
    }
}
