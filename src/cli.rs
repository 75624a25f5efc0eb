//! The command line as typed. What it means is resolved in `lib::run` and the commands.

mod help;
mod payments;
mod sandbox;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand};
use rust_decimal::Decimal;

use help::{
    AFTER_HELP, CANCEL_HELP, CHECKOUT_HELP, CLEANUP_HELP, COLLECT_HELP, CREDIT_HELP, EXPLAIN_HELP, EXPORT_HELP,
    FINALIZE_HELP, INVITE_HELP, LEFTOVERS_HELP, LIST_HELP, MATCH_HELP, REFUND_BALANCE_HELP, RESTORE_HELP,
    SETTLEMENTS_HELP, SIMULATE_HELP, VERIFY_HELP,
};

pub use payments::{Invite, RefundBalance};
pub use sandbox::SandboxCommand;

use crate::command::export::ExportFormat;
use crate::command::import::{ImportKind, InputFormat};
use crate::command::show::ShowWhat;
use crate::domain::settlement::state::SettlementState;

/// Capture payments when the ERP posts invoices, and post a payment journal for every movement of money, once.
#[derive(Debug, Parser)]
#[command(name = "payjournal", version, after_help = AFTER_HELP, max_term_width = 120, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct Global {
    /// The config file [default: `$PAYJOURNAL_CONFIG`, ./payjournal.toml, the user's config folder, /etc/payjournal/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print one JSON document on stdout, whatever happens
    #[arg(long, global = true)]
    pub json: bool,

    /// Print nothing but errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print every step on stderr; twice: every reason for doing nothing too
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Take this moment as now, for instance 2026-11-22T02:30:00Z; without --dry-run with the embedded systems only
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    pub as_of: Option<DateTime<Utc>>,

    /// Use a ledger on a network file system although its locks are not safe there
    #[arg(long, global = true)]
    pub allow_network_filesystem: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fill a folder with sample data and run the main job on it
    Demo {
        /// The folder; it must be empty or not exist
        #[arg(default_value = "payjournal-demo")]
        folder: PathBuf,
    },
    /// Write a first, commented config file
    Init {
        /// The file, or the folder to write payjournal.toml into
        #[arg(default_value = ".")]
        path: PathBuf,
    },
    /// Check the configuration without touching anything
    Check {
        /// Print every setting with its value and where it comes from
        #[arg(long)]
        show: bool,
    },
    /// Take over orders, payments or documents from a CSV or NDJSON file
    Import(Import),
    /// Ask the PSP how payments stand and move orders along: New, In progress, Paid, Cancelled, Error; close payment pages whose entries
    /// are paid otherwise or cancelled
    SyncPayments(TaskArgs),
    /// Take the authorised money of posted invoices and shipments; release what will never be needed
    Capture(TaskArgs),
    /// Take what is due of open entries on the mandates their customers gave
    #[command(after_help = COLLECT_HELP)]
    Collect(TaskArgs),
    /// Pay posted credit notes back through the PSP
    Refunds(TaskArgs),
    /// Post a payment journal into the ERP for every capture and refund, and for payouts if `erp.post_payout_journals` is true
    SyncJournals(TaskArgs),
    /// Take over settlement reports, find the order of every line, and prove every payout to the cent
    #[command(after_help = SETTLEMENTS_HELP)]
    Settlements(TaskArgs),
    /// Bill orders: number, book and settle their invoices with what was paid before
    #[command(after_help = FINALIZE_HELP)]
    FinalizeInvoices(TaskArgs),
    /// Delete orders nobody paid and give their stock back; never one that was paid after all
    #[command(after_help = CLEANUP_HELP)]
    CleanupUnpaid(TaskArgs),
    /// Take a portal's order: make its entry and a page to pay it on; prints one JSON document
    #[command(after_help = CHECKOUT_HELP)]
    Checkout {
        /// The request as JSON; - for standard input
        #[arg(default_value = "-")]
        file: PathBuf,
        /// No request: the entry of an order that is there already
        #[arg(long, value_name = "NUMBER", conflicts_with = "file")]
        order: Option<String>,
        /// Write to the buyer, once for each page, with the page to pay on
        #[arg(long)]
        mail: bool,
    },
    /// Write to a buyer what is open, with the page to pay it on; the next run of any task sends the mail
    #[command(after_help = INVITE_HELP)]
    Invite(Invite),
    /// Last runs, open exceptions, and what is pending and why
    Status,
    /// The whole story of an order, payment, document or entry
    Show {
        what: ShowWhat,
        /// Order number (or SHOP/NUMBER), transaction id, document number, reference of an entry
        id: String,
    },
    /// Prove that the ledger holds: every balance from its rows, orphans, damage, file modes; changes nothing
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Write the journals for an accounting program
    #[command(after_help = EXPORT_HELP)]
    Export {
        #[arg(long, value_enum, default_value_t = ExportFormat::Hledger)]
        format: ExportFormat,
        /// Only this month, for instance 2026-11
        #[arg(long, value_name = "YYYY-MM")]
        month: Option<String>,
        /// Only what was not handed over in this format yet, until the end of the month; it is marked
        #[arg(long, requires_all = ["month", "output"])]
        new: bool,
        /// Write an export that was handed over once more, by its number
        #[arg(long, value_name = "EXPORT", conflicts_with_all = ["new", "month", "format"])]
        again: Option<i64>,
        /// The file to write [default: stdout]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Give a refused operation another attempt, or take up one that was given up
    Retry {
        /// Its number, as `status` shows it
        operation: i64,
    },
    /// What the PSPs say they paid out, and for what; what customers gave to be collected from
    #[command(subcommand, after_help = LIST_HELP)]
    List(ListCommand),
    /// Write an invoice that payjournal made: the PDF its customer gets, or the e-invoice (EN 16931) alone
    Invoice {
        /// Its number (or COMPANY/KIND/NUMBER)
        number: String,
        /// The XML of the e-invoice, which the PDF carries too
        #[arg(long)]
        xml: bool,
        /// The file to write [default: stdout]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take back an invoice that payjournal made, by a document of its own; its order can be billed again
    #[command(after_help = CANCEL_HELP)]
    CancelInvoice {
        /// Its number (or COMPANY/KIND/NUMBER)
        number: String,
        /// Why; it is kept with the cancellation
        #[arg(long)]
        reason: String,
    },
    /// Take back lines of an invoice that payjournal made; what was paid for them goes back with `refunds`
    #[command(after_help = CREDIT_HELP)]
    CreditNote(CreditNote),
    /// Ask for free money of a payment to be paid back: what no invoice and no entry has; `refunds` does it
    #[command(after_help = REFUND_BALANCE_HELP)]
    RefundBalance(RefundBalance),
    /// Money without invoice, invoices without money or with too much, entries paid and not invoiced, keys used twice.
    ///
    /// Money without invoice waits for one, or `payjournal refund-balance` pays it back. An invoice of payjournal's own that was paid too
    /// much is put right by `payjournal cancel-invoice`: billed again it takes what it is over, and the rest can be paid back.
    #[command(after_help = LEFTOVERS_HELP)]
    Leftovers {
        /// Only what is at least so many days old
        #[arg(long, default_value_t = 0, value_name = "DAYS")]
        older_than: u32,
    },
    /// Say how a settlement line came to its order, or why it has none
    #[command(after_help = EXPLAIN_HELP)]
    Explain {
        /// The line as `list lines` shows it: `FILE:NUMBER`
        line: LineName,
    },
    /// Say which order a settlement line belongs to, whatever payjournal found
    #[command(after_help = MATCH_HELP)]
    Match {
        /// The line as `list lines` shows it: `FILE:NUMBER`
        line: LineName,
        /// The order's number (or SHOP/NUMBER)
        order: String,
        /// Why; it is kept with the match
        #[arg(long)]
        reason: String,
    },
    /// Say that a settlement line belongs to no order
    Unmatch {
        /// The line as `list lines` shows it: `FILE:NUMBER`
        line: LineName,
        /// Why; it is kept
        #[arg(long)]
        reason: String,
    },
    /// Put an order back that `cleanup-unpaid` deleted
    #[command(after_help = RESTORE_HELP)]
    Restore {
        /// Its number (or SHOP/NUMBER)
        order: String,
        /// Why; it is kept
        #[arg(long)]
        reason: String,
    },
    /// Mark an exception as dealt with
    Resolve {
        /// Its number, as `status` shows it
        exception: i64,
    },
    /// The sandbox PSP: play the customer, look at its own record
    #[command(subcommand)]
    Sandbox(SandboxCommand),
    /// Let simulated shops live through weeks of faults, and audit every day of them; touches nothing
    Simulate(Simulate),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the man page
    Man,
}

#[derive(Debug, Args)]
pub struct TaskArgs {
    /// Print what would be done, with reasons, and do nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Started by a schedule: do nothing unless the task is due
    #[arg(long)]
    pub scheduled: bool,
}

#[derive(Debug, Args)]
pub struct CreditNote {
    /// The invoice's number (or COMPANY/KIND/NUMBER)
    #[arg(required_unless_present = "clear")]
    pub number: Option<String>,
    /// A line of the invoice, and how many of it; several may be given [default: all that is left]
    #[arg(long = "line", value_name = "LINE[=QUANTITY]")]
    pub lines: Vec<CreditedLine>,
    /// Why; it is kept with the credit note
    #[arg(long, required_unless_present = "clear")]
    pub reason: Option<String>,
    /// Set a credit note that was paid back in another way against what is open of its invoice
    #[arg(long, value_name = "NOTE", conflicts_with_all = ["number", "lines", "reason"])]
    pub clear: Option<String>,
}

#[derive(Debug, Args)]
pub struct Import {
    /// What the file holds
    pub what: ImportKind,

    /// The file; - for standard input
    #[arg(required_unless_present = "describe")]
    pub file: Option<PathBuf>,

    /// Print the fields instead
    #[arg(long)]
    pub describe: bool,

    /// Keep the good lines, write the bad ones with their reasons to this file
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,

    /// The format [default: by the file's name, or its first character]
    #[arg(long, value_enum)]
    pub format: Option<InputFormat>,
}

#[derive(Debug, Args)]
#[command(after_help = SIMULATE_HELP)]
pub struct Simulate {
    /// The first seed; one seed is one exact history
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,

    /// So many seeds, from the first on [default: 1, or as many as --seconds allows]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,

    /// Start no further seed after so many seconds
    #[arg(long, value_name = "S")]
    pub seconds: Option<u64>,

    /// Days with faults, up to 366; quiet days follow, after which everything must have come to its end
    #[arg(long, default_value_t = 30, value_name = "D", value_parser = clap::value_parser!(u32).range(0..=366))]
    pub days: u32,

    /// Orders of each shop, up to 1000
    #[arg(long, default_value_t = 50, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub orders: u32,

    /// Only these orders of the seed, by number: a failure that was made small
    #[arg(long, value_delimiter = ',', value_name = "ORDERS", conflicts_with = "orders",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub only: Vec<u32>,

    /// The days the seed's orders are spread over [default: --days]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=366))]
    pub planned_days: Option<u32>,

    /// Whether payjournal makes the shops' invoices, or their ERP [default: as each seed says, one in three]
    #[arg(long, value_name = "true|false")]
    pub bills: Option<bool>,

    /// Whether the shops delete orders nobody paid [default: as each seed says, one in four]
    #[arg(long, value_name = "true|false")]
    pub cleans: Option<bool>,

    /// Whether customers of shops that payjournal bills may only authorise, and are charged for the invoice [default: as each seed
    /// says, half of these shops]
    #[arg(long, value_name = "true|false")]
    pub charges: Option<bool>,

    /// Whether persons of shops that payjournal bills cancel invoices, credit lines and have free money paid back [default: as each
    /// seed says, three of five of these shops]
    #[arg(long, value_name = "true|false")]
    pub corrects: Option<bool>,

    /// Whether invoices that payjournal makes bring a payment page [default: as each seed says, a third of these shops]
    #[arg(long, value_name = "true|false")]
    pub pages: Option<bool>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("outside").multiple(true))]
