//! What is wrong with the files: who may read them, and what a dead process left.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::world::{World, checks_found, open};

pub(crate) const PLANTED: [&str; 5] = ["config-mode", "ledger-mode", "ledger-folder-mode", "log-mode", "wal-leftover"];

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn modes_that_let_others_in_are_found() {
    type Plant = fn(&World);
    let cases: [(&str, Plant); 5] = [
        ("config-mode", |world| chmod(&world.path("payjournal.toml"), 0o646)),
        ("ledger-mode", |world| chmod(&world.path("payjournal.db"), 0o640)),
        ("ledger-folder-mode", |world| chmod(&world.path(""), 0o777)),
        ("log-mode", |world| chmod(&world.path("logs"), 0o757)),
        ("log-mode", |world| {
            let log = fs::read_dir(world.path("logs")).unwrap().next().unwrap().unwrap();
            chmod(&log.path(), 0o604);
        }),
    ];
    for (check, plant) in cases {
        let world = World::new();
        plant(&world);
        let document = world.json("verify");
        assert_eq!(checks_found(&document), BTreeSet::from([check.to_owned()]), "{document:#}");
        let message = document["findings"][0]["message"].as_str().unwrap();
        assert!(message.contains("chmod"), "{message}");
        chmod(&world.path(""), 0o700);
    }
}

#[test]
fn what_a_dead_process_left_in_the_log_is_found_until_a_run_takes_it_over() {
    let world = World::new();
    let kept = world.connection();
    kept.execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE orders SET bill_to = 'C7' WHERE number = 'SO-1'")
        .unwrap();
    // In use, it is nobody's leftover.
    assert_eq!(checks_found(&world.json("verify")), BTreeSet::new());
    let dead = World::new();
    assert!(fs::metadata(world.path("payjournal.db-wal")).unwrap().len() > 0);
    for name in ["payjournal.db", "payjournal.db-wal"] {
        fs::copy(world.path(name), dead.path(name)).unwrap();
    }
    for _ in 0..2 {
        let document = dead.json("verify");
        assert_eq!(checks_found(&document), BTreeSet::from(["wal-leftover".to_owned()]), "{document:#}");
    }
    assert_eq!(dead.rows("SELECT bill_to FROM orders WHERE number = 'SO-1'"), ["C7"]);
    assert_eq!(checks_found(&dead.json("verify")), BTreeSet::new(), "whoever wrote since has taken it over");
}

#[test]
fn a_database_with_broken_pages_is_told_with_exit_code_6() {
    let world = World::new();
    let page: i64 = world.connection().query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    let root: i64 = world
        .connection()
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = 'movements_by_payment'", [], |row| row.get(0))
        .unwrap();
    drop(open(&world.path("payjournal.db")));
    let mut bytes = fs::read(world.path("payjournal.db")).unwrap();
    let start = usize::try_from(page * (root - 1)).unwrap();
    for byte in &mut bytes[start..start + usize::try_from(page).unwrap()] {
        *byte = 0x5a;
    }
    fs::write(world.path("payjournal.db"), bytes).unwrap();
    let document = world.json("verify");
    assert_eq!(document["exit_code"], 6, "{document:#}");
    assert!(checks_found(&document).contains("database-integrity"), "{document:#}");
}
