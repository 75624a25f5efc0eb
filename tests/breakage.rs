//! What breaks around payjournal: files, disks and folders. Each time a clear message, the right exit code, nothing lost.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod support;

use std::fs;
use std::path::Path;

use support::{CONFIG, Shop};

const TASKS: [&str; 4] = ["sync-payments", "capture", "refunds", "sync-journals"];

/// A command refuses with exit 6, says what and what next, and does no work.
#[track_caller]
fn refuses(shop: &Shop, line: &str, wanted: &[&str]) {
    let ended = shop.exits(line, 6);
    assert_eq!(ended.stdout, "", "{line}");
    assert!(ended.stderr.starts_with("error: "), "{line}: {}", ended.stderr);
    for wanted in wanted.iter().chain(&["hint: "]) {
        assert!(ended.stderr.contains(wanted), "`{line}`: {wanted} is not in {}", ended.stderr);
    }
}

#[track_caller]
fn every_task_refuses(shop: &Shop, wanted: &[&str]) {
    for task in TASKS {
        refuses(shop, task, wanted);
    }
    for line in ["status", "capture --dry-run", "export"] {
        refuses(shop, line, wanted);
    }
}

fn ledger(shop: &Shop) -> Vec<u8> {
    fs::read(shop.path.join("payjournal.db")).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the test makes a database of its own")]
fn database(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

// --- The ledger -------------------------------------------------------------------------------------------------------

#[test]
fn on_an_empty_ledger_every_task_has_nothing_to_do_and_says_nothing() {
    let shop = Shop::new();
    shop.orders("");
    for line in TASKS.into_iter().chain(["capture --scheduled", "sync-journals -q"]) {
        let ended = shop.ok(line);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""), "{line}");
    }
    for line in ["status", "export", "export --format csv", "export --format beancount"] {
        assert_eq!(shop.ok(line).stderr, "", "{line}");
    }
    assert!(shop.mails().is_empty() && shop.psp_record().is_empty());
}

#[test]
fn a_ledger_that_is_missing_is_not_made_by_a_task() {
    let shop = Shop::new();
    every_task_refuses(&shop, &["there is no ledger at", "payjournal.db", "import orders"]);
    assert!(!shop.path.join("payjournal.db").exists());
    let shop = Shop::with(&format!("ledger = \"nowhere/payjournal.db\"\n{CONFIG}"));
    every_task_refuses(&shop, &["nowhere"]);
    assert!(!shop.path.join("nowhere").exists());
}

#[test]
fn a_ledger_of_no_bytes_is_not_a_ledger_to_a_task() {
    let shop = Shop::new();
    shop.one_order("A");
    // What a full disk or a broken copy leaves behind.
    shop.write("payjournal.db", "");
    every_task_refuses(&shop, &["payjournal.db"]);
    assert!(ledger(&shop).is_empty());
}

