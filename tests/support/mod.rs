//! A shop in a temporary folder, driven through the built binary with an empty environment, as cron would.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unreachable_pub, reason = "a module of many test binaries is public to none of them")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in a test a panic is the report")]

pub mod billing;
pub mod cleanup;
pub mod portal;
pub mod reports;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::Value;

pub const BINARY: &str = env!("CARGO_BIN_EXE_payjournal");

/// The moment most tests call now.
pub const NOW: &str = "2026-11-22T02:00:00Z";

pub const CONFIG: &str = "
[mail]
administrator = [\"admin@shop.example\"]
payment_notifications = [\"payments@shop.example\"]

[provider.psp]
kind = \"sandbox\"
merchant_account = \"Shop\"
";

/// What makes a ledger without invoices of its own the ledger of a version that did not know them.
pub const BEFORE_INVOICES: &str = "
    DROP TRIGGER operations_fixed; DROP INDEX operations_by_payout_journal; DROP INDEX operations_payout_journal_once;
    ALTER TABLE operations DROP COLUMN payout_journal_id;
    CREATE TRIGGER operations_fixed BEFORE UPDATE OF kind ON operations BEGIN SELECT RAISE(ABORT, 'fixed'); END;
    DROP INDEX exceptions_by_entry; ALTER TABLE exceptions DROP COLUMN entry_id; DROP TABLE collecting; DROP TABLE collected_payments; DROP TRIGGER operations_fixed;
    DROP INDEX operations_by_entry; DROP INDEX operations_collect_once; ALTER TABLE operations DROP COLUMN entry_id;
    ALTER TABLE operations DROP COLUMN mandate_id; DROP TABLE mandates;
    CREATE TRIGGER operations_fixed BEFORE UPDATE OF kind ON operations BEGIN SELECT RAISE(ABORT, 'fixed'); END;
    DROP INDEX orders_by_customer; ALTER TABLE orders DROP COLUMN leaves_free_balances; DROP VIEW heirs; DROP TABLE ended_invitations; DROP TABLE invitations;
    DROP TRIGGER operations_events_in_order; DROP TRIGGER portal_order_news; DROP TRIGGER portal_document_news; DROP TRIGGER portal_paid_elsewhere_news;
    DROP TRIGGER portal_journal_news; DROP TRIGGER portal_correction_news; DROP TRIGGER operations_fixed; DROP INDEX operations_by_event;
    DROP INDEX operations_event_once; ALTER TABLE operations DROP COLUMN event_id; DROP TABLE portal_news; DROP TABLE portal_events; DROP TABLE portal; DROP TABLE unanswered_orders; DROP TRIGGER order_keys_remembered;
    DROP TABLE former_order_keys;
    DROP TRIGGER entries_cancelled_stay; DROP TABLE cancelled_entries; DROP TABLE stock_releases; DROP TABLE restorations; DROP TABLE tombstones; DROP TABLE deletion_gates;
    DROP TABLE deletions; DROP INDEX orders_unpaid; DROP TRIGGER orders_tombstone_kept; ALTER TABLE orders DROP COLUMN deleted;
    DROP INDEX operations_by_order; DROP INDEX operations_cancel_once;
    ALTER TABLE operations DROP COLUMN order_id;
    CREATE TRIGGER operations_fixed BEFORE UPDATE OF kind ON operations BEGIN SELECT RAISE(ABORT, 'fixed'); END;
    DROP VIEW issued_documents; DROP VIEW standing_invoices; DROP TABLE corrections; DROP TABLE refund_requests;
    DROP TABLE exported_journals; DROP TABLE exports;
    DROP TABLE customer_mails; DROP TABLE invoice_sheets; DROP TABLE customers; DROP TABLE payment_links;
    DROP TABLE assignments; DROP TABLE entry_items; DROP TABLE entries;
    DROP TABLE invoice_postings; DROP TABLE invoice_journals; DROP TABLE invoice_lines; DROP TABLE invoices;
    DROP TABLE number_counters; DROP TABLE order_lines; DROP TABLE order_keys; DROP TABLE payment_keys;";

pub struct Shop {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Shop {
    pub fn new() -> Self {
        Self::with(CONFIG)
    }

    pub fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let shop = Self { _folder: folder, path };
        shop.write("payjournal.toml", config);
        shop
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command with an empty environment and no terminal, in the shop's folder, at `NOW`.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().current_dir(&self.path).stdin(Stdio::null());
        command.args(args);
        if !args.iter().any(|arg| arg.as_ref() == "--as-of") {
            command.args(["--as-of", NOW]);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().unwrap())
    }

    /// Runs a line such as `import orders orders.csv`.
    #[track_caller]
    pub fn ok(&self, line: &str) -> Ended {
        self.exits(line, 0)
    }

    #[track_caller]
    pub fn exits(&self, line: &str, code: i32) -> Ended {
        let args: Vec<&str> = line.split_whitespace().collect();
        let ended = self.run(&args);
        assert_eq!(ended.code, Some(code), "`{line}`\n{}\n{}", ended.stdout, ended.stderr);
        ended
    }

    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        let args: Vec<&str> = line.split_whitespace().chain(["--json"]).collect();
        let ended = self.run(&args);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("`{line}`: {error}\n{}", ended.stdout))
    }

    pub fn orders(&self, rows: &str) {
        self.write(
            "orders.csv",
            &format!("order,currency,total,terms,prepayment_percent,cancelled,bill_to,ordered_on\n{rows}"),
        );
        self.ok("import orders orders.csv");
    }

    /// Makes payments known to the sandbox and to the ledger. Rows without provider: `TX,ORDER,PAYS,METHOD,CURRENCY,STATUS,…`.
    pub fn payments(&self, rows: &str) {
        let rows: String = rows.lines().flat_map(|row| ["psp,", row, "\n"]).collect();
        let head = "provider,transaction,order,pays,method,currency,status,authorised,authorised_at,capture_before,captured_at";
        self.write("payments.csv", &format!("{head}\n{rows}"));
        self.ok("sandbox authorise payments.csv");
        self.ok("import payments payments.csv");
    }

    pub fn documents(&self, rows: &str) {
        let head = "kind,number,order,currency,total,paid_elsewhere,references,posted_on";
        self.write("documents.csv", &format!("{head}\n{rows}"));
        self.ok("import documents documents.csv");
    }

    /// One order of 100.00 EUR, authorised, with a posted invoice over all of it.
    pub fn one_order(&self, number: &str) {
        self.orders(&format!("{number},EUR,100.00,online,,none,C1,2026-11-15\n"));
        self.payments(&format!("TX-{number},{number},,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n"));
        self.documents(&format!("invoice,R-{number},{number},EUR,100.00,,,2026-11-20\n"));
    }

    pub fn ledger(&self) -> Connection {
        open(&self.path.join("payjournal.db"))
    }

    /// Rows of a query on the ledger, each as text joined by spaces, sorted.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.path.join("payjournal.db"), sql)
    }

    /// Captures and refunds as the sandbox itself recorded them: `KIND TRANSACTION MINOR`, sorted.
    pub fn psp_record(&self) -> Vec<String> {
        rows(&self.path.join("sandbox.db"), "SELECT kind, transaction_id, amount_minor FROM modifications")
    }

    /// What happens at the PSP without payjournal.
    #[expect(clippy::disallowed_methods, reason = "the back office writes to the PSP's own file")]
    pub fn sandbox(&self, sql: &str) {
        Connection::open(self.path.join("sandbox.db")).unwrap().execute_batch(sql).unwrap();
    }

    /// The names of the mails that arrived.
    pub fn mails(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path.join("mail/new")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn logs(&self, task: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path.join("logs")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with(task));
        paths.sort();
        paths
    }
}

pub fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[expect(clippy::disallowed_methods, reason = "tests look at the files from outside")]
fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

pub fn rows(path: &Path, sql: &str) -> Vec<String> {
    let connection = open(path);
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = statement.column_count();
    let mut rows: Vec<String> = statement
        .query_map([], |row| {
            let cells: Vec<String> = (0..columns)
                .map(|column| {
                    row.get_ref(column).map(|value| match value {
                        ValueRef::Null => "-".to_owned(),
                        ValueRef::Integer(number) => number.to_string(),
                        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                        other @ (ValueRef::Real(_) | ValueRef::Blob(_)) => format!("{other:?}"),
                    })
                })
                .collect::<rusqlite::Result<_>>()?;
            Ok(cells.join(" "))
        })
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    rows.sort();
    rows
}

/// A folder in memory where there is one: SIGKILL loses no page cache, so that a test of kills needs no disk.
pub fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Makes `cert.pem` and `key.pem` of `localhost`, which nobody else vouches for.
pub fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
