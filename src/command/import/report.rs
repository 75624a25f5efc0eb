//! What an import did, counted as it goes and told at its end.

use std::io::{self, Write};

use serde_json::json;

use super::{ImportArgs, name};
use crate::exchange::import::Problem;
use crate::exit::Exit;
use crate::ledger::import::Verdict;

const LISTED: usize = 1_000;
const PRINTED: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Tally {
    added: u64,
    changed: u64,
    unchanged: u64,
    rejected: u64,
    /// The first ones; `problems_total` counts all.
    problems: Vec<Problem>,
    problems_total: u64,
    /// Whether the good rows were not kept either.
    is_undone: bool,
}

impl Tally {
    pub(super) fn count(&mut self, line: u64, verdict: Verdict) {
        match verdict {
            Verdict::New => self.added += 1,
            Verdict::Changed => self.changed += 1,
            Verdict::Unchanged => self.unchanged += 1,
            Verdict::Refused(objections) => {
                self.rejected += 1;
                for objection in objections {
                    self.note(objection.at(line));
                }
            }
        }
    }

    /// No row could be read.
    pub(super) fn refuse_file(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            self.note(problem);
        }
        self.is_undone = true;
    }

    pub(super) fn keep_nothing(&mut self) {
        (self.added, self.changed, self.unchanged) = (0, 0, 0);
        self.is_undone = true;
    }

    pub(super) fn has_problems(&self) -> bool {
        self.problems_total > 0
    }

    pub(super) fn exit(&self) -> Exit {
        if self.has_problems() { Exit::NeedsPerson } else { Exit::Done }
    }

    fn note(&mut self, problem: Problem) {
        self.problems_total += 1;
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        }
    }
}

/// One JSON document, or words: problems on `err`, the summary on `out`.
pub(super) fn write(args: &ImportArgs, tally: &Tally, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return write_json(args, tally, out);
    }
    let file = name(&args.file);
    for problem in tally.problems.iter().take(PRINTED) {
        writeln!(err, "{file}:{problem}")?;
    }
    let printed = u64::try_from(PRINTED).unwrap_or(u64::MAX);
    if tally.problems_total > printed {
        writeln!(err, "… and {} more problems", tally.problems_total - printed)?;
    }
    if tally.is_undone {
        let (rows, has) = if tally.rejected == 1 { ("row", "has") } else { ("rows", "have") };
        match tally.rejected {
            0 => writeln!(err, "nothing was imported: `{file}` cannot be read as {}", args.what.noun())?,
            count => {
                writeln!(err, "nothing was imported: {count} {rows} of `{file}` {has} problems")?;
                writeln!(err, "  hint: --rejects FILE imports the good rows and writes the others to FILE")?;
            }
        }
    } else if args.print_summary || tally.has_problems() {
        let Tally { added, changed, unchanged, .. } = tally;
        write!(out, "{}: {added} new, {changed} changed, {unchanged} unchanged", args.what.noun())?;
        if let (Some(file), true) = (&args.rejects, tally.has_problems()) {
            write!(out, ", {} rejected -> {}", tally.rejected, file.path().display())?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_json(args: &ImportArgs, tally: &Tally, out: &mut dyn Write) -> io::Result<()> {
    let exit = tally.exit();
    let rejects_file = args.rejects.as_ref().filter(|_| tally.rejected > 0 && !tally.is_undone);
    let document = json!({
        "schema": "payjournal/import/1",
        "outcome": exit.outcome(),
        "exit_code": exit.code(),
        "kind": args.what.noun(),
        "new": tally.added,
        "changed": tally.changed,
        "unchanged": tally.unchanged,
        "rejected": tally.rejected,
        "rejects_file": rejects_file.map(|file| file.path().display().to_string()),
        "problems": tally.problems,
        "problems_total": tally.problems_total,
    });
    writeln!(out, "{document}")
}
