//! `payjournal verify`: nothing is found on what the program writes, and every kind of damage is found by its name.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "in a test a panic is the report")]

mod support;

mod verify {
    pub(crate) mod damage;
    pub(crate) mod files;
    pub(crate) mod outside;
    pub(crate) mod world;
}

use std::collections::BTreeSet;

use payjournal::command::verify::outside::{ERP_CHECKS, PROVIDER_CHECKS};
use payjournal::ledger::Ledger;
use serde_json::Value;

use support::{BINARY, NOW, Shop, ended};
use verify::world::{World, checks_found};
use verify::{damage, files, outside};

#[test]
fn a_messy_history_has_no_finding_neither_here_nor_outside() {
    let world = World::new();
    for line in ["verify", "verify --against-provider --against-erp", "verify --against-provider --against-erp --all"] {
        let ended = world.run(line);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{line}\n{}\n{}", ended.stdout, ended.stderr);
    }
    // And there was something to find fault with.
    for kind in [
        "receipt",
        "prepayment",
        "application",
        "refund",
        "reopening",
        "unapplied_refund",
        "chargeback",
        "chargeback_reversed",
    ] {
        assert!(world.rows("SELECT DISTINCT kind FROM journals").iter().any(|found| found == kind), "no {kind}");
    }
    for kind in ["capture", "refund", "capture_failure"] {
        assert!(world.rows("SELECT DISTINCT kind FROM movements").iter().any(|found| found == kind), "no {kind}");
    }
    for state in ["accepted", "confirmed", "refused"] {
        assert!(world.rows("SELECT DISTINCT state FROM operations").iter().any(|found| found == state), "no {state}");
    }
}

#[test]
fn the_demo_has_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("shop");
    let run = |args: &[&str]| {
        ended(std::process::Command::new(BINARY).env_clear().args(args).args(["--as-of", NOW]).output().unwrap())
    };
    let (place, config) = (place.to_str().unwrap(), place.join("payjournal.toml"));
    assert_eq!(run(&["demo", place]).code, Some(0));
    let config = config.to_str().unwrap();
    let ended = run(&["verify", "--against-provider", "--against-erp", "--all", "-v", "--config", config]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("ledger: ") && ended.stdout.contains(", 0 findings"), "{}", ended.stdout);
}

#[test]
fn every_check_fires_in_a_test_and_stands_in_the_docs() {
    let planted: BTreeSet<&str> = damage::planted().chain(files::PLANTED).chain(outside::PLANTED).collect();
    let mut checks: BTreeSet<&str> = Ledger::checks().into_iter().chain(Ledger::STORAGE_CHECKS).collect();
    checks.extend(PROVIDER_CHECKS.into_iter().chain(ERP_CHECKS));
    let shown = World::new().json("verify");
    let shown: BTreeSet<&str> =
        shown["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    checks.extend(shown);
    assert_eq!(checks, planted, "each check is planted, and nothing else is");
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/accounting.md")).unwrap();
    let silent: Vec<&&str> = checks.iter().filter(|check| !docs.contains(&format!("`{check}`"))).collect();
    assert!(silent.is_empty(), "docs/accounting.md does not tell of {silent:?}");
}

#[test]
fn the_document_for_scripts_has_its_form() {
    let world = World::new();
    let good = world.json("verify");
    assert_eq!((&good["schema"], &good["ok"]), (&Value::from("payjournal/verify/1"), &Value::from(true)));
    assert_eq!((&good["outcome"], &good["exit_code"]), (&Value::from("done"), &Value::from(0)));
    assert!(
        good["checks"].as_array().unwrap().iter().all(|check| check["findings"] == 0 && check["group"].is_string())
    );
    assert_eq!(good["findings"], Value::Array(Vec::new()));
    world.plant("UPDATE operations SET tries = 7 WHERE id = 1");
    let bad = world.json("verify");
    assert_eq!((&bad["ok"], &bad["exit_code"]), (&Value::from(false), &Value::from(1)));
    assert_eq!(checks_found(&bad), BTreeSet::from(["operation-sending".to_owned()]));
    let finding = &bad["findings"][0];
    assert_eq!(finding["subject"], "operation 1 (capture)");
    assert!(finding["message"].as_str().unwrap().contains("counts 7 calls"), "{finding}");
    let text = world.run("verify");
    assert_eq!(text.code, Some(1));
    for part in ["operation-sending", "operation 1 (capture)", "ledger: ", "1 finding\n"] {
        assert!(text.stdout.contains(part), "{part} in\n{}", text.stdout);
    }
}

#[test]
fn a_run_that_died_is_told_and_is_no_finding_but_its_call_is() {
    let world = World::new();
    world.plant("INSERT INTO runs (task, state, started_at, pid, log) VALUES ('capture', 'started', '2026-11-22T01:00:00Z', 1, '')");
    let run = world.rows("SELECT CAST(max(id) AS TEXT) FROM runs").remove(0);
    let dead = world.json("verify");
    assert_eq!(dead["ok"], true, "{dead}");
    assert!(dead["notes"][0].as_str().unwrap().starts_with(&format!("run {run} of capture died")), "{dead}");
    world.plant(&format!("UPDATE operations SET state = 'sent', run_id = {run} WHERE state = 'accepted'"));
    assert!(checks_found(&world.json("verify")).contains("sent-without-run"));
    // As long as the task's lock is held its calls are on their way.
    let lock = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(world.path("payjournal.db.capture.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    assert!(!checks_found(&world.json("verify")).contains("sent-without-run"));
}

#[test]
fn verify_waits_for_nobody_and_nobody_for_it() {
    let world = World::new();
    let writer = world.connection();
    writer.execute_batch("BEGIN IMMEDIATE; UPDATE orders SET bill_to = 'C7'").unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(world.run("verify --against-provider").code, Some(0));
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "it waited for a write lock");
}

#[test]
fn without_a_ledger_or_with_a_wrong_command_line_it_says_so() {
    let shop = Shop::new();
    shop.exits("verify", 6);
    shop.exits("verify --all", 2);
}

/// Looking changes nothing: not the files beside the ledger, and no older schema.
#[test]
fn verify_leaves_everything_as_it_is() {
    let world = World::new();
    let files = || {
        let entries = std::fs::read_dir(world.path("")).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    let (names, bytes) = (files(), std::fs::read(world.path("payjournal.db")).unwrap());
    assert_eq!(world.run("verify --against-provider --against-erp").code, Some(0));
    assert_eq!((files(), std::fs::read(world.path("payjournal.db")).unwrap() == bytes), (names, true));
    world.connection().pragma_update(None, "user_version", 2).unwrap();
    let older = world.run("verify");
    assert_eq!(older.code, Some(6));
    assert!(older.stderr.contains("schema 2") && older.stderr.contains("payjournal status"), "{}", older.stderr);
    let version: i64 = world.connection().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 2);
}

#[test]
fn a_sandbox_file_that_is_not_there_is_told_once() {
    let world = World::new();
    std::fs::remove_file(world.path("sandbox.db")).unwrap();
    let document = world.json("verify --against-provider --all");
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{document:#}");
    assert!(findings[0]["message"].as_str().unwrap().contains("sandbox.db"), "{document:#}");
}