#[test]
fn a_ledger_from_the_future_is_left_alone() {
    let shop = Shop::new();
    shop.one_order("A");
    shop.ledger().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = ledger(&shop);
    every_task_refuses(&shop, &["schema 99", "newer"]);
    refuses(&shop, "import orders orders.csv", &["schema 99"]);
    assert!(ledger(&shop) == before, "the ledger was changed");
    assert!(shop.psp_record().is_empty());
    shop.ledger().execute_batch("PRAGMA user_version = 18").unwrap();
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn an_older_ledger_with_rows_is_brought_up_to_date() {
    let shop = Shop::new();
    shop.one_order("A");
    shop.ok("capture");
    let later = [
        "payments_for_invoices",
        "documents_by_number",
        "exceptions_by_subject",
        "exceptions_by_document",
        "exceptions_by_payment",
        "exceptions_by_operation",
    ];
    for index in later {
        shop.ledger().execute_batch(&format!("DROP INDEX {index}")).unwrap();
    }
    let tables = [
        "payout_postings",
        "payout_journals",
        "payout_cursors",
        "lines_to_learn",
        "payments_to_learn",
        "settlement_lines",
        "settlement_line_payouts",
        "settlement_matches",
        "unmatched_groups",
        "untold_chargebacks",
        "payout_sums",
        "order_settlements",
        "payouts",
        "report_files",
        "merchant_accounts",
    ];
    for table in tables {
        shop.ledger().execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
    shop.ledger().execute_batch(support::BEFORE_INVOICES).unwrap();
    shop.ledger().execute_batch("PRAGMA user_version = 1").unwrap();
    shop.ok("sync-journals");
    let version: i64 = shop.ledger().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    for index in later {
        let found = "SELECT count(*) FROM sqlite_master WHERE name = ?1";
        let found: i64 = shop.ledger().query_row(found, [index], |row| row.get(0)).unwrap();
        assert_eq!(found, 1, "{index}");
    }
    let journals: i64 = shop.ledger().query_row("SELECT count(*) FROM journals", [], |row| row.get(0)).unwrap();
    assert_eq!((version, journals), (18, 1));
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    for sql in [
        "CREATE TABLE cookies (id INTEGER); INSERT INTO cookies VALUES (1);",
        "CREATE TABLE cookies (id INTEGER); PRAGMA user_version = 1;",
        "CREATE TABLE cookies (id INTEGER); PRAGMA user_version = 8; PRAGMA application_id = 77;",
    ] {
        let shop = Shop::new();
        database(&shop.path.join("payjournal.db"), sql);
        let before = ledger(&shop);
        every_task_refuses(&shop, &["payjournal.db"]);
        shop.write("orders.csv", "order,currency,total,ordered_on\nA,EUR,1.00,2026-11-20\n");
        refuses(&shop, "import orders orders.csv", &["payjournal.db"]);
        assert!(ledger(&shop) == before, "changed the file of {sql}");
    }
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let shop = Shop::new();
    shop.write("payjournal.db", &"Dear diary, today I posted an invoice.\n".repeat(200));
    let before = ledger(&shop);
    every_task_refuses(&shop, &["not a database", "backup"]);
    assert!(ledger(&shop) == before);
    fs::remove_file(shop.path.join("payjournal.db")).unwrap();
    fs::create_dir(shop.path.join("payjournal.db")).unwrap();
    every_task_refuses(&shop, &["cannot be used"]);
}

#[test]
fn test_and_live_never_mix() {
    let shop = Shop::new();
    shop.one_order("A");
    // A sandbox has no live money.
    shop.write("payjournal.toml", &format!("mode = \"live\"\n{CONFIG}"));
    for task in TASKS {
        assert!(shop.exits(task, 3).stderr.contains("live"));
    }
    // A ledger that was bound by a live configuration.
    shop.write("payjournal.toml", CONFIG);
    shop.ledger().execute_batch("DROP TRIGGER binding_fixed").unwrap();
    let bind = |mode: &str| shop.ledger().execute_batch(&format!("UPDATE binding SET mode = '{mode}'")).unwrap();
    bind("live");
    every_task_refuses(&shop, &["bound to mode `live`", "says `test`", "another `ledger` file"]);
    refuses(&shop, "import orders orders.csv", &["bound to mode `live`"]);
    assert!(shop.psp_record().is_empty());
    bind("test");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn a_corrupt_page_is_refused_and_a_backup_goes_on_without_capturing_twice() {
    let shop = Shop::new();
    shop.one_order("A");
    shop.one_order("B");
    let backup = ledger(&shop);
    let root = shop.rows("SELECT rootpage FROM sqlite_master WHERE name = 'documents'")[0].parse::<usize>().unwrap();
    shop.ok("capture");
    let captured = ["capture TX-A 10000", "capture TX-B 10000"];
    assert_eq!(shop.psp_record(), captured);
    let mut bytes = ledger(&shop);
    let page = shop.rows("PRAGMA page_size")[0].parse::<usize>().unwrap();
    bytes[(root - 1) * page..root * page].fill(0xAA);
    fs::write(shop.path.join("payjournal.db"), &bytes).unwrap();
    for line in ["capture --as-of 2026-11-23T02:00:00Z", "refunds", "capture --dry-run"] {
        refuses(&shop, line, &["malformed", "backup"]);
    }
    let log = fs::read_to_string(shop.logs("capture").last().unwrap()).unwrap();
    assert!(log.contains("malformed") && log.contains("--- 1 errors ---"), "{log}");
    assert_eq!(shop.psp_record(), captured);
    // What the backup does not know of is learnt from the PSP before anything is captured, and recognised by its key (rule
    // 3): sending the same keys again would not be safe once the PSP has forgotten them.
    fs::write(shop.path.join("payjournal.db"), &backup).unwrap();
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert_eq!(shop.rows("SELECT kind, document_id IS NOT NULL FROM journals"), ["receipt 1", "receipt 1"]);
    assert_eq!(shop.psp_record(), captured);
    assert_eq!(shop.rows("SELECT kind, amount_minor FROM movements"), ["capture 10000", "capture 10000"]);
}

#[test]
fn calls_under_way_are_heard_before_a_run_ends_for_an_error() {
    let slow = CONFIG.replace("merchant_account = \"Shop\"\n", "merchant_account = \"Shop\"\nlatency_ms = 100\n");
    let shop = Shop::with(&format!("{slow}\n[task_defaults]\nconcurrency = 2\n"));
    for number in ["A", "B", "C", "D"] {
        shop.one_order(number);
    }
    let broken = "CREATE TRIGGER broken BEFORE UPDATE OF state ON operations WHEN NEW.state = 'sent' AND NEW.id > 2
                  BEGIN SELECT RAISE(ROLLBACK, 'no room'); END";
    shop.ledger().execute_batch(broken).unwrap();
    let ended = shop.run(&["capture"]);
    assert!(ended.stderr.contains("no room"), "{}", ended.stderr);
    assert_eq!(
        shop.rows("SELECT id, state FROM operations WHERE kind = 'capture'"),
        ["1 confirmed", "2 confirmed", "3 planned", "4 planned"]
    );
    shop.ledger().execute_batch("DROP TRIGGER broken").unwrap();
    shop.ok("capture");
    assert_eq!(
        shop.psp_record(),
        ["capture TX-A 10000", "capture TX-B 10000", "capture TX-C 10000", "capture TX-D 10000"]
    );
    shop.ok("verify");
}

#[test]
fn an_answer_that_could_not_be_recorded_is_asked_about_by_the_next_run() {
    let shop = Shop::new();
    shop.one_order("A");
    shop.one_order("B");
    // The ledger takes everything but the answers, as a disk that is full for a moment does; the run itself ends well.
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON movements BEGIN SELECT RAISE(ABORT, 'no room'); END";
    shop.ledger().execute_batch(broken).unwrap();
    let ended = shop.exits("capture", 6);
    assert!(ended.stderr.contains("no room"), "{}", ended.stderr);
    let at_the_psp = shop.psp_record();
    assert!(!at_the_psp.is_empty());
    shop.ledger().execute_batch("DROP TRIGGER broken").unwrap();
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000", "capture TX-B 10000"]);
    assert_eq!(shop.rows("SELECT kind, amount_minor FROM movements"), ["capture 10000", "capture 10000"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'capture'"), ["confirmed", "confirmed"]);
}

#[test]
fn a_sandbox_file_that_is_damaged_loses_nothing() {
    let shop = Shop::new();
    shop.one_order("A");
    let sandbox = shop.path.join("sandbox.db");
    let good = fs::read(&sandbox).unwrap();
    shop.write("sandbox.db", &"no database\n".repeat(400));
    let ended = shop.exits("capture", 3);
    assert!(ended.stderr.contains("the sandbox of provider `psp` cannot be opened"), "{}", ended.stderr);
    fs::write(&sandbox, good).unwrap();
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

// --- The configuration ------------------------------------------------------------------------------------------------

#[test]
fn a_config_that_cannot_be_read_is_named() {
    let shop = Shop::new();
    shop.one_order("A");
    fs::create_dir(shop.path.join("folder.toml")).unwrap();
    fs::write(shop.path.join("latin.toml"), b"[shop]\nname = \"caf\xe9\"\n").unwrap();
    shop.write("broken.toml", "[provider.psp\nkind = ");
    shop.write("wrong.toml", "[task.capture]\nbatch_size = \"many\"\n[task.kapture]\n");
    let before = ledger(&shop);
    for (file, wanted) in [
        ("folder.toml", "failed to read the configuration `folder.toml`"),
        ("latin.toml", "latin.toml:2:12: the file is not UTF-8"),
        ("broken.toml", "broken.toml:1:"),
        ("wrong.toml", "wrong.toml:2:"),
        ("wrong.toml", "`task.kapture`"),
        ("missing.toml", "payjournal init missing.toml"),
    ] {
        for command in TASKS.into_iter().chain(["status", "check"]) {
            let ended = shop.exits(&format!("{command} --config {file}"), 3);
            assert!(ended.stdout.is_empty() && ended.stderr.contains(wanted), "{file}: {}", ended.stderr);
        }
    }
    assert!(ledger(&shop) == before && shop.psp_record().is_empty());
    assert!(shop.logs("").is_empty());
}

// --- Logs and mails ---------------------------------------------------------------------------------------------------

#[test]
fn a_log_folder_that_is_a_file_stops_the_run_before_money_moves() {
    let shop = Shop::with(&format!("log_dir = \"taken\"\n{CONFIG}"));
    shop.write("taken", "a file");
    shop.one_order("A");
    for task in TASKS {
        let ended = shop.exits(task, 3);
        for wanted in ["no log file can be written in", "taken", "hint: ", "log_dir"] {
            assert!(ended.stderr.contains(wanted), "{wanted} is not in {}", ended.stderr);
        }
    }
    assert!(shop.psp_record().is_empty());
    assert!(shop.rows("SELECT id FROM runs WHERE state <> 'finished' OR exit_code <> 3").is_empty());
    fs::remove_file(shop.path.join("taken")).unwrap();
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    let log =
        fs::read_to_string(fs::read_dir(shop.path.join("taken")).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert!(!log.contains("died"), "{log}");
}

#[test]
fn a_mail_that_cannot_be_written_undoes_no_work_and_arrives_once_later() {
    let shop = Shop::new();
    shop.write("mail", "a file where the maildir should be");
    shop.one_order("A");
    // Rule of exit codes: a mail that waits is not a remote system of the task.
    let ended = shop.run(&["capture"]);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert_eq!(shop.rows("SELECT kind, amount_minor FROM movements"), ["capture 10000"]);
    assert_eq!(shop.rows("SELECT state FROM operations WHERE kind = 'mail'"), ["planned"]);
    assert_eq!(shop.json("status")["pending"][0]["kind"], "mail");
    let log = fs::read_to_string(&shop.logs("capture")[0]).unwrap();
    assert!(log.contains("warning") && log.contains("the maildir cannot be read"), "{log}");
    fs::remove_file(shop.path.join("mail")).unwrap();
    // Any task delivers what is due.
    shop.ok("sync-payments --as-of 2026-11-22T03:00:00Z");
    shop.ok("capture --as-of 2026-11-22T04:00:00Z");
    shop.ok("capture --as-of 2026-11-23T04:00:00Z");
    assert_eq!(shop.mails().len(), 1);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert_eq!(ended.code, Some(0), "mails never decide an exit code: {}", ended.stderr);
}

#[test]
fn mails_that_cannot_be_written_never_become_a_failed_task() {
    let shop = Shop::new();
    shop.write("mail", "a file where the maildir should be");
    shop.one_order("A");
    for hour in 2..12 {
        shop.run(&["capture", "--as-of", &format!("2026-11-22T{hour:02}:00:00Z")]);
    }
    assert_eq!(shop.rows("SELECT count(*) FROM mails"), ["1"], "only the mail about the capture");
}

// --- Imports ----------------------------------------------------------------------------------------------------------

/// Two good rows and twelve kinds of damage: (line, what is said about it).
const DAMAGE: [(u64, &str); 12] = [
    (3, "`1.005` has more decimals than EUR allows"),
    (4, "`1e2`"),
    (5, "`XXQ`"),
    (6, "`-5.00`"),
    (7, "`2026-02-30`"),
    (8, "the row has 5 cells"),
    (9, "the row has 7 cells"),
    (10, "is not UTF-8"),
    (11, "total is required, but empty"),
    (12, "`sometimes`"),
    (13, "`12,50`"),
    (15, "opens a quote that is never closed"),
];

fn damaged_orders() -> Vec<u8> {
    let mut text = b"order,currency,total,terms,ordered_on,bill_to\n\
        GOOD-1,EUR,10.00,online,2026-11-20,C1\n\
        BAD-1,EUR,1.005,online,2026-11-20,C1\n\
        BAD-2,EUR,1e2,online,2026-11-20,C1\n\
        BAD-3,XXQ,10.00,online,2026-11-20,C1\n\
        BAD-4,EUR,-5.00,online,2026-11-20,C1\n\
        BAD-5,EUR,10.00,online,2026-02-30,C1\n\
        BAD-6,EUR,10.00,online,2026-11-20\n\
        BAD-7,EUR,10.00,online,2026-11-20,C1,more\n"
        .to_vec();
    text.extend(b"BAD-8\xff,EUR,10.00,online,2026-11-20,C1\n");
    text.extend(
        b"BAD-9,EUR,,online,2026-11-20,C1\n\
        BAD-10,EUR,10.00,sometimes,2026-11-20,C1\n\
        BAD-11,EUR,\"12,50\",online,2026-11-20,C1\n\
        GOOD-2,EUR,20.00,online,2026-11-20,C1\n\
        \"BAD-12,EUR,10.00,online,2026-11-20,C1\n",
    );
    text
}

#[test]
fn a_file_with_twelve_kinds_of_damage_is_told_line_by_line_and_nothing_is_imported() {
    let shop = Shop::new();
    shop.one_order("A");
    let before = shop.rows("SELECT * FROM orders");
    fs::write(shop.path.join("damaged.csv"), damaged_orders()).unwrap();
    let ended = shop.exits("import orders damaged.csv", 1);
    assert_eq!(ended.stdout, "");
    for (line, what) in DAMAGE {
        let place = format!("damaged.csv:{line}:");
        assert!(
            ended.stderr.lines().any(|told| told.starts_with(&place) && told.contains(what)),
            "{place} {what} is not in\n{}",
            ended.stderr
        );
    }
    assert!(
        ended.stderr.contains("nothing was imported") && ended.stderr.contains("hint: --rejects"),
        "{}",
        ended.stderr
    );
    assert_eq!(shop.rows("SELECT * FROM orders"), before);
    let document = shop.json("import orders damaged.csv");
    assert_eq!((&document["new"], &document["rejected"], &document["exit_code"]), (&0.into(), &12.into(), &1.into()));
}

#[test]
fn with_rejects_the_good_rows_of_a_damaged_file_are_kept_and_the_bad_ones_come_back() {
    let shop = Shop::new();
    shop.orders("");
    fs::write(shop.path.join("damaged.csv"), damaged_orders()).unwrap();
    let ended = shop.exits("import orders damaged.csv --rejects bad.csv", 1);
    assert!(ended.stdout.contains("2 new") && ended.stdout.contains("12 rejected -> bad.csv"), "{}", ended.stdout);
    assert_eq!(shop.rows("SELECT number, total_minor FROM orders"), ["GOOD-1 1000", "GOOD-2 2000"]);
    let bad = String::from_utf8_lossy(&fs::read(shop.path.join("bad.csv")).unwrap()).into_owned();
    assert_eq!(bad.lines().count(), 13, "{bad}");
    for (line, _) in DAMAGE {
        assert!(bad.lines().any(|row| row.starts_with(&format!("{line},"))), "line {line} is not in {bad}");
    }
    // Once more: the good ones are known, the bad ones are still bad.
    let ended = shop.exits("import orders damaged.csv --rejects bad.csv", 1);
    assert!(ended.stdout.contains("0 new") && ended.stdout.contains("2 unchanged"), "{}", ended.stdout);
}

#[test]
fn a_file_that_is_no_table_at_all_changes_nothing() {
    let shop = Shop::new();
    shop.orders("A,EUR,100.00,online,,none,C1,2026-11-15\n");
    fs::write(shop.path.join("noise.csv"), (0..=255).cycle().take(5000).collect::<Vec<u8>>()).unwrap();
    shop.write("empty.csv", "");
    shop.write("header.csv", "order,colour\nA,red\n");
    for (file, code) in [("noise.csv", 1), ("empty.csv", 1), ("header.csv", 1), (".", 2)] {
        let ended = shop.exits(&format!("import orders {file}"), code);
        assert!(!ended.stderr.is_empty(), "{file}");
    }
    assert_eq!(shop.rows("SELECT number FROM orders"), ["A"]);
}

#[test]
fn the_longest_names_make_accounts() {
    let template = format!("Assets:{}:{{customer}}", "x".repeat(82));
    assert_eq!(template.len(), 100);
    let shop = Shop::with(&format!("{CONFIG}\n[accounts]\nreceivables = \"{template}\"\n"));
    let customer = "C".repeat(100);
    shop.orders(&format!("A,EUR,100.00,online,,none,{customer},2026-11-15\n"));
    shop.payments("TX-A,A,,card,EUR,authorised,100.00,2026-11-16T08:00:00Z,,\n");
    shop.documents("invoice,R-A,A,EUR,100.00,,,2026-11-20\n");
    shop.ok("capture");
    let accounts = shop.rows("SELECT length(account) FROM postings WHERE amount_minor < 0");
    assert_eq!(accounts, ["190"]);
    shop.ok("verify");
    let long = Shop::with(&format!("{CONFIG}\n[accounts]\nreceivables = \"x{template}\"\n"));
    let ended = long.exits("check", 3);
    assert!(
        ended.stderr.contains("`accounts.receivables`") && ended.stderr.contains("at most 100 characters"),
        "{}",
        ended.stderr
    );
}
