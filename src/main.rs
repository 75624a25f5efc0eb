//! Hands the world to the library, and its exit code to the system.

use std::io::{stderr, stdin, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    payjournal::run(std::env::args_os(), &mut stdin(), &mut stdout(), &mut stderr()).into()
}