pub struct VerifyArgs {
    /// Ask the PSPs too: captures, refunds, amounts and statuses in which they and the ledger differ
    #[arg(long, group = "outside")]
    pub against_provider: bool,

    /// Ask the ERP too: what is open on documents, and whether it still has the journals it confirmed
    #[arg(long, group = "outside")]
    pub against_erp: bool,

    /// Compare everything, however old, and not only what may still change
    #[arg(long, requires = "outside")]
    pub all: bool,
}

#[derive(Debug, Subcommand)]
pub enum ListCommand {
    /// Payouts with their lines counted and their sums proved
    Payouts(ListPayouts),
    /// Settlement lines with their orders
    Lines(ListLines),
    /// Orders against what was settled for them: expected, missing, settled, over, under, in another currency, disputed
    Orders(ListOrders),
    /// What customers gave to be collected from; the PSP's ids are shown in part only
    Mandates,
}

#[derive(Debug, Args)]
pub struct ListOrders {
    /// Only in these states [default: all but settled and expected]
    #[arg(long, value_delimiter = ',', value_name = "STATES", value_parser = settlement_state)]
    pub state: Vec<SettlementState>,

    /// So many at most
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

#[derive(Debug, Args)]
pub struct ListPayouts {
    /// Only of this provider
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,

