//! A shop with a messy history: everything that makes a sum odd by right. Made once, copied for every test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use payjournal::ledger::Ledger;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::portal::{Portal, SECRET};
use crate::support::{self, CONFIG, Ended, Shop};

/// When it is verified: after the last thing that happened.
pub(crate) const LATER: &str = "2026-11-23T01:00:00Z";

pub(crate) struct World {
    shop: Shop,
}

fn template() -> &'static Path {
    static MADE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MADE.get_or_init(|| {
        let folder = support::quick_folder();
        let shop = messy_history();
        let path = folder.path().join("shop");
        support::copy(&shop.path, &path);
        (folder, path)
    });
    path
}

const TABLES: &str = "reports = \"reports\"
order_in_reference = \"(?<order>.+)\"
[method.now]
strategy = \"immediate\"
[method.parcel]
strategy = \"shipment\"
[invoices]
enabled = true
mail = false
bill_when = [\"payment_collected\"]
[cleanup]
enabled = true
[collect]
enabled = true
";

fn messy_history() -> Shop {
    let shop = Shop::with(&format!("{CONFIG}{TABLES}"));
    shop.orders(
        "SO-1,EUR,100.00,online,,none,C1,2026-11-15\n\
         SO-2,EUR,80.00,online,,none,C1,2026-11-15\n\
         SO-3,EUR,60.00,online,,none,C1,2026-11-15\n\
         SO-4,EUR,40.00,online,,none,C1,2026-11-15\n\
         SO-5~capture:confirm-late,EUR,100.00,online,,none,C1,2026-11-15\n\
         SO-6~capture:refuse,EUR,30.00,online,,none,C1,2026-11-15\n\
         SO-7,EUR,70.00,online,,none,C1,2026-11-15\n\
         SO-8,EUR,90.00,online,,full,C1,2026-11-15\n\
         SO-9,EUR,55.00,on_account,,none,C1,2026-11-15\n\
         SO-10,JPY,5000,online,,none,C2,2026-11-15\n\
         SO-11,EUR,20.00,online,,none,C1,2026-11-15\n\
         SO-12,EUR,11.90,online,,none,C3,2026-11-15\n\
         SO-13,EUR,23.80,online,,none,C4,2026-11-15\n",
    );
    shop.documents("invoice,R-9,SO-9,EUR,55.00,,,2026-11-17\n");
    let at = "2026-11-16T08:00:00Z,,";
    shop.payments(&format!(
        "TX-1,SO-1,,card,EUR,authorised,120.00,{at}\n\
         TX-2,SO-2,,now,EUR,authorised,80.00,{at}\n\
         TX-3,SO-3,,parcel,EUR,authorised,60.00,{at}\n\
         TX-4,SO-4,,card,EUR,authorised,40.00,{at}\n\
         TX-5,SO-5~capture:confirm-late,,card,EUR,authorised,100.00,{at}\n\
         TX-6,SO-6~capture:refuse,,card,EUR,authorised,30.00,{at}\n\
         TX-7,SO-7,,card,EUR,authorised,70.00,{at}\n\
         TX-8,SO-8,,card,EUR,authorised,90.00,{at}\n\
         TX-9,,R-9,card,EUR,authorised,55.00,{at}\n\
         TX-10,SO-10,,card,JPY,authorised,5000,{at}\n\
         TX-11,SO-11,,now,EUR,authorised,20.00,{at}\n\
         TX-12,SO-12,,card,EUR,captured,11.90,{at}2026-11-16T08:00:00Z\n\
         TX-13,SO-13,,card,EUR,captured,23.80,{at}2026-11-16T08:00:00Z\n"
    ));
    bill(&shop);
    let posted = "EUR,{},,,2026-11-20";
    let invoice = |number: u32, order: &str, total: &str| {
        format!("invoice,R-{number},SO-{order},{}\n", posted.replace("{}", total))
    };
    shop.documents(&format!(
        "{}{}{}{}{}shipment,S-3,SO-3,EUR,60.00,,,2026-11-20\ninvoice,R-10,SO-10,JPY,5000,,,2026-11-20\n",
        invoice(1, "1", "100.00"),
        invoice(4, "4", "40.00"),
        invoice(5, "5~capture:confirm-late", "100.00"),
        invoice(6, "6~capture:refuse", "30.00"),
        invoice(7, "7", "70.00"),
    ));
    shop.ok("sync-payments");
    shop.exits("capture", 1);
    shop.ok("sync-journals");
    shop.documents("credit_note,G-1,SO-1,EUR,30.00,,R-1,2026-11-21\n");
    shop.ok("refunds");
    shop.ok("sync-journals");
    // A person wants the refused one tried again; it is refused again.
    let refused = shop.rows("SELECT id FROM operations WHERE state = 'refused'");
    shop.ok(&format!("retry {}", refused[0]));
    shop.exits("capture", 1);
    outside(&shop);
    shop.ok("credit-note 2026-00003 --line 1=1 --reason returned");
    let night = "--as-of 2026-11-22T23:30:00Z";
    shop.exits(&format!("sync-payments {night}"), 1);
    // What comes last is booked and not delivered.
    shop.documents("invoice,R-2,SO-2,EUR,50.00,,,2026-11-21\ninvoice,R-20,SO-2,EUR,10.00,,,2026-11-21\n");
    // What was captured by hand is more than the order costs.
    shop.exits(&format!("capture {night}"), 1);
    std::fs::create_dir(shop.path.join("reports")).unwrap();
    shop.write("reports/batch-1.csv", REPORT);
    shop.exits(&format!("settlements {night}"), 1);
    collect(&shop);
    clean_up(&shop);
    shop
}

/// One entry is collected, and one whose mandate is of no use is not.
fn collect(shop: &Shop) {
    let head = "entry,assignment_key,customer,currency,amount,due_on";
    shop.write(
        "due.csv",
        &format!("{head}\nW-20,K-20,C5,EUR,9.00,2026-11-20\nW-21~collect:refuse,K-21,C5,EUR,8.00,2026-11-20\n"),
    );
    shop.ok("import entries due.csv");
    shop.write("mandates.csv", "provider,mandate,customer,method,given_on\npsp,MD-20,C5,sepa,2026-11-02\n");
    shop.ok("import mandates mandates.csv");
    shop.exits("collect --as-of 2026-11-22T23:40:00Z", 1);
}

/// Two orders are billed by payjournal, one of them twice: its first invoice was wrong.
fn bill(shop: &Shop) {
    shop.write(
        "lines.csv",
        "order,line,description,quantity,unit_price,tax_rate\nSO-12,1,Thing,1,11.90,19\nSO-13,1,Thing,2,11.90,19\n",
    );
    shop.ok("import order-lines lines.csv");
    shop.ok("finalize-invoices");
    shop.ok("cancel-invoice 2026-00002 --reason wrong");
    shop.ok("finalize-invoices");
}

/// An order nobody paid: deleted, restored, and deleted once more. A portal is told of it, and of a journal.
fn clean_up(shop: &Shop) {
    let portal = Portal::start();
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    shop.write("payjournal.toml", &format!("{config}{}", portal.table()));
    shop.write("portal-secret", SECRET);
    shop.documents("invoice,R-21,SO-2,EUR,7.00,7.00,,2026-11-21\n");
    shop.orders("SO-14,EUR,11.90,online,,none,C3,2026-09-15\n");
    shop.payments("TX-14,SO-14,,card,EUR,expired,,,,\n");
    shop.write("lines.csv", "order,line,description,quantity,unit_price,tax_rate\nSO-14,1,Thing,1,11.90,19\n");
    shop.ok("import order-lines lines.csv");
    shop.write("entries.csv", "entry,order,customer,currency,amount\nW-14,SO-14,C3,EUR,11.90\n");
    shop.ok("import entries entries.csv");
    shop.ok("cleanup-unpaid --as-of 2026-10-20T02:00:00Z");
    shop.ok("restore SO-14 --reason customer-called --as-of 2026-10-20T03:00:00Z");
    shop.ok("cleanup-unpaid --as-of 2026-11-22T23:45:00Z");
}

/// A payout with a line by its transaction, one by its reference, one nobody knows, a chargeback that was won back, and a fee.
const REPORT: &str = "\
Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,Modification Reference,\
Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),\
Scheme Fees (NC),Interchange (NC),Payment Method Variant,Modification Merchant Reference,Batch Number
Shop,Shop,TX-1,SO-1,visa,2026-11-21 12:00:00,CET,Settled,C-1,EUR,,100.00,1,EUR,,99.00,1.00,0,0,0,visa,,1
Shop,Shop,TX-LOST,SO-2,visa,2026-11-21 12:00:00,CET,Settled,C-2,EUR,,80.00,1,EUR,,79.00,1.00,0,0,0,visa,,1
Shop,Shop,TX-NONE,SO-99,visa,2026-11-21 12:00:00,CET,Settled,C-3,EUR,,5.00,1,EUR,,4.00,1.00,0,0,0,visa,,1
Shop,Shop,TX-7,SO-7,visa,2026-11-21 12:00:00,CET,Chargeback,CB-7,EUR,20.00,,1,EUR,20.00,,0,0,0,0,visa,,1
Shop,Shop,TX-7,SO-7,visa,2026-11-21 12:00:00,CET,ChargebackReversed,RV-7,EUR,,20.00,1,EUR,,20.00,0,0,0,0,visa,,1
Shop,Shop,,,,2026-11-21 12:00:00,CET,Fee,monthly,,,,,EUR,2.00,,,,,,,,1
Shop,Shop,,,,2026-11-21 12:00:00,CET,MerchantPayout,bank,,,,,EUR,180.00,,,,,,,,1
";

/// The back office of the PSP: one capture fails after all, two refunds nobody here asked for, a capture by hand.
fn outside(shop: &Shop) {
    let connection = open(&shop.path.join("sandbox.db"));
    let by_hand = |id: &str, transaction: &str, kind: &str, minor: u32| {
        format!(
            "INSERT INTO modifications VALUES ('{id}', 'Shop', '{transaction}', '{kind}', {minor}, 'by hand {id}', 'confirmed',
               '2026-11-21T10:00:00+00:00', '2026-11-21T10:00:00+00:00');"
        )
    };
    let failed = "UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'TX-4';";
    let made = [
        by_hand("BO-7", "TX-7", "refund", 1500),
        by_hand("BO-11", "TX-11", "refund", 2000),
        by_hand("BO-1", "TX-1", "capture", 500),
    ];
    connection.execute_batch(&format!("{failed}{}", made.concat())).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "damage is planted from outside")]
