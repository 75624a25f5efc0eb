//! `payjournal man`: the manual page, made of what clap knows of the command line, the exit codes, and prose in
//! `man/*.roff`. `man/payjournal.1` in the repository is its output; a test compares the two.

use clap::{Arg, Command, CommandFactory as _};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Result;

/// Of the page, not of the build: the same source gives the same page.
const DATE: &str = "2026-11-22";
/// Longest line of running text in the source.
const WIDTH: usize = 76;

const DESCRIPTION: &str = include_str!("man/description.roff");
const CONFIGURATION: &str = include_str!("man/configuration.roff");
const EXCEPTIONS: &str = include_str!("man/exceptions.roff");
const JSON: &str = include_str!("man/json.roff");
const PORTAL: &str = include_str!("man/portal.roff");
const RUNNING: &str = include_str!("man/running.roff");

/// The whole page as roff.
pub fn page() -> Result<Vec<u8>> {
    let mut cli = Cli::command();
    cli.build();
    let mut page = Page::default();
    let source = concat!("payjournal ", env!("CARGO_PKG_VERSION"));
    page.raw(&format!(".TH PAYJOURNAL 1 {DATE} \"{source}\" \"User Commands\"\n"));
    page.section("NAME");
    page.raw("payjournal \\- capture what is invoiced, and post a payment journal once\n");
    page.section("SYNOPSIS");
    page.raw("\\fBpayjournal\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]\n");
    page.raw(DESCRIPTION);
    page.section("OPTIONS");
    page.text("They can stand before or after the command.");
    for arg in cli.get_arguments() {
        page.argument(arg);
    }
    page.section("COMMANDS");
    page.commands(&cli, "payjournal");
    page.raw(CONFIGURATION);
    page.section("EXIT STATUS");
    page.text(
        "If several apply, the one that matters more: a signal, then 70, 6, 3, 2, 4, 5, 1, 0. \
         The word in brackets is the `outcome` of JSON documents.",
    );
    for exit in Exit::ALL {
        page.item(&format!("\\fB{}\\fR [{}]", exit.code(), escaped(exit.outcome())));
        page.text(&format!("{}.", capitalised(exit.meaning())));
    }
    page.raw(EXCEPTIONS);
    page.raw(PORTAL);
    page.raw(JSON);
    page.raw(RUNNING);
    Ok(page.source.into_bytes())
}

#[derive(Default)]
struct Page {
    source: String,
}

impl Page {
    fn raw(&mut self, roff: &str) {
        self.source.push_str(roff);
    }

    fn section(&mut self, title: &str) {
        self.raw(&format!(".SH {title}\n"));
    }

    /// The head of an indented paragraph.
    fn item(&mut self, head: &str) {
        self.raw(&format!(".TP\n{head}\n"));
    }

    /// Running text: words in backticks are bold, lines are short.
    fn text(&mut self, text: &str) {
        let mut line = String::new();
        for word in marked(text).split_whitespace() {
            if !line.is_empty() && line.len() + word.len() >= WIDTH {
                self.text_line(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.text_line(&line);
    }

    /// A line that begins like a request is text all the same.
    fn text_line(&mut self, line: &str) {
        if line.starts_with(['.', '\'']) {
            self.raw("\\&");
        }
        self.raw(line);
        self.raw("\n");
    }

    fn commands(&mut self, parent: &Command, path: &str) {
        for command in parent.get_subcommands().filter(|command| !command.is_hide_set()) {
            let path = format!("{path} {}", command.get_name());
            let own: Vec<&Arg> = command.get_arguments().filter(|arg| is_own(arg)).collect();
            self.raw(&format!(".SS {}", escaped(&path)));
            for arg in &own {
                self.raw(&format!(" {}", usage(arg)));
            }
            if command.has_subcommands() {
                self.raw(" \\fICOMMAND\\fR");
            }
            self.raw("\n");
            if let Some(about) = command.get_long_about().or_else(|| command.get_about()) {
                self.text(&sentence(&about.to_string()));
            }
            for arg in &own {
                self.argument(arg);
            }
            self.commands(command, &path);
        }
    }

    fn argument(&mut self, arg: &Arg) {
        self.item(&head(arg));
        let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string);
        let mut parts: Vec<String> = help.iter().map(|help| sentence(help)).collect();
        if arg.get_action().takes_values() {
            let values: Vec<String> = arg.get_possible_values().iter().map(value).collect();
            if !values.is_empty() {
                parts.push(format!("One of {}.", values.join(", ")));
            }
            if let Some(default) = arg.get_default_values().first() {
                parts.push(format!("[default: `{}`]", default.to_string_lossy()));
            }
        }
        if parts.is_empty() {
            parts.push("Required.".to_owned());
        }
        self.text(&parts.join(" "));
    }
}

fn value(value: &clap::builder::PossibleValue) -> String {
    match value.get_help() {
        Some(help) => format!("`{}` ({help})", value.get_name()),
        None => format!("`{}`", value.get_name()),
    }
}

/// Not one of the global options, which every command takes, nor `--help`.
fn is_own(arg: &Arg) -> bool {
    !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help"
}

/// `--format FORMAT`, `-q, --quiet`, `FILE`: the head of an argument's paragraph.
fn head(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).map(|name| bold(&name)).collect();
    if names.is_empty() {
        value_name(arg)
    } else if arg.get_action().takes_values() {
        format!("{} {}", names.join(", "), value_name(arg))
    } else {
        names.join(", ")
    }
}

/// The argument as the command's synopsis shows it.
fn usage(arg: &Arg) -> String {
    let shown = match arg.get_long().map(|long| bold(&format!("--{long}"))) {
        Some(long) if arg.get_action().takes_values() => format!("{long} {}", value_name(arg)),
        Some(long) => long,
        None => value_name(arg),
    };
    if arg.is_required_set() { shown } else { format!("[{shown}]") }
}

fn value_name(arg: &Arg) -> String {
    let named = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    format!("\\fI{}\\fR", escaped(&named.unwrap_or_else(|| arg.get_id().to_string()).to_uppercase()))
}

fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// Help texts have no full stop; the page has sentences.
fn sentence(help: &str) -> String {
    let help = help.trim();
    if help.ends_with(['.', ':']) { help.to_owned() } else { format!("{help}.") }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq")
}

/// Escaped, with `words in backticks` in bold.
fn marked(text: &str) -> String {
    let mut is_bold = true;
    let parts = text.split('`').map(|part| {
        is_bold = !is_bold;
        if is_bold { bold(part) } else { escaped(part) }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_roff_stays_text() {
        let mut page = Page::default();
        page.text(".SH `a-b` \\ c");
        assert_eq!(page.source, "\\&.SH \\fBa\\-b\\fR \\e c\n");
    }

    #[test]
    fn lines_of_text_are_short() {
        let mut page = Page::default();
        page.text(&"word ".repeat(100));
        assert!(page.source.lines().all(|line| line.len() <= 80));
    }
}
