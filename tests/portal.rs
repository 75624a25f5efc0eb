//! The portal is told what happens: each fact once and in its order, signed, and again until it has taken it.

mod support;

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use support::portal::{Arrived, Portal, Reply, SECRET, assert_in_order, named, text};
use support::{Ended, Shop};

/// At an hour of the night, or of the day after.
fn at(line: &str, hour: u32) -> String {
    let (day, hour) = if hour < 24 { (22, hour) } else { (23, hour - 24) };
    format!("{line} --as-of 2026-11-{day}T{hour:02}:00:00Z")
}

/// Two orders whose invoices are captured; their journals are not delivered yet.
fn captured(portal: &Portal, more: &str) -> Shop {
    let shop = portal.shop(more);
    shop.one_order("A");
    shop.one_order("B");
    shop.ok("capture");
    shop
}

fn told(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, subject FROM exceptions WHERE state = 'open'")
}

fn waiting(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT kind, object FROM portal_events WHERE is_taken = 0")
}

/// Events without what this test does not look at.
fn about(portal: &Portal, kind: &str) -> Vec<Arrived> {
    portal.arrived().into_iter().filter(|event| text(event, "type") == kind).collect()
}

#[test]
fn an_invoice_is_told_as_paid_when_the_erp_has_its_journal() {
    let portal = Portal::start();
    let shop = captured(&portal, "");
    let before = portal.taken();
    assert!(before.contains(&"order.status order:webshop:A".to_owned()), "{before:?}");
    assert!(!before.iter().any(|name| name.starts_with("invoice.paid")), "{before:?}");
    let last = about(&portal, "order.status").pop().unwrap();
    assert_eq!(
        (last.body["data"]["outstanding"]["amount"].as_str(), last.path.as_str()),
        (Some("100.00"), "/events?shop=1")
    );
    portal.forget();
    shop.ok("sync-journals");
    let mut taken = portal.taken();
    taken.sort();
    assert_eq!(
        taken,
        [
            "invoice.paid invoice:main:R-A",
            "invoice.paid invoice:main:R-B",
            "order.status order:webshop:A",
            "order.status order:webshop:B",
        ]
    );
    let paid = about(&portal, "invoice.paid").into_iter().find(|event| text(event, "object").ends_with("R-A")).unwrap();
    let amount = |text: &str| json!({"amount": text, "currency": "EUR"});
    assert_eq!(
        paid.body,
        json!({
            "type": "invoice.paid",
            "id": paid.id,
            "timestamp": "2026-11-22T02:00:00Z",
            "mode": "test",
            "object": "invoice:main:R-A",
            "sequence": 1,
            "data": {
                "company": "main", "number": "R-A", "shop": "webshop", "order": "A", "references": null,
                "total": amount("100.00"), "outstanding": amount("0.00"),
            },
        })
    );
    let status =
        about(&portal, "order.status").into_iter().find(|event| text(event, "object").ends_with(":A")).unwrap();
    assert_eq!(
        status.body["data"],
        json!({
            "shop": "webshop", "order": "A", "payment_status": "paid",
            "total": amount("100.00"), "invoiced": amount("100.00"), "outstanding": amount("0.00"),
        })
    );
    assert_in_order(&portal.arrived());
    // Nothing new: nothing is told.
    portal.forget();
    shop.ok(&at("capture", 3));
    assert_eq!(portal.arrived().len(), 0);
    shop.ok(&at("verify", 3));
}