pub(crate) fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

/// The names of the checks that found something.
pub(crate) fn checks_found(document: &Value) -> BTreeSet<String> {
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document}"));
    findings.iter().map(|finding| finding["check"].as_str().unwrap().to_owned()).collect()
}

impl World {
    pub(crate) fn new() -> Self {
        let shop = Shop::with(CONFIG);
        support::copy(template(), &shop.path);
        Self { shop }
    }

    pub(crate) fn run(&self, line: &str) -> Ended {
        let args: Vec<&str> = line.split_whitespace().chain(["--as-of", LATER]).collect();
        self.shop.run(&args)
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        self.shop.json(&format!("{line} --as-of {LATER}"))
    }

    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        self.shop.rows(sql)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.shop.path.join(name)
    }

    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> std::process::Command {
        self.shop.command(args)
    }

    /// Through the library, as the program opens it.
    pub(crate) fn open_ledger(&self) -> Ledger {
        let config = payjournal::config::load(&self.path("payjournal.toml")).unwrap();
        payjournal::run::open_ledger(&config.settings, false, LATER.parse().unwrap()).unwrap()
    }

    pub(crate) fn connection(&self) -> Connection {
        open(&self.path("payjournal.db"))
    }

    pub(crate) fn sandbox(&self, sql: &str) {
        let connection = open(&self.path("sandbox.db"));
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// Changes the ledger behind its triggers, which stand again afterwards.
    pub(crate) fn plant(&self, sql: &str) {
        let connection = self.connection();
        for pragma in ["foreign_keys = OFF", "ignore_check_constraints = ON", "legacy_alter_table = ON"] {
            connection.execute_batch(&format!("PRAGMA {pragma}")).unwrap();
        }
        let triggers: Vec<(String, String)> = connection
            .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        for (name, _) in &triggers {
            connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
        }
        connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        for (_, trigger) in &triggers {
            // The triggers of a table that was dropped are gone with it; any other that did not stand again would be found.
            drop(connection.execute_batch(trigger));
        }
    }
}
