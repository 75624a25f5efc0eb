//! The ledger against the sandbox's own file, and against an ERP that has something else to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use payjournal::command::verify::outside::against_erp;
use payjournal::domain::document::Document;
use payjournal::domain::id::ModificationId;
use payjournal::domain::money::Amount;
use payjournal::erp::Erp;
use payjournal::ledger::Ledger;
use payjournal::operation::request::JournalRequest;
use payjournal::operation::{Answer, LookUp, Refusal};
use payjournal::provider::PortError;
use payjournal::run::ports::Ports;

use super::world::{LATER, World, checks_found};

pub(crate) const PLANTED: [&str; 12] = [
    "provider-movement-missing",
    "provider-movement-unknown",
    "provider-amount",
    "provider-failure-missing",
    "provider-failure-unknown",
    "provider-authorised",
    "provider-status",
    "provider-not-compared",
    "erp-outstanding",
    "erp-journal-missing",
    "erp-journal-differs",
    "erp-not-compared",
];

#[test]
fn what_the_psp_has_otherwise_is_found() {
    for (check, sql) in [
        (
            "provider-movement-missing",
            "INSERT INTO modifications VALUES ('X-1', 'Shop', 'TX-3', 'refund', 1, 'x', 'confirmed', '2026-11-23T00:00:00+00:00',
               '2026-11-23T00:00:00+00:00')",
        ),
        // The same key once more: a PSP that forgets keys makes a second effect of it.
        (
            "provider-movement-missing",
            "DROP TABLE keys;
             CREATE TABLE copy AS SELECT * FROM modifications;
             INSERT INTO copy SELECT 'X-1', merchant_account, transaction_id, kind, amount_minor, key, ends, settles_at, made_at
               FROM modifications WHERE transaction_id = 'TX-1' AND kind = 'capture' AND id NOT LIKE 'BO%';
             DROP TABLE modifications;
             ALTER TABLE copy RENAME TO modifications;
             CREATE TABLE keys (key TEXT PRIMARY KEY, request TEXT NOT NULL, tries INTEGER NOT NULL, refusal_code TEXT, refusal_message TEXT)",
        ),
        ("provider-movement-unknown", "DELETE FROM modifications WHERE id = 'BO-7'"),
        ("provider-movement-unknown", "UPDATE modifications SET settles_at = '2027-01-01T00:00:00+00:00' WHERE id = 'BO-7'"),
        ("provider-amount", "UPDATE modifications SET amount_minor = amount_minor - 1 WHERE id = 'BO-7'"),
        ("provider-failure-missing", "UPDATE modifications SET ends = 'failed' WHERE id = 'BO-7'"),
        ("provider-failure-unknown", "UPDATE modifications SET ends = 'confirmed' WHERE transaction_id = 'TX-4'"),
        ("provider-authorised", "UPDATE transactions SET authorised_minor = authorised_minor + 1 WHERE id = 'TX-6'"),
        ("provider-status", "UPDATE transactions SET status = 'expired' WHERE id = 'TX-6'"),
        ("provider-not-compared", "DELETE FROM transactions WHERE id = 'TX-10'; DELETE FROM modifications WHERE transaction_id = 'TX-10'"),
    ] {
        let world = World::new();
        world.sandbox(sql);
        assert_eq!(checks_found(&world.json("verify --against-erp")), BTreeSet::new(), "{check} without asking the PSP");
        let document = world.json("verify --against-provider --all");
        assert_eq!(checks_found(&document), BTreeSet::from([check.to_owned()]), "{sql}\n{document:#}");
        assert_eq!(document["exit_code"], 1);
    }
}

#[test]
fn what_is_final_and_old_is_compared_on_demand_only() {
    let world = World::new();
    world.sandbox("DELETE FROM modifications WHERE id = 'BO-7'");
    let later = ["--as-of", "2027-11-24T02:00:00Z"];
    let run = |line: &str| {
        let args: Vec<String> =
            line.split_whitespace().map(ToOwned::to_owned).chain(later.map(ToOwned::to_owned)).collect();
        crate::support::ended(world.command(&args).output().unwrap()).stdout
    };
    assert!(!run("verify --against-provider").contains("BO-7"));
    assert!(run("verify --against-provider --all").contains("BO-7"));
}