#[test]
fn a_credit_note_is_told_as_settled_and_a_chargeback_reopens_the_invoice() {
    let portal = Portal::start();
    let shop = captured(&portal, "");
    shop.ok("sync-journals");
    shop.documents("credit_note,G-A,A,EUR,30.00,,R-A,2026-11-21\n");
    shop.ok("refunds");
    shop.ok("sync-journals");
    let settled = about(&portal, "credit_note.settled");
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].body["data"]["references"], "R-A");
    // What somebody refunded by hand reopens the invoice.
    shop.sandbox(
        "INSERT INTO modifications VALUES ('BO-1', 'Shop', 'TX-B', 'refund', 1000, 'by hand', 'confirmed',
           '2026-11-22T02:00:00+00:00', '2026-11-22T02:00:00+00:00')",
    );
    shop.exits(&at("sync-payments", 3), 1);
    shop.ok(&at("sync-journals", 3));
    let reopened = about(&portal, "invoice.reopened");
    assert_eq!(reopened.len(), 1, "{:?}", portal.taken());
    assert_eq!(reopened[0].body["data"]["outstanding"]["amount"], "10.00");
    shop.ok(&at("verify", 4));
}

#[test]
fn a_deletion_and_its_stock_are_told_and_taken_back() {
    let portal = Portal::start();
    let shop = support::cleanup::shop("");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    shop.write("payjournal.toml", &format!("{config}{}", portal.table()));
    shop.write("portal-secret", SECRET);
    support::cleanup::page(&shop, "SO-1");
    // One without lines has no stock, and is told all the same.
    support::cleanup::orders(&shop, "SO-2,online,,none,2026-10-01");
    support::cleanup::payments(&shop, "TX-2,SO-2,card,expired,,");
    shop.ok("cleanup-unpaid");
    let of = |number: &str| -> Vec<String> {
        let arrived = portal.arrived().into_iter().filter(|event| text(event, "object").ends_with(number));
        arrived.map(|event| text(&event, "type")).collect()
    };
    assert_eq!(of("SO-1"), ["order.status", "order.deleted", "stock.released"]);
    assert_eq!(of("SO-2"), ["order.deleted"]);
    let deleted = about(&portal, "order.deleted");
    let lines = |number: &str| {
        let of = deleted.iter().find(|event| event.body["data"]["order"] == number).unwrap();
        of.body["data"]["lines"].clone()
    };
    assert_eq!((lines("SO-1"), lines("SO-2")), (json!(2), json!(0)));
    let stock = about(&portal, "stock.released");
    assert_eq!(
        stock[0].body["data"],
        json!({
            "shop": "webshop", "order": "SO-1", "generation": 1, "released_by": "payjournal",
            "lines": [
                {"line": 1, "item": "I-1", "description": "Thing", "quantity": "2"},
                {"line": 2, "item": "I-2", "description": "Thing", "quantity": "1"},
            ],
        })
    );
    shop.ok("restore SO-1 --reason customer-called");
    shop.ok(&at("sync-payments", 3));
    assert_eq!(of("SO-1").split_off(3)[..2], ["order.restored", "stock.reserved"]);
    assert_in_order(&portal.arrived());
    shop.ok(&at("verify", 4));
}

#[test]
fn what_was_before_the_portal_is_told_to_nobody() {
    let portal = Portal::start();
    let shop = Shop::new();
    shop.write("portal-secret", SECRET);
    shop.one_order("OLD");
    shop.ok("capture");
    shop.ok("sync-journals");
    assert_eq!(waiting(&shop), [""; 0]);
    let without = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap();
    let with = format!("{without}{}", portal.table());
    shop.write("payjournal.toml", &with);
    shop.ok(&at("capture", 3));
    assert_eq!(portal.arrived().len(), 0, "the years before");
    shop.one_order("NEW");
    shop.ok(&at("capture", 4));
    assert!(
        !portal.taken().is_empty() && portal.taken().iter().all(|name| name.ends_with("NEW")),
        "{:?}",
        portal.taken()
    );
    // Off again: a warning, and a gap that is never told.
    shop.write("payjournal.toml", &without);
    let off = shop.ok(&format!("{} -v", at("capture", 5)));
    assert!(off.stderr.contains("[portal] is not in the config any more"), "{}", off.stderr);
    shop.one_order("GAP");
    shop.ok(&at("capture", 6));
    shop.write("payjournal.toml", &with);
    portal.forget();
    shop.ok(&at("sync-journals", 7));
    let gap = portal.taken().into_iter().filter(|name| name.starts_with("order.deleted")).count();
    assert_eq!(gap, 0);
    assert!(portal.taken().contains(&"invoice.paid invoice:main:R-NEW".to_owned()), "{:?}", portal.taken());
    shop.ok(&at("verify", 8));
}

