//! The man page in the repository is the one the program prints, tells of everything the command line takes, and is
//! roff that `mandoc` and `groff` have nothing to say about.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is the report")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use clap::CommandFactory as _;
use payjournal::cli::Cli;
use payjournal::domain::exception::ExceptionKind;
use payjournal::exit::Exit;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/man/payjournal.1");

/// As `payjournal man` prints it, through the same door as the program.
fn printed() -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = payjournal::run(["payjournal", "man"], &mut std::io::empty(), &mut out, &mut err);
    assert_eq!(exit, Exit::Done, "{}", String::from_utf8_lossy(&err));
    String::from_utf8(out).unwrap()
}

/// What a reader sees of a name in the source.
fn in_roff(name: &str) -> String {
    name.replace('-', "\\-")
}

#[test]
fn the_page_in_the_repository_is_the_one_that_is_printed() {
    let file = std::fs::read_to_string(FILE).unwrap();
    assert!(file == printed(), "man/payjournal.1 is out of date: cargo run -- man > man/payjournal.1");
}

#[test]
fn every_command_and_every_long_flag_is_explained() {
    fn check(command: &clap::Command, path: &str, page: &str) {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                assert!(page.contains(&in_roff(&format!("\\fB--{long}\\fR"))), "{path} --{long}");
            }
        }
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            assert!(page.lines().any(|line| line.starts_with(&format!(".SS {}", in_roff(&path)))), "{path}");
            check(sub, &path, page);
        }
    }
    let mut cli = Cli::command();
    cli.build();
    check(&cli, "payjournal", &printed());
}

#[test]
fn every_exit_code_is_listed_with_its_word() {
    let page = printed();
    for exit in Exit::ALL {
        let head = format!("\\fB{}\\fR [{}]", exit.code(), exit.outcome());
        assert!(page.lines().any(|line| line == head), "{head}");
    }
}

#[test]
fn every_kind_of_exception_is_listed() {
    let page = printed();
    let section = page.split(".SH EXCEPTIONS\n").nth(1).unwrap().split("\n.SH ").next().unwrap();
    let listed: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix(".B ")).collect();
    assert_eq!(listed, ExceptionKind::ALL.map(ExceptionKind::as_str));
}

#[test]
fn the_page_is_clean_roff() {
    let page = printed();
    for (program, arguments) in [("mandoc", ["-T", "lint", "-W", "style"]), ("groff", ["-man", "-ww", "-z", "-"])] {
        match check_with(program, &arguments, &page) {
            Some(said) => assert_eq!(said, "", "{program}"),
            None if program == "mandoc" && is_ci() => {
                panic!("CI must have {program}")
            }
            None => eprintln!("{program} is not installed: the man page was not checked with it"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the test environment says which checkers must be there")]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// All that the program says, or `None` if there is no such program.
fn check_with(program: &str, arguments: &[&str], page: &str) -> Option<String> {
    let command = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match command {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("{program}: {error}"),
    };
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || !said.is_empty(), "{program} ended with {}", output.status);
    Some(said)
}
