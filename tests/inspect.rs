//! `status` and `show` on a small ledger: what people read and what scripts read.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::Path;

use chrono::{DateTime, Utc};
use payjournal::command::show::{self, ShowWhat};
use payjournal::command::{export, status};
use payjournal::config::{self, Settings};
use payjournal::domain::booking::{Accounts, Books};
use payjournal::domain::consequence::{LearntFrom, MovementDraft};
use payjournal::domain::exception::{About, ExceptionDraft, ExceptionKind};
use payjournal::domain::id::{Company, CustomerNumber, DocumentId, ModificationId, OrderId, PaymentId};
use payjournal::domain::money::{Amount, Currency};
use payjournal::domain::movement::MovementKind;
use payjournal::exit::Exit;
use payjournal::failure::Failure;
use payjournal::ledger::{Ledger, OpenOptions};
use payjournal::operation::{Event, Intent, Key, Kind, Subject};
use serde_json::Value;
use tempfile::TempDir;

fn now() -> DateTime<Utc> {
    "2026-11-22T14:00:00Z".parse().unwrap()
}

fn euros(minor: i64) -> Amount {
    Amount::from_minor(minor, Currency::parse("EUR").unwrap())
}

/// Two orders, one of them with a number that stands in two shops, an authorised payment of 200 EUR and an invoice of 119 EUR.
const FACTS: &str = "
    INSERT INTO orders VALUES (1, 'WEB', '1001', 'EUR', 20000, 'online', NULL, 'none', 'C1', 'in_progress', '2026-11-01', 0, 0),
                              (2, 'B2B', '1001', 'EUR', 5000, 'online', NULL, 'none', 'C2', 'new', '2026-11-01', 0, 0),
                              (3, 'WEB', '1002', 'EUR', 5000, 'online', NULL, 'none', 'C2', 'new', '2026-11-01', 0, 0);
    INSERT INTO payments VALUES (1, 'sandbox', 'Demo', 'tx-1', 1, 'card', 'EUR', 'authorised', '2026-11-01T08:00:00Z',
                                 '2026-11-01T08:00:00Z', '2026-11-29T08:00:00Z', '', NULL);
    INSERT INTO authorisations VALUES (1, 1, 20000, '2026-11-01T08:00:00Z');
    INSERT INTO documents VALUES (1, 'main', 'invoice', '103210', 1, 'C1', 'EUR', 11900, 0, NULL, '2026-11-02');
";

struct World {
    _folder: TempDir,
    settings: Settings,
    ledger: Ledger,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("payjournal.toml");
    std::fs::write(
        &config,
        "[provider.sandbox]\nmerchant_account = \"Demo\"\n[task.refunds]\nrun_on_schedule = false\n",
    )
    .unwrap();
    let settings = config::load(&config).unwrap().settings;
    let books = Books {
        mode: "test",
        shop: settings.shop.clone(),
        time_zone: chrono_tz::Europe::Berlin,
        accounts: Accounts { ..settings.accounts.clone() },
        company: Company::parse("main").unwrap(),
        default_customer: CustomerNumber::parse("CASH").unwrap(),
    };
    let options = OpenOptions { create: true, allow_network_filesystem: true };
    let ledger = Ledger::open(&settings.ledger, options, books, now()).unwrap();
    insert(&settings.ledger, FACTS);
    World { _folder: folder, settings, ledger }
}

#[expect(clippy::disallowed_methods, reason = "facts that an import would bring in, without its files")]
fn insert(ledger: &Path, sql: &str) {
    rusqlite::Connection::open(ledger).unwrap().execute_batch(sql).unwrap();
}

