//! `--rejects`: good rows are kept, bad ones come back in a file that goes in again once it is repaired.

use std::fs;

use payjournal::command::import::{ImportArgs, ImportKind};
use payjournal::exit::Exit;

use super::desk::{Desk, replaced};

#[test]
fn good_rows_stay_and_bad_ones_come_back_repairable() {
    let mut desk = Desk::new();
    let text = "order;currency;total;ordered_on\nA;EUR;1;2026-11-20\nB;EUR;1.005;2026-11-2\nC;EUR;1;2026-11-20\n\"D;1\";EUR;;2026-11-20\n";
    let told = desk.with_rejects(ImportKind::Orders, "orders.csv", text, "bad.csv");
    assert_eq!(told.exit, Exit::NeedsPerson);
    assert_eq!(told.out, "orders: 2 new, 0 changed, 0 unchanged, 2 rejected -> bad.csv\n");
    assert_eq!(told.err.lines().count(), 3);
    assert!(desk.has_order("A") && desk.has_order("C") && !desk.has_order("B"));
    let rejected = desk.read("bad.csv");
    assert_eq!(
        rejected,
        "reject_line;reject_reason;order;currency;total;ordered_on\n\
         3;\"total `1.005` has more decimals than EUR allows (2); ordered_on `2026-11-2` is not a day such as 2026-11-22\";B;EUR;1.005;2026-11-2\n\
         5;total is required, but empty;\"D;1\";EUR;;2026-11-20\n"
    );
    // Half repaired: what is still bad comes back with its new line and reason, and no second pair of columns.
    let half = rejected.replace(";1.005;2026-11-2\n", ";1.05;2026-11-20\n");
    let told = desk.with_rejects(ImportKind::Orders, "again.csv", half, "still.csv");
    assert_eq!(told.out, "orders: 1 new, 0 changed, 0 unchanged, 1 rejected -> still.csv\n");
    let still = desk.read("still.csv");
    assert_eq!(
        still,
        "reject_line;reject_reason;order;currency;total;ordered_on\n3;total is required, but empty;\"D;1\";EUR;;2026-11-20\n"
    );
    desk.with_rejects(ImportKind::Orders, "last.csv", still.replace("EUR;;", "EUR;2;"), "none.csv")
        .done("orders: 1 new, 0 changed, 0 unchanged");
    assert!(!desk.path("none.csv").exists(), "no rejected rows, no file");
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 5, "no temporary file is left");
}

#[test]
fn rows_that_cannot_be_taken_apart_come_back_whole() {
    let mut desk = Desk::new();
    let text =
        b"order,currency,total,ordered_on\nA,EUR,1,2026-11-20,extra\n\"B,EUR,1,2026-11-20\nC\xff,EUR,1,2026-11-20\n";
    desk.with_rejects(ImportKind::Orders, "orders.csv", text, "bad.csv");
    let rejected = fs::read(desk.path("bad.csv")).unwrap();
    let expected = b"reject_line,reject_reason,order,currency,total,ordered_on\n\
        2,\"the row has 5 cells, the header has 4\",A,EUR,1,2026-11-20,extra\n\
        3,the row opens a quote that is never closed,\"\"\"B,EUR,1,2026-11-20\"\n\
        4,order `C\xef\xbf\xbd` is not UTF-8 (byte 2 of the cell),C\xff,EUR,1,2026-11-20\n";
    assert_eq!(String::from_utf8_lossy(&rejected), String::from_utf8_lossy(expected));
    assert_eq!(rejected, expected);
}

