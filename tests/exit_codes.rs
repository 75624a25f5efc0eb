//! Every exit code from outside, and that with `--json` stdout is one document whatever happens.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{CONFIG, Ended, Shop, ended};

const DOWN: &str = "faults = { capture = \"unreachable\" }\n";

/// The one document on stdout; it must agree with the exit code.
#[track_caller]
fn document(ended: &Ended, outcome: &str, code: i32) -> Value {
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    let document: Value = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("not one document: {error}\n{}", ended.stdout));
    let schema = document["schema"].as_str().unwrap_or_default();
    assert!(schema.starts_with("payjournal/") && schema.ends_with("/1"), "{document:#}");
    assert_eq!((&document["outcome"], &document["exit_code"]), (&outcome.into(), &code.into()), "{document:#}");
    if matches!(code, 2 | 3 | 4 | 6 | 70) {
        let error = &document["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{document:#}");
        assert!(error["causes"].is_array() && error["hints"].is_array(), "{document:#}");
    } else if code == 0 {
        assert!(document.get("error").is_none_or(Value::is_null), "{document:#}");
    }
    check_values("", &document);
    document
}

/// No float anywhere, money as text with its currency, times as RFC 3339 in UTC.
#[track_caller]
fn check_values(key: &str, value: &Value) {
    match value {
        Value::Number(number) => assert!(number.is_i64() || number.is_u64(), "`{key}` is {number}"),
        Value::Array(values) => values.iter().for_each(|value| check_values(key, value)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| check_values(key, value)),
        Value::String(text)
            if ["as_of", "started_at", "finished_at", "next_run", "since", "next_attempt_at"].contains(&key) =>
        {
            let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            assert_eq!(shape, "0000-00-00T00:00:00Z", "`{key}`");
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    if ["amount", "sum"].contains(&key) && value.is_object() {
        let money = value.as_object().unwrap();
        assert_eq!(money.keys().collect::<Vec<_>>(), ["amount", "currency"]);
        let text = money["amount"].as_str().unwrap();
        assert!(text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-'), "{text}");
        assert_eq!(money["currency"].as_str().unwrap().len(), 3);
    }
}

fn json(shop: &Shop, line: &str) -> Ended {
    let args: Vec<&str> = line.split_whitespace().chain(["--json"]).collect();
    shop.run(&args)
}

/// Runs a task twice, for people and for scripts, on two shops in the same state.
#[track_caller]
fn both(make: &dyn Fn() -> Shop, line: &str, outcome: &str, code: i32) -> (Ended, Value) {
    let told = make().exits(line, code);
    let document = document(&json(&make(), line), outcome, code);
    assert_eq!(document["schema"], "payjournal/run/1");
    (told, document)
}

fn shop_with(orders: &[&str], config: &str) -> Shop {
    let shop = Shop::with(config);
    for order in orders {
        shop.one_order(order);
    }
    shop
}

#[test]
fn exit_0_is_done_and_also_nothing_to_do() {
    let (told, document) = both(&|| shop_with(&["A"], CONFIG), "capture", "done", 0);
    assert_eq!((told.stdout.as_str(), told.stderr.as_str()), ("", ""));
    assert_eq!(document["confirmed"][0]["kind"], "capture");
    let shop = shop_with(&["A"], CONFIG);
    shop.ok("capture");
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    self::document(&json(&shop, "refunds"), "done", 0);
}

#[test]
fn exit_1_is_finished_and_only_the_run_that_raised_the_exception_has_it() {
    let make = || shop_with(&["A", "B~capture:refuse"], CONFIG);
    let (told, document) = both(&make, "capture", "needs_person", 1);
    assert!(
        told.stderr.contains("payjournal status") && told.stderr.contains("refused by the card issuer"),
        "{}",
        told.stderr
    );
    assert_eq!(document["exceptions"].as_array().unwrap().len(), 1);
    let shop = make();
    shop.exits("capture", 1);
    shop.ok("capture --as-of 2026-11-23T02:00:00Z");
    assert_eq!(shop.json("status")["exceptions"].as_array().unwrap().len(), 1);
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn exit_2_is_a_wrong_command_line() {
    let shop = Shop::new();
    for line in [
        "capture --nonsense",
        "nonsense",
        "capture surplus",
        "capture --as-of yesterday",
        "import",
        "import orders",
        "import nonsense file.csv",
        "export --format pdf",
        "show order",
        "retry x",
    ] {
        let told = shop.exits(line, 2);
        assert!(told.stdout.is_empty() && told.stderr.starts_with("error: "), "`{line}`: {}", told.stderr);
        document(&json(&shop, line), "usage_error", 2);
    }
    assert_eq!(fs::read_dir(&shop.path).unwrap().count(), 1, "nothing but the config");
    // An import names a file that is not there.
    let told = shop.exits("import orders missing.csv", 2);
    assert!(told.stderr.contains("missing.csv"), "{}", told.stderr);
    document(&json(&shop, "import orders missing.csv"), "usage_error", 2);
}

#[test]
fn exit_3_is_a_wrong_configuration() {
    let bad = format!("{CONFIG}\n[task.capture]\nbatch_sise = 3\n");
    for task in ["sync-payments", "capture", "refunds", "sync-journals"] {
        let (told, document) = both(&|| Shop::with(&bad), task, "config_error", 3);
        assert!(told.stdout.is_empty(), "{}", told.stdout);
        for wanted in ["payjournal.toml:11:1", "batch_sise", "batch_size"] {
            assert!(told.stderr.contains(wanted), "{wanted} is not in {}", told.stderr);
        }
        assert!(document["error"]["message"].as_str().unwrap().contains("batch_sise"));
    }
    let shop = Shop::with(&bad);
    for line in ["check", "status", "import orders o.csv", "show order A", "export", "retry 1", "sandbox record"] {
        document(&json(&shop, line), "config_error", 3);
    }
    document(&json(&shop, "capture --config missing.toml"), "config_error", 3);
}

#[test]
fn exit_4_is_another_run_of_the_task() {
    let shop = shop_with(&["A"], CONFIG);
    let lock = File::create(shop.path.join("payjournal.db.capture.lock")).unwrap();
    lock.lock().unwrap();
    let told = shop.exits("capture", 4);
    assert!(told.stdout.is_empty() && told.stderr.contains("`capture` is running already"), "{}", told.stderr);
    let document = document(&json(&shop, "capture"), "locked", 4);
    assert_eq!(document["schema"], "payjournal/run/1");
    for line in ["capture --dry-run", "refunds", "status"] {
        shop.ok(line);
    }
    assert!(shop.psp_record().is_empty());
    // A wrong configuration outranks the lock.
    shop.write("payjournal.toml", "nonsense = 1\n");
    shop.exits("capture", 3);
    shop.write("payjournal.toml", CONFIG);
    lock.unlock().unwrap();
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
}

#[test]
fn exit_5_is_a_remote_system_that_does_not_answer() {
    let make = || shop_with(&["A"], &format!("{CONFIG}{DOWN}"));
    let (told, document) = both(&make, "capture", "unreachable", 5);
    assert!(told.stderr.contains("no connection to the PSP"), "{}", told.stderr);
    assert_eq!(document["unreachable"], 1);
    let shop = make();
    shop.exits("capture", 5);
    shop.write("payjournal.toml", CONFIG);
    shop.ok("capture --as-of 2026-11-22T03:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    // Carried out but not answered: unreachable for now, and never sent a second time.
    let shop = shop_with(&["A~capture:timeout-after"], CONFIG);
    shop.exits("capture", 5);
    shop.ok("capture --as-of 2026-11-22T03:00:00Z");
    assert_eq!(shop.psp_record(), ["capture TX-A~capture:timeout-after 10000"]);
}

#[test]
fn exit_5_outranks_1_and_both_are_told() {
    let make = || shop_with(&["A~capture:unreachable", "B~capture:refuse", "C"], CONFIG);
    let (told, document) = both(&make, "capture", "unreachable", 5);
    assert!(told.stderr.contains("no connection to the PSP"), "{}", told.stderr);
    assert!(told.stderr.contains("refused by the card issuer"), "{}", told.stderr);
    assert_eq!((&document["unreachable"], document["exceptions"].as_array().unwrap().len()), (&1.into(), 1));
    let shop = make();
    shop.exits("capture", 5);
    assert_eq!(shop.psp_record(), ["capture TX-C 10000"]);
}

#[test]
fn exit_6_is_a_ledger_that_refuses() {
    for task in ["sync-payments", "capture", "refunds", "sync-journals"] {
        let (told, document) = both(&Shop::new, task, "ledger_refused", 6);
        assert!(told.stderr.contains("there is no ledger at") && told.stderr.contains("hint: "), "{}", told.stderr);
        assert!(!document["error"]["hints"].as_array().unwrap().is_empty());
    }
    let shop = Shop::new();
    for line in ["status", "export", "show order A", "retry 1", "resolve 1", "capture --dry-run", "capture --scheduled"]
    {
        shop.exits(line, 6);
        document(&json(&shop, line), "ledger_refused", 6);
    }
}

#[test]
fn exit_130_and_143_are_a_run_that_was_stopped() {
    for (signal, outcome, code) in [("INT", "interrupted", 130), ("TERM", "terminated", 143)] {
        let shop = shop_with(&["A", "B"], &format!("{CONFIG}faults = {{ capture = \"too-many-requests\" }}\n"));
        let moments = shop.path.join("moments");
        let mut command = shop.command(&["capture", "--json"]);
        command.env("PAYJOURNAL_KILL_LOG", &moments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let start = Instant::now();
        while !fs::read_to_string(&moments).unwrap_or_default().contains("BeforeCall") {
            assert!(start.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(10));
        }
        Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap();
        let stopped = ended(child.wait_with_output().unwrap());
        document(&stopped, outcome, code);
        shop.ok("capture --as-of 2026-11-23T02:00:00Z");
        assert_eq!(shop.psp_record(), ["capture TX-A 10000", "capture TX-B 10000"]);
    }
}

#[test]
fn every_command_that_knows_json_answers_with_one_document() {
    let shop = shop_with(&["A", "B~capture:refuse"], CONFIG);
    document(&json(&shop, "capture"), "needs_person", 1);
    document(&json(&shop, "sync-journals"), "done", 0);
    shop.write("more.csv", "order,currency,total,ordered_on\nC,EUR,1.00,2026-11-20\n");
    shop.write("bad.csv", "order,currency,total,ordered_on\nD,EUR,1.005,2026-11-20\n");
    for (line, outcome, code) in [
        ("status", "done", 0),
        ("show order A", "done", 0),
        ("show payment TX-A", "done", 0),
        ("show document R-A", "done", 0),
        ("check", "done", 0),
        ("check --show", "done", 0),
        ("import orders more.csv", "done", 0),
        ("import orders bad.csv", "needs_person", 1),
        ("sandbox record", "done", 0),
        ("resolve 1", "done", 0),
        ("retry 2", "done", 0),
        ("capture --dry-run", "done", 0),
        ("capture --scheduled", "done", 0),
    ] {
        let ended = json(&shop, line);
        assert_eq!(ended.code, Some(code), "`{line}`: {}{}", ended.stdout, ended.stderr);
        document(&ended, outcome, code);
    }
}

#[test]
fn what_is_not_there_is_told_in_one_document_too() {
    let shop = shop_with(&["A"], CONFIG);
    for line in ["show order nobody", "show payment nobody", "show document nobody", "retry 999", "resolve 999"] {
        let ended = json(&shop, line);
        let code = ended.code.unwrap();
        assert!([1, 2].contains(&code), "`{line}` ended with {code}");
        let document: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(document["exit_code"], code, "{document:#}");
        assert!(document["error"]["message"].is_string(), "`{line}`: {document:#}");
    }
}

#[test]
fn money_is_exact_text_in_every_currency() {
    let shop = Shop::new();
    shop.orders(
        "E,EUR,12.30,online,,none,C1,2026-11-15\nJ,JPY,500,online,,none,C1,2026-11-15\nK,KWD,1.234,online,,none,C1,2026-11-15\n",
    );
    shop.payments(
        "TX-E,E,,card,EUR,authorised,12.30,2026-11-16T08:00:00Z,,\nTX-J,J,,card,JPY,authorised,500,2026-11-16T08:00:00Z,,\n\
         TX-K,K,,card,KWD,authorised,1.234,2026-11-16T08:00:00Z,,\n",
    );
    shop.documents(
        "invoice,R-E,E,EUR,12.30,,,2026-11-20\ninvoice,R-J,J,JPY,500,,,2026-11-20\ninvoice,R-K,K,KWD,1.234,,,2026-11-20\n",
    );
    for (line, list) in [("capture --dry-run", "steps"), ("capture", "steps"), ("sync-journals", "steps")] {
        let document = document(&json(&shop, line), "done", 0);
        let all = document[list].as_array().unwrap();
        let amounts: BTreeSet<String> =
            all.iter().map(|step| step["amount"].to_string()).filter(|amount| amount != "null").collect();
        let wanted = [("1.234", "KWD"), ("12.30", "EUR"), ("500", "JPY")];
        let wanted =
            wanted.map(|(amount, currency)| format!("{{\"amount\":\"{amount}\",\"currency\":\"{currency}\"}}"));
        assert_eq!(amounts, BTreeSet::from(wanted), "{line}");
    }
    assert_eq!(shop.psp_record(), ["capture TX-E 1230", "capture TX-J 500", "capture TX-K 1234"]);
}

/// The fields of payjournal/run/1. A line may be added here, never taken away: scripts read them.
const RUN_1: [&str; 33] = [
    "as_of",
    "cases",
    "confirmed",
    "confirmed.count",
    "confirmed.kind",
    "confirmed.sum",
    "confirmed.sum.amount",
    "confirmed.sum.currency",
    "dry_run",
    "error",
    "error.causes",
    "error.hints",
    "error.message",
    "exceptions",
    "exceptions.id",
    "exceptions.kind",
    "exceptions.message",
    "exceptions.subject",
    "exit_code",
    "log",
    "outcome",
    "refused",
    "run",
    "schema",
    "steps",
    "steps.about",
    "steps.action",
    "steps.amount",
    "steps.outcome",
    "steps.reason",
    "steps_left_out",
    "task",
    "unreachable",
];

fn fields(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| fields(prefix, value, found)),
        Value::Object(object) => {
            for (key, value) in object {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                fields(&path, value, found);
                found.insert(path);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn no_field_of_the_first_version_of_a_runs_document_is_ever_removed() {
    let shop = shop_with(&["A", "B~capture:refuse", "C~capture:unreachable"], CONFIG);
    let worked = document(&json(&shop, "capture"), "unreachable", 5);
    let failed = document(&json(&Shop::new(), "capture"), "ledger_refused", 6);
    let mut found = BTreeSet::new();
    fields("", &worked, &mut found);
    fields("", &failed, &mut found);
    let removed: Vec<&str> = RUN_1.into_iter().filter(|field| !found.contains(*field)).collect();
    assert!(removed.is_empty(), "removed from payjournal/run/1: {removed:?}\n{worked:#}");
    // The four that every document has, whatever happened.
    for field in ["schema", "outcome", "exit_code", "error"] {
        assert!(failed.get(field).is_some(), "{field}");
    }
    // A dry run has the same fields as a run.
    let planned = document(&json(&shop, "capture --dry-run"), "done", 0);
    let top = |document: &Value| {
        document.as_object().unwrap().keys().filter(|key| *key != "error").cloned().collect::<Vec<_>>()
    };
    assert_eq!(top(&planned), top(&worked));
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let shop = shop_with(&["A"], CONFIG);
    let unread = |line: &str| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = shop.command(&line.split(' ').collect::<Vec<_>>());
        ended(command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap())
    };
    for line in [
        "status",
        "status --json",
        "show order A",
        "export",
        "check --show",
        "sandbox record",
        "man",
        "completions bash",
        "--help",
        "import --describe orders",
        "capture --dry-run",
        "sync-payments --json",
        "capture -q",
        "sync-journals --json",
    ] {
        let ended = unread(line);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "`{line}`");
    }
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    assert_eq!(shop.rows("SELECT amount_minor FROM journals"), ["10000"], "a task finishes its work");
    assert_eq!(shop.rows("SELECT exit_code FROM runs WHERE exit_code <> 0"), Vec::<String>::new());
}