    /// Only the payout with this reference
    #[arg(long, value_name = "REFERENCE")]
    pub payout: Option<String>,

    /// Only those that are not proved
    #[arg(long)]
    pub open: bool,
}

#[derive(Debug, Args)]
pub struct ListLines {
    /// Only of the payout with this reference
    #[arg(long, value_name = "REFERENCE")]
    pub payout: Option<String>,

    /// Only with this transaction id
    #[arg(long, value_name = "ID")]
    pub transaction: Option<String>,

    /// Only of the order with this number
    #[arg(long, value_name = "NUMBER")]
    pub order: Option<String>,

    /// Only those that belong to a payment and to no order
    #[arg(long)]
    pub unmatched: bool,

    /// Only those of a kind payjournal does not know
    #[arg(long)]
    pub unknown: bool,

    /// So many at most
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

/// A settlement line by the file it came with and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineName {
    pub file: i64,
    pub number: i64,
}

impl std::str::FromStr for LineName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':').and_then(|(file, number)| Some((file.parse().ok()?, number.parse().ok()?)));
        let (file, number) = parts.ok_or("write FILE:NUMBER, as `payjournal list lines` shows it")?;
        Ok(Self { file, number })
    }
}

impl std::fmt::Display for LineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.number)
    }
}

/// A line of an invoice by its number, and how many of it: all that is left without a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditedLine {
    pub number: u32,
    pub quantity: Option<Decimal>,
}

impl std::str::FromStr for CreditedLine {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, quantity) = match text.split_once('=') {
            Some((number, quantity)) => (number, Some(quantity)),
            None => (text, None),
        };
        let number = number.parse().ok();
        let quantity = quantity.map(|text| Decimal::from_str_exact(text).map_err(|_| ())).transpose().ok();
        let (number, quantity) = number.zip(quantity).ok_or("write LINE or LINE=QUANTITY, such as 2=1.5")?;
        Ok(Self { number, quantity })
    }
}

fn settlement_state(text: &str) -> Result<SettlementState, String> {
    let names = || SettlementState::ALL.map(SettlementState::as_str).join(", ");
    let found = SettlementState::ALL.into_iter().find(|state| state.as_str() == text);
    found.ok_or_else(|| format!("write one of {}", names()))
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    text.parse().map_err(|_| "write a time with its zone, such as 2026-11-22T02:30:00Z".to_owned())
}