#[test]
fn what_is_not_taken_comes_again_in_its_order_and_holds_up_nobody_else() {
    for (fault, state) in [
        (Reply::Status(500), "planned"),
        (Reply::Status(429), "planned"),
        (Reply::Status(408), "planned"),
        (Reply::Hang(2), "unknown"),
        (Reply::Reset, "unknown"),
        (Reply::Redirect, "refused"),
        (Reply::Status(404), "refused"),
    ] {
        let portal = Portal::start();
        let shop = captured(&portal, "[task_defaults]\nretry_interval = \"30 min\"\n");
        shop.ok("sync-journals");
        portal.forget();
        portal.replies(
            move |event| {
                if text(event, "object") == "order:webshop:A" { fault } else { Reply::Status(200) }
            },
        );
        // Each order has news twice: its credit note is posted, and what is outstanding of a new invoice.
        for hour in [3, 4] {
            shop.documents(&format!(
                "invoice,R-A{hour},A,EUR,{hour}.00,,,2026-11-21\ninvoice,R-B{hour},B,EUR,{hour}.00,,,2026-11-21\n"
            ));
            let ended = shop.run(&at("sync-journals", hour).split(' ').collect::<Vec<_>>());
            assert_eq!((ended.code, ended.stdout, ended.stderr), (Some(0), String::new(), String::new()), "{fault:?}");
        }
        let taken: Vec<String> = portal.taken();
        assert!(
            taken.iter().filter(|name| *name == "order.status order:webshop:B").count() == 2,
            "{fault:?} {taken:?}"
        );
        assert!(portal.arrived().iter().all(|event| event.path == "/events?shop=1"), "a redirect was followed");
        let tries = portal.arrived().iter().filter(|event| text(event, "object") == "order:webshop:A").count();
        assert_eq!(tries, 2, "{fault:?}");
        assert_eq!(
            shop.rows("SELECT DISTINCT state FROM operations WHERE kind = 'event' AND state <> 'confirmed'"),
            [state]
        );
        assert_eq!(waiting(&shop).len(), 2);
        let status = shop.json("status");
        let pending = &status["pending"];
        assert_eq!(
            (pending[0]["event"].as_str(), pending[0]["state"].as_str()),
            (Some("order.status of order:webshop:A"), Some(state))
        );
        assert_eq!(status["totals"], json!([{"kind": "event", "count": 2, "amount": null}]));
        // Not before its time, and then in its order.
        portal.replies(|_| Reply::Status(200));
        shop.ok("sync-journals --as-of 2026-11-22T04:10:00Z");
        assert_eq!(waiting(&shop).len(), 2, "{fault:?}");
        shop.ok(&at("sync-journals", 6));
        assert_eq!(waiting(&shop).len(), 0, "{fault:?}");
        assert_in_order(&portal.arrived());
        let of_a: Vec<Arrived> =
            portal.arrived().into_iter().filter(|event| text(event, "object") == "order:webshop:A").collect();
        assert!(of_a[0].id == of_a[1].id && of_a[0].id == of_a[2].id && of_a[3].id != of_a[0].id, "{fault:?}");
        shop.ok(&at("verify", 7));
    }
}

