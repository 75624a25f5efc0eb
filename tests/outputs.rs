//! Files that somebody names are written whole, and what payjournal needs itself is not overwritten.

mod support;

use support::{CONFIG, Shop};

#[test]
fn what_payjournal_lives_on_is_never_replaced_by_what_it_writes() {
    let shop = Shop::with(CONFIG);
    shop.one_order("SO-1");
    shop.ok("capture");
    let before = shop.rows("SELECT count(*) FROM orders");
    std::fs::copy(shop.path.join("payjournal.toml"), shop.path.join("kept.toml")).unwrap();
    for (command, why) in [
        ("export --output payjournal.db", "is of a database"),
        ("export --output ./payjournal.db-wal", "is of a database"),
        ("export --output sandbox.db", "is of a database"),
        ("export --output payjournal.db.capture.lock", "is of a database"),
        ("export --output payjournal.toml", "is the config"),
        ("export --output mail", "is a folder"),
        ("import orders --rejects payjournal.db payjournal.toml", "is of a database"),
    ] {
        std::fs::File::options().create(true).append(true).open(shop.path.join("payjournal.db-wal")).unwrap();
        std::fs::create_dir_all(shop.path.join("mail")).unwrap();
        let refused = shop.exits(command, 2).stderr;
        assert!(refused.contains(why), "`{command}`: {refused}");
    }
    assert_eq!(shop.rows("SELECT count(*) FROM orders"), before);
    // A link is followed, and a device written into.
    std::os::unix::fs::symlink("books.journal", shop.path.join("link")).unwrap();
    shop.write("books.journal", "old");
    shop.ok("export --output link");
    assert!(shop.path.join("link").is_symlink());
    assert!(std::fs::read_to_string(shop.path.join("books.journal")).unwrap().len() > 3);
    shop.ok("export --output /dev/null");
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    // What was handed over is not replaced by what is new.
    shop.write("handed.csv", "fetched by nobody yet");
    let refused = shop.exits("export --format csv --month 2026-11 --new --output handed.csv", 2).stderr;
    assert!(refused.contains("is there already"), "{refused}");
}

#[test]
fn a_file_that_is_not_there_makes_no_ledger() {
    let shop = Shop::with(CONFIG);
    std::fs::remove_file(shop.path.join("payjournal.db")).unwrap_or_default();
    let refused = shop.exits("import orders typo.csv", 2).stderr;
    assert!(refused.contains("failed to read `typo.csv`"), "{refused}");
    assert!(!shop.path.join("payjournal.db").exists());
}
