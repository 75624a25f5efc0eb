//! What the README tells a newcomer to type works when it is typed, and its exit codes are those of the program.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use payjournal::exit::Exit;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The shell blocks of the README, in order: all that a reader pastes.
fn shell_blocks(readme: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in readme.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (Some(_), "```") => blocks.extend(block.take()),
            (Some(block), line) => writeln!(block, "{line}").unwrap(),
            (None, _) => {}
        }
    }
    assert!(block.is_none(), "a block of the README does not end");
    blocks
}

/// Runs a block as it stands, in `folder`, with the built program on the PATH and nothing else of ours around it.
fn paste(block: &str, folder: &Path, bin: &Path) -> Output {
    Command::new("sh")
        .args(["-e", "-c", block])
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
        .output()
        .unwrap()
}

#[test]
fn the_quickstart_works_line_by_line_in_an_empty_folder() {
    let place = tempfile::tempdir().unwrap();
    let (folder, bin) = (place.path().join("shop"), place.path().join("bin"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_payjournal"), bin.join("payjournal")).unwrap();
    let blocks = shell_blocks(&readme());
    assert!(blocks.len() >= 6, "the README has lost its quickstart");
    let mut said = String::new();
    for block in &blocks {
        let output = paste(block, &folder, &bin);
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\nended with {}\n{complaint}", output.status);
    }
    // What the texts around the blocks promise.
    assert!(said.contains("exit code 5"), "{said}");
    let told: Vec<String> = said
        .lines()
        .map(|line| line.split(['|', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
        .collect();
    for line in [
        "capture 49.90 EUR confirmed",
        "capture 80.00 EUR confirmed",
        "refund 10.00 EUR confirmed",
        "capture 30.00 EUR confirmed",
    ] {
        assert!(told.iter().any(|told| told.contains(line)), "`{line}` in\n{said}");
    }
    assert!(said.contains("adds up"), "the payout does not: {said}");
    let books = std::fs::read_to_string(folder.join("journals.hledger")).unwrap();
    for amount in ["49.90 EUR", "80.00 EUR", "-10.00 EUR"] {
        assert!(books.contains(amount), "{amount} in\n{books}");
    }
    // Asked twice, captured once: by the record of the sandbox itself.
    let record = paste("payjournal sandbox record --json", &folder, &bin);
    let record: serde_json::Value = serde_json::from_slice(&record.stdout).unwrap();
    let late =
        record["transactions"].as_array().unwrap().iter().find(|found| found["transaction"] == "TX-1003").unwrap();
    assert_eq!(late["modifications"].as_array().unwrap().len(), 1, "{late}");
}

#[test]
fn the_table_of_exit_codes_is_the_programs() {
    let readme = readme();
    let section = readme.split("\n## Exit codes\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ") && !line.contains("meaning")).collect();
    let expected: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("| {} | {} |", exit.code(), exit.meaning())).collect();
    assert_eq!(rows, expected);
}

#[test]
fn every_fault_of_the_sandbox_that_the_readme_names_exists() {
    let source =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/provider/sandbox/fault.rs")).unwrap();
    let known: Vec<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => Fault::"))
        .map(|(name, _)| name)
        .collect();
    let readme = readme();
    let told: Vec<&str> = readme
        .split("| fault |")
        .nth(1)
        .unwrap()
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sorted(told), sorted(known));
}

#[test]
fn the_files_the_readme_links_to_exist() {
    let readme = readme();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("http")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(), "{link}");
    }
}