#[test]
fn repeated_refusals_are_told_once_and_end_by_themselves() {
    let portal = Portal::start();
    let shop = captured(&portal, "[task_defaults]\nretry_interval = \"1 min\"\n");
    portal.replies(|_| Reply::Status(404));
    shop.ok("sync-journals");
    shop.ok(&at("sync-journals", 3));
    assert_eq!(told(&shop), [""; 0]);
    let third = shop.exits(&at("sync-journals", 4), 1);
    assert!(third.stderr.contains("takes none of them") && third.stderr.contains("http_404"), "{}", third.stderr);
    assert_eq!(told(&shop), ["portal_undelivered portal"]);
    // Told once, and quiet from then on.
    let fourth = shop.exits(&at("sync-journals", 5), 0);
    assert_eq!((fourth.stdout, fourth.stderr), (String::new(), String::new()));
    // Whoever runs the portal has mended it; a person need not wait.
    portal.replies(|_| Reply::Status(200));
    for operation in
        shop.rows("SELECT max(id) FROM operations WHERE kind = 'event' AND state = 'refused' GROUP BY event_id")
    {
        shop.run(&["retry", &operation, "--as-of", "2026-11-22T05:01:00Z"]);
    }
    shop.ok("sync-journals --as-of 2026-11-22T05:01:30Z");
    assert_eq!((waiting(&shop).len(), told(&shop).len()), (0, 0));
    shop.ok(&at("verify", 6));
}

#[test]
fn what_waits_too_long_is_told_and_found() {
    let portal = Portal::start();
    let shop = captured(&portal, "");
    portal.replies(|_| Reply::Status(500));
    shop.ok("sync-journals");
    shop.ok(&at("verify", 24));
    shop.ok("sync-journals --as-of 2026-11-25T01:00:00Z");
    shop.exits("sync-journals --as-of 2026-11-25T09:00:00Z", 1);
    assert_eq!(told(&shop), ["portal_undelivered portal"]);
    let late = shop.exits("verify --as-of 2026-11-29T02:00:00Z", 1);
    assert!(late.stdout.contains("portal-overdue"), "{}", late.stdout);
}

#[test]
fn a_portal_that_hangs_holds_no_run_for_long_and_no_money() {
    let portal = Portal::start();
    let shop = portal.shop("");
    portal.replies(|_| Reply::Hang(30));
    for number in 1..=40 {
        shop.one_order(&format!("N{number}"));
    }
    let began = Instant::now();
    shop.ok("capture");
    // Four calls at a time, a second each, and no fifth.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(shop.psp_record().len(), 40);
    assert!(portal.arrived().len() <= 8, "{}", portal.arrived().len());
    portal.replies(|_| Reply::Status(200));
    portal.forget();
    shop.ok(&at("sync-payments", 3));
    assert_eq!(waiting(&shop).len(), 0);
    assert_in_order(&portal.arrived());
}

fn copy(from: &Shop) -> Shop {
    let to = Shop::new();
    support::copy(&from.path, &to.path);
    to
}

#[test]
fn killed_anywhere_every_event_arrives_under_one_id() {
    let portal = Portal::start();
    let template = captured(&portal, "");
    let undisturbed = copy(&template);
    let log = undisturbed.path.join("moments");
    let run = |shop: &Shop, name: &str, value: &str| -> Ended {
        support::ended(
            shop.command(&["sync-journals"])
                .env(name, value)
                .stdin(Stdio::null())
                .output()
                .unwrap_or_else(|_| panic!()),
        )
    };
    portal.forget();
    run(&undisturbed, "PAYJOURNAL_KILL_LOG", log.to_str().unwrap());
    let mut expected: Vec<String> = portal.arrived().into_iter().map(|event| event.id).collect();
    expected.sort();
    assert_eq!(expected.len(), 4);
    let moments = std::fs::read_to_string(&log).unwrap().lines().count();
    let mut twice = 0;
    for moment in 1..=moments {
        portal.forget();
        let shop = copy(&template);
        run(&shop, "PAYJOURNAL_KILL_AT", &moment.to_string());
        shop.ok(&at("sync-journals", 3));
        shop.ok(&at("sync-journals", 10));
        assert_eq!(waiting(&shop).len(), 0, "killed at {moment}");
        let arrived = portal.arrived();
        assert_in_order(&arrived);
        let mut ids: Vec<String> = arrived.into_iter().map(|event| event.id).collect();
        ids.sort();
        let all = ids.len();
        ids.dedup();
        twice += all - ids.len();
        assert_eq!(ids, expected, "killed at {moment}");
        shop.ok(&at("verify", 11));
    }
    assert!(twice > 0, "no kill fell between the portal and the ledger");
}