#[test]
fn rejected_json_lines_are_json_lines() {
    let mut desk = Desk::new();
    let text = "{\"order\":\"A\",\"currency\":\"EUR\",\"total\":1.10,\"ordered_on\":\"2026-11-20\"}\n{\"order\":\n\
                {\"order\":\"B\",\"currency\":\"EUR\",\"total\":\"1\",\"ordered_on\":\"2026-11-20\"}\n{}\n";
    let told = desk.with_rejects(ImportKind::Orders, "orders.ndjson", text, "bad.ndjson");
    assert_eq!(told.out, "orders: 1 new, 0 changed, 0 unchanged, 3 rejected -> bad.ndjson\n");
    let rejected = desk.read("bad.ndjson");
    for line in rejected.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["reject_line"].is_u64() && value["reject_reason"].is_string(), "{line}");
    }
    assert!(rejected.contains("\"total\":1.10,"), "a number keeps the digits it was written with: {rejected}");
    assert!(rejected.contains("\"reject_text\":\"{\\\"order\\\":\""), "{rejected}");
    let repaired = rejected.lines().next().unwrap().replace("1.10", "\"1.10\"");
    desk.import_file(ImportKind::Orders, "again.ndjson", repaired).done("orders: 1 new, 0 changed, 0 unchanged");
    assert_eq!(desk.order("A").total.minor(), 110);
}

#[test]
fn a_row_the_ledger_refuses_is_undone_alone() {
    let mut desk = Desk::new();
    desk.orders("order,currency,total,ordered_on\nA,EUR,10,2026-11-20\n");
    let text = "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at,capture_id\n\
                psp,T1,A,card,EUR,captured,5,2026-11-20T10:00:00Z,2026-11-20T10:00:00Z,C1\n\
                psp,T2,A,card,EUR,captured,5,2026-11-20T10:00:00Z,2026-11-20T10:00:00Z,C1\n\
                psp,T3,A,card,EUR,captured,5,2026-11-20T10:00:00Z,2026-11-20T10:00:00Z,C3\n";
    let told = desk.with_rejects(ImportKind::Payments, "payments.csv", text, "bad.csv");
    assert_eq!(told.out, "payments: 2 new, 0 changed, 0 unchanged, 1 rejected -> bad.csv\n");
    assert!(desk.ledger.payments_with_transaction("T2").unwrap().is_empty());
    assert_eq!(desk.ledger.payments_of_order(desk.order("A").id).unwrap().len(), 2);
}

#[test]
fn a_row_that_fails_half_way_leaves_nothing_behind() {
    // An account cannot end with white space: the payment and its movement are written before that shows.
    let mut desk = Desk::with_clearing("Clearing:{provider} ");
    desk.orders("order,currency,total,ordered_on\nA,EUR,10,2026-11-20\n");
    let text = "provider,transaction,order,method,currency,status,authorised,authorised_at,captured_at\n\
                psp,T1,A,card,EUR,captured,5,2026-11-20T10:00:00Z,2026-11-20T10:00:00Z\n\
                psp,T2,A,card,EUR,authorised,5,2026-11-20T10:00:00Z,\n";
    let told = desk.with_rejects(ImportKind::Payments, "payments.csv", text, "bad.csv");
    assert_eq!(told.out, "payments: 1 new, 0 changed, 0 unchanged, 1 rejected -> bad.csv\n");
    assert!(told.err.starts_with("payments.csv:2: the ledger refused the row: the account template"), "{}", told.err);
    assert!(desk.ledger.payments_with_transaction("T1").unwrap().is_empty());
    assert_eq!(desk.payment("T2").authorised.minor(), 500);
}

#[test]
fn rejected_rows_never_replace_the_file_they_came_from() {
    let mut desk = Desk::new();
    fs::write(desk.path("orders.csv"), "order,currency,total,ordered_on\nA,EUR,x,2026-11-20\n").unwrap();
    let args = desk.args(ImportKind::Orders, "orders.csv");
    let same = ImportArgs { rejects: Some(replaced(&desk.path("orders.csv"))), ..args.clone() };
    assert_eq!(desk.run(&same).unwrap_err().exit, Exit::Usage);
    let nowhere = ImportArgs { rejects: Some(replaced(&desk.path("missing/bad.csv"))), ..args };
    let failure = desk.run(&nowhere).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.line().contains("missing/bad.csv"), "{}", failure.line());
}