/// A capture of 119 EUR that went through, a release that was given up, and an exception.
fn history(world: &mut World) {
    let intent = |kind, document, minor, key: &str| Intent {
        kind,
        subject: Subject::payment(PaymentId(1), document),
        amount: Some(euros(minor)),
        attempt: 1,
        key: Key::from_ledger(key.to_owned()),
    };
    let change = |writer: &payjournal::ledger::Writer<'_>| {
        let run = writer.start_run("capture", 1)?;
        let capture = writer
            .record_intent(&intent(Kind::Capture, Some(DocumentId(1)), 11_900, "key-1"), "invoice 103210 is posted")?;
        writer.mark_sent(capture, now())?;
        writer.move_operation(capture, Event::Confirm, "")?;
        writer.record_movement(&MovementDraft {
            payment: PaymentId(1),
            kind: MovementKind::Capture,
            modification: ModificationId::parse("cap-1").unwrap(),
            amount: euros(11_900),
            occurred_at: "2026-11-21T23:30:00Z".parse().unwrap(),
            operation: Some(capture),
            document: Some(DocumentId(1)),
            learnt_from: LearntFrom::Answer,
            key: None,
        })?;
        let release =
            writer.record_intent(&intent(Kind::Release, None, 8_100, "key-2"), "the order is fully invoiced")?;
        writer.move_operation(release, Event::GiveUp, "no answer for 90 days")?;
        writer.raise(
            &ExceptionDraft {
                kind: ExceptionKind::GivenUp,
                subject: "release of payment tx-1".to_owned(),
                message: "no answer for 90 days".to_owned(),
                about: About { order: Some(OrderId(1)), operation: Some(release), ..About::default() },
            },
            None,
        )?;
        writer.finish_run(run, Exit::NeedsPerson.code(), None, 0, now())?;
        // A run whose process cannot be alive.
        writer.start_run("sync-journals", u32::MAX)?;
        Ok(())
    };
    world.ledger.write("history", None, now(), change).unwrap();
}

fn shown(world: &World, what: ShowWhat, id: &str) -> Result<(String, Value), Failure> {
    let (mut text, mut json) = (Vec::new(), Vec::new());
    assert_eq!(show::run(what, id, &world.ledger, false, &mut text)?, Exit::Done);
    show::run(what, id, &world.ledger, true, &mut json)?;
    Ok((String::from_utf8(text).unwrap(), serde_json::from_slice(&json).unwrap()))
}

fn status(world: &World) -> (String, Value) {
    let (mut text, mut json) = (Vec::new(), Vec::new());
    status::run(&world.settings, &world.ledger, now(), false, &mut text).unwrap();
    status::run(&world.settings, &world.ledger, now(), true, &mut json).unwrap();
    (String::from_utf8(text).unwrap(), serde_json::from_slice(&json).unwrap())
}