#[test]
fn a_side_that_cannot_be_asked_is_exit_code_5() {
    let world = World::new();
    let config = std::fs::read_to_string(world.path("payjournal.toml")).unwrap();
    std::fs::write(
        world.path("payjournal.toml"),
        format!("{config}[erp]\nkind = \"local\"\nfault = \"unreachable\"\n"),
    )
    .unwrap();
    let document = world.json("verify --against-erp");
    assert_eq!((document["exit_code"].as_i64(), document["outcome"].as_str()), (Some(5), Some("unreachable")));
    assert_eq!(checks_found(&document), BTreeSet::from(["erp-not-compared".to_owned()]));
    assert_eq!(document["findings"].as_array().unwrap().len(), 1, "once, not for every document");
}

/// An ERP that says what a test tells it to.
struct Told {
    open: fn(&Document) -> Result<Amount, PortError>,
    journal: fn(&JournalRequest) -> LookUp,
}

impl Erp for Told {
    fn outstanding(&self, document: &Document) -> Result<Amount, PortError> {
        (self.open)(document)
    }

    fn deliver(&self, _: &JournalRequest) -> Answer {
        panic!("verify delivers nothing")
    }

    fn look_up(&self, request: &JournalRequest) -> LookUp {
        (self.journal)(request)
    }

    fn settles_after(&self) -> Duration {
        Duration::ZERO
    }
}

fn as_booked(document: &Document) -> Result<Amount, PortError> {
    document.outstanding().map_err(|error| PortError::CannotTell { why: error.to_string() })
}

fn confirmed_as(number: &str) -> LookUp {
    let modification = ModificationId::parse(number).unwrap();
    LookUp::Found(Answer::Confirmed { modification, at: LATER.parse().unwrap(), amount: None })
}

fn found_with(ledger: &Ledger, erp: Told) -> (BTreeSet<&'static str>, bool) {
    let ports = Ports { providers: BTreeMap::new(), erp: Box::new(erp), post: None, portal: None };
    let compared = against_erp(ledger, &ports, None, LATER.parse().unwrap(), 3).unwrap();
    (compared.findings.iter().map(|finding| finding.check).collect(), compared.is_unreachable)
}

#[test]
fn what_the_erp_has_otherwise_is_found() {
    let world = World::new();
    let ledger = world.open_ledger();
    let as_delivered = |request: &JournalRequest| confirmed_as(&request.number);
    let found = |open, journal| found_with(&ledger, Told { open, journal });
    assert_eq!(found(as_booked, as_delivered), (BTreeSet::new(), false));
    let other = |document: &Document| Ok(document.total.checked_add(document.total).unwrap());
    assert_eq!(found(other, as_delivered), (BTreeSet::from(["erp-outstanding"]), false));
    let unsure = |_: &Document| Err(PortError::CannotTell { why: "locked".to_owned() });
    assert_eq!(found(unsure, as_delivered), (BTreeSet::from(["erp-not-compared"]), false));
    assert_eq!(found(as_booked, |_| LookUp::Absent), (BTreeSet::from(["erp-journal-missing"]), false));
    assert_eq!(found(as_booked, |_| confirmed_as("PJ-OTHER")), (BTreeSet::from(["erp-journal-differs"]), false));
    let refused = |_: &JournalRequest| {
        let (code, message) = ("journal_differs".to_owned(), "another amount".to_owned());
        LookUp::Found(Answer::Refused(Refusal { code, message, transient: false }))
    };
    assert_eq!(found(as_booked, refused), (BTreeSet::from(["erp-journal-differs"]), false));
    let silent = |_: &JournalRequest| LookUp::CannotTell { why: "down".to_owned() };
    assert_eq!(found(as_booked, silent), (BTreeSet::from(["erp-not-compared"]), true));
}