#[test]
fn two_runs_at_once_tell_each_event_once() {
    let portal = Portal::start();
    let shop = portal.shop("");
    for number in 1..=12 {
        shop.one_order(&format!("N{number}"));
    }
    portal.replies(|_| {
        std::thread::sleep(Duration::from_millis(20));
        Reply::Status(200)
    });
    let start = |task: &str| shop.command(&[task]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for mut run in [start("capture"), start("sync-payments"), start("refunds")] {
        assert_eq!(run.wait().unwrap().code(), Some(0));
    }
    shop.ok(&at("sync-journals", 3));
    let arrived = portal.arrived();
    assert_in_order(&arrived);
    let mut ids: Vec<&String> = arrived.iter().map(|event| &event.id).collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), waiting(&shop).len()), (all, 0));
    shop.ok(&at("verify", 4));
}

#[test]
fn a_secret_is_never_shown_and_one_that_is_missing_stops_no_money() {
    let portal = Portal::start();
    let shop = portal.shop("");
    shop.one_order("A");
    std::fs::remove_file(shop.path.join("portal-secret")).unwrap();
    shop.ok("capture");
    assert_eq!(shop.psp_record(), ["capture TX-A 10000"]);
    let note = || shop.json("status")["pending"][0]["note"].as_str().unwrap().to_owned();
    assert!(note().contains("failed to read the secret"), "{}", note());
    shop.write("portal-secret", "short");
    shop.ok(&at("capture", 3));
    assert!(note().contains("openssl rand"), "{}", note());
    shop.write("portal-secret", SECRET);
    shop.ok(&at("capture", 6));
    assert!(portal.taken().iter().any(|name| name == "order.status order:webshop:A"));
    let shown = shop.ok("check --show");
    assert!(shown.stdout.contains("portal-secret"));
    let logs: String = shop.logs("capture").iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let rows = std::fs::read(shop.path.join("payjournal.db")).unwrap();
    let part = &SECRET[6..20];
    assert!(![shown.stdout, shown.stderr, logs, String::from_utf8_lossy(&rows).into_owned()].concat().contains(part));
    let first = portal.arrived();
    assert!(named(&first[0]).contains("order:webshop:A"));
}

#[test]
fn an_address_is_encrypted_or_on_this_machine() {
    for (address, why) in [
        ("http://shop.example/events", "for everybody to read"),
        ("http://127.0.0.1.example/", "for everybody to read"),
        ("http://user:word@localhost/", "a name and a password"),
        ("ftp://localhost/", "such as `https://"),
        ("shop.example", "such as `https://"),
        ("https:shop.example", "such as `https://"),
    ] {
        let shop = Shop::with(&format!(
            "{}[portal]\nwebhook_url = \"{address}\"\nsecret = {{ env = \"X\" }}\n",
            support::CONFIG
        ));
        let ended = shop.exits("check", 3);
        assert!(ended.stderr.contains(why), "{address}: {}", ended.stderr);
    }
    for address in ["https://shop.example/events", "http://localhost:8080/", "http://[::1]:1/x", "http://127.0.0.1/"] {
        let shop = Shop::with(&format!(
            "{}[portal]\nwebhook_url = \"{address}\"\nsecret = {{ env = \"X\" }}\n",
            support::CONFIG
        ));
        shop.ok("check");
    }
    let lacks = Shop::with(&format!("{}[portal]\ntimeout = \"5 s\"\n", support::CONFIG)).exits("check", 3).stderr;
    assert!(
        lacks.contains("`portal.webhook_url` is missing") && lacks.contains("`portal.secret` is missing"),
        "{lacks}"
    );
}