#[test]
fn a_new_ledger_has_nothing_to_say() {
    let (text, json) = status(&world());
    snapbox::assert_data_eq!(
        text,
        snapbox::str![[r"
 task          | last result | last run (UTC) | next run (UTC) 
---------------+-------------+----------------+----------------
 sync-payments | never run   | -              | now            
 capture       | never run   | -              | now            
 refunds       | never run   | -              | -              
 sync-journals | never run   | -              | now            
 settlements   | never run   | -              | now            

Nothing needs a person.

Nothing is pending.

"]]
    );
    assert_eq!(json["tasks"][0]["last_result"], "never_run");
    assert_eq!(json["tasks"][2]["next_run"], Value::Null);
    assert_eq!(json["pending"], Value::Array(Vec::new()));
}

#[test]
fn status_tells_how_runs_ended_what_needs_a_person_and_what_is_pending() {
    let mut world = world();
    history(&mut world);
    let (text, json) = status(&world);
    snapbox::assert_data_eq!(
        text,
        snapbox::str![[r"
 task          | last result                        | last run (UTC)   | next run (UTC)   
---------------+------------------------------------+------------------+------------------
 sync-payments | never run                          | -                | now              
 capture       | finished; some items need a person | 2026-11-22 14:00 | 2026-11-22 15:00 
 refunds       | never run                          | -                | -                
 sync-journals | died; the next run goes on         | 2026-11-22 14:00 | 2026-11-22 15:00 
 settlements   | never run                          | -                | now              

Open exceptions: 1
 id | since            | kind     | subject                 | message               
----+------------------+----------+-------------------------+-----------------------
 1  | 2026-11-22 14:00 | given_up | release of payment tx-1 | no answer for 90 days 

Pending: 1 journal of 119.00 EUR, 1 release of 81.00 EUR
 id | kind    | of                  |    amount | state    | since            | next attempt       | note               
----+---------+---------------------+-----------+----------+------------------+--------------------+--------------------
 2  | release | order WEB/1001,     | 81.00 EUR | GIVEN UP | 2026-11-22 14:00 | a person must look | no answer for 90   
    |         | payment tx-1        |           |          |                  |                    | days               
… and 1 more: `payjournal status --json` and `payjournal sync-journals --dry-run` list them

"]]
    );
    assert_eq!(json["schema"], "payjournal/status/1");
    assert_eq!(json["tasks"][1]["last_result"], "needs_person");
    assert_eq!(json["tasks"][1]["next_run"], "2026-11-22T15:00:00Z");
    assert_eq!(json["tasks"][3]["last_result"], "died");
    assert_eq!(json["exceptions"][0]["kind"], "given_up");
    let pending = &json["pending"][0];
    assert_eq!([&pending["kind"], &pending["state"], &pending["transaction"]], ["release", "given_up", "tx-1"]);
    assert_eq!(pending["amount"], serde_json::json!({ "amount": "81.00", "currency": "EUR" }));
    assert_eq!(json["totals"][0]["count"], 1);
}

#[test]
fn an_order_is_shown_with_its_whole_story() {
    let mut world = world();
    history(&mut world);
    let (text, json) = shown(&world, ShowWhat::Order, "WEB/1001").unwrap();
    snapbox::assert_data_eq!(
        text,
        snapbox::str![[r"
Order WEB/1001: In progress
200.00 EUR of 2026-11-01, paid online, customer C1

Open exceptions
 id | since            | kind     | subject                 | message               
----+------------------+----------+-------------------------+-----------------------
 1  | 2026-11-22 15:00 | given_up | release of payment tx-1 | no answer for 90 days 

Payments
 transaction | provider      | method | status       | authorised |   captured | refunded |   still      | capture      
             |               |        |              |            |            |          |   authorised | before       
-------------+---------------+--------+--------------+------------+------------+----------+--------------+--------------
 tx-1        | sandbox /     | card   | authorised   | 200.00 EUR | 119.00 EUR | 0.00 EUR |    81.00 EUR | 2026-11-29   
             | Demo          |        | since        |            |            |          |              | 09:00        
             |               |        | 2026-11-01   |            |            |          |              |              
             |               |        | 09:00        |            |            |          |              |              

Documents
 document       | company | posted     | customer |      total |     paid      |     booked | outstanding | for invoice 
                |         |            |          |            |     elsewhere |            |             |             
----------------+---------+------------+----------+------------+---------------+------------+-------------+-------------
 invoice 103210 | main    | 2026-11-02 | C1       | 119.00 EUR |      0.00 EUR | 119.00 EUR |  119.00 EUR | -           

Operations
 id | kind    | of                                    |     amount | state                            | attempt | key   
----+---------+---------------------------------------+------------+----------------------------------+---------+-------
 1  | capture | invoice 103210, order WEB/1001,       | 119.00 EUR | confirmed since 2026-11-22 15:00 | 1       | key-1 
    |         | payment tx-1                          |            |                                  |         |       
 2  | release | order WEB/1001, payment tx-1          |  81.00 EUR | GIVEN UP since 2026-11-22 15:00  | 1       | key-2 

Events
 time                | operation | state     | note                        
---------------------+-----------+-----------+-----------------------------
 2026-11-22 15:00:00 | capture 1 | planned   | invoice 103210 is posted    
 2026-11-22 15:00:00 | capture 1 | sent      |                             
 2026-11-22 15:00:00 | capture 1 | confirmed |                             
 2026-11-22 15:00:00 | release 2 | planned   | the order is fully invoiced 
 2026-11-22 15:00:00 | release 2 | GIVEN UP  | no answer for 90 days       

Movements
 time             | kind    |     amount | modification | payment | operation 
------------------+---------+------------+--------------+---------+-----------
 2026-11-22 00:30 | capture | 119.00 EUR | cap-1        | tx-1    | 1         

Journals
 number              | date       | kind                    | in ERP | account                |      debit |     credit 
---------------------+------------+-------------------------+--------+------------------------+------------+------------
 PJ-GU3WEOX556OSYKOD | 2026-11-22 | receipt for invoice     | no     | Assets:PSP:sandbox:Dem | 119.00 EUR |            
                     |            | 103210                  |        | o:EUR                  |            |            
                     |            |                         |        | Assets:Receivables:C1  |            | 119.00 EUR 

Times in Europe/Berlin.

"]]
    );
    assert_eq!(json["schema"], "payjournal/show/1");
    assert_eq!(json["payments"][0]["still_authorised"]["amount"], "81.00");
    assert_eq!(json["operations"][0]["events"].as_array().unwrap().len(), 3);
    assert_eq!(json["journals"][0]["posting_date"], "2026-11-22");
    assert_eq!(json["documents"][0]["outstanding"]["amount"], "119.00");
}

#[test]
fn a_payment_and_a_document_are_shown_with_what_belongs_to_them() {
    let mut world = world();
    history(&mut world);
    let (_, payment) = shown(&world, ShowWhat::Payment, "sandbox/tx-1").unwrap();
    assert_eq!(payment["order"]["number"], "1001");
    assert_eq!(payment["documents"][0]["number"], "103210");
    assert_eq!(payment["operations"].as_array().unwrap().len(), 2);
    let (_, document) = shown(&world, ShowWhat::Document, "103210").unwrap();
    assert_eq!(document["payments"][0]["transaction"], "tx-1");
    assert_eq!(document["operations"].as_array().unwrap().len(), 1);
    assert_eq!(document["movements"].as_array().unwrap().len(), 1);
}

#[track_caller]
fn refused(what: ShowWhat, id: &str, message: &str, hint: &str) {
    let failure = shown(&world(), what, id).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.line().contains(message), "{}", failure.line());
    assert!(failure.hints.iter().any(|given| given.contains(hint)), "{:?}", failure.hints);
}

#[test]
fn a_number_that_means_nothing_or_two_things_is_refused_with_a_way_on() {
    refused(ShowWhat::Order, "1001", "the number of 2 orders", "'B2B/1001'");
    refused(ShowWhat::Order, "1003", "knows no order `1003`", "the nearest is `1002`");
    refused(ShowWhat::Payment, "tx-2", "knows no payment `tx-2`", "the nearest is `tx-1`");
    refused(ShowWhat::Document, "zzzzzzzz", "knows no document `zzzzzzzz`", "payjournal status");
}

#[test]
fn the_books_of_a_month_are_exported_whole_or_not_at_all() {
    let mut world = world();
    history(&mut world);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("books.csv");
    let export = |month: Option<&str>, output: Option<&Path>| {
        let mut out = Vec::new();
        let format = export::ExportFormat::Csv;
        let wanted = export::Wanted { format, month, is_new: false, again: None, output };
        export::run(wanted, &world.settings, now(), &mut out, &mut Vec::new()).map(|_| String::from_utf8(out).unwrap())
    };
    assert_eq!(export(Some("2026-11"), None).unwrap().lines().count(), 3);
    assert_eq!(export(Some("2026-12"), None).unwrap().lines().count(), 1);
    assert_eq!(export(None, Some(&file)).unwrap(), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), export(None, None).unwrap());
    for bad in ["2026-13", "2026", "26-11", "2026-1", "2026-1x", "-026-11", "2026/11", "202611-"] {
        assert_eq!(export(Some(bad), None).unwrap_err().exit, Exit::Usage, "{bad}");
    }
    let nowhere = folder.path().join("none/books.csv");
    assert_eq!(export(None, Some(&nowhere)).unwrap_err().exit, Exit::Usage);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
