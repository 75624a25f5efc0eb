//! Entries whose money is charged back, and won back, while other money came for them: what there is pays what is open, once, and what is
//! spare is told and can be paid back.

mod support;

use serde_json::Value;
use support::Shop;
use support::billing::{all_entries, collected, entries, import, invoices, orders, refunded_by_hand, shop, told};

struct Story {
    shop: Shop,
    day: u32,
}

impl Story {
    fn new(entries_of_it: &str) -> Self {
        let shop = shop("");
        entries(&shop, entries_of_it);
        Self { shop, day: 24 }
    }

    fn bill(&self) {
        orders(&self.shop, "A,100.00,C1,KEY-1,\n");
        self.shop.ok("finalize-invoices");
    }

    /// What a report of the PSP tells: `chargeback` or `chargeback_reversed`.
    fn reports(&mut self, kind: &str, transaction: &str, minor: i64) {
        let day = self.day;
        self.shop.sandbox(&format!(
            "INSERT INTO disputes VALUES ('D-{day}', 'Shop', '{transaction}', '{kind}', {minor}, '2026-11-{day} 01:00:00+00:00')"
        ));
        self.shop.ok(&format!("sandbox payout --as-of 2026-11-{day}T01:30:00Z"));
        self.shop.run(&["settlements", "--as-of", &format!("2026-11-{day}T02:00:00Z")]);
        self.day += 1;
    }

    fn night(&self, command: &str) -> String {
        format!("{command} --as-of 2026-11-{}T03:00:00Z", self.day)
    }

    /// `TRANSACTION AMOUNT` of what is told to be spare.
    fn spare(&self) -> Vec<String> {
        self.shop.rows(
            "SELECT substr(subject, 13), substr(message, 1, instr(message, ' ') - 1) FROM exceptions
             WHERE kind = 'untied_money' AND state = 'open' AND order_id IS NULL",
        )
    }

    fn verifies(&self) {
        self.shop.ok(&self.night("verify"));
    }
}

#[test]
fn what_is_won_back_for_an_entry_that_another_payment_has_is_told_and_can_be_paid_back() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    story.reports("chargeback", "T-1", 10_000);
    collected(&story.shop, "T-2,,E-1,,100.00\n");
    story.bill();
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 2026-00001"]);
    assert_eq!(story.spare(), ["T-1 100.00"]);
    story.shop.ok(&story.night("refund-balance T-1 --reason twice"));
    story.shop.exits(&story.night("refund-balance T-2 --reason twice"), 2);
    story.verifies();
}

#[test]
fn an_entry_that_is_open_again_takes_what_else_was_paid_for_it() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\nT-2,,E-1,,100.00\n");
    assert_eq!(story.spare(), ["T-2 100.00"]);
    story.reports("chargeback", "T-1", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -"]);
    assert_eq!(story.spare(), [""; 0]);
    story.shop.exits(&story.night("invite E-1"), 2);
    // And turned round, with what was won back.
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(story.spare(), ["T-1 100.00"]);
    story.reports("chargeback", "T-2", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -"]);
    assert_eq!(story.spare(), [""; 0]);
    story.bill();
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 10000"]);
    story.verifies();
}

#[test]
fn what_is_won_back_in_part_leaves_no_entry_open_that_was_paid() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\nE-2,KEY-2,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1;E-2,,200.00\n");
    story.reports("chargeback", "T-1", 20_000);
    collected(&story.shop, "T-2,,E-2,,100.00\n");
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -", "E-2 balanced 10000/10000 -"]);
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(story.spare(), ["T-1 100.00"]);
    story.verifies();
}

#[test]
fn what_is_won_back_after_the_invoice_pays_it() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    story.reports("chargeback", "T-1", 10_000);
    story.bill();
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 0"]);
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 2026-00001"]);
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 10000"]);
    story.verifies();
}

#[test]
fn an_entry_is_open_when_what_stood_in_was_paid_back() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    story.bill();
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    story.reports("chargeback", "T-1", 10_000);
    collected(&story.shop, "T-2,,E-1,,100.00\n");
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 2026-00001"]);
    refunded_by_hand(&story.shop, "T-2", 10_000, "2026-11-25");
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(all_entries(&story.shop), ["E-1 open 0/10000 2026-00001"]);
    assert_eq!(told(&story.shop).len(), 2, "the chargeback and the refund: {:?}", told(&story.shop));
    story.verifies();
}

#[test]
fn a_chargeback_takes_first_what_no_entry_has() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,150.00\n");
    assert_eq!(story.spare(), ["T-1 50.00"]);
    story.reports("chargeback", "T-1", 4_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -"]);
    assert_eq!(story.spare(), ["T-1 10.00"]);
    story.reports("chargeback", "T-1", 3_000);
    assert_eq!(all_entries(&story.shop), ["E-1 open 8000/10000 -"]);
    assert_eq!(story.spare(), [""; 0]);
    story.reports("chargeback_reversed", "T-1", 4_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -"]);
    assert_eq!(story.spare(), ["T-1 20.00"]);
    story.bill();
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 10000"]);
    story.reports("chargeback_reversed", "T-1", 3_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 2026-00001"]);
    story.verifies();
}

#[test]
fn what_is_refunded_and_charged_back_beyond_what_no_entry_has_is_off_the_entry() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,150.00\n");
    story.reports("chargeback", "T-1", 4_000);
    refunded_by_hand(&story.shop, "T-1", 3_000, "2026-11-25");
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(all_entries(&story.shop), ["E-1 open 8000/10000 -"]);
    story.reports("chargeback_reversed", "T-1", 4_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -"]);
    assert_eq!(story.spare(), ["T-1 20.00"]);
    story.verifies();
}

#[test]
fn what_is_won_back_after_it_was_refunded_is_not_there() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    story.bill();
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    story.reports("chargeback", "T-1", 10_000);
    refunded_by_hand(&story.shop, "T-1", 10_000, "2026-11-25");
    story.shop.exits(&story.night("sync-payments"), 1);
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 open 0/10000 2026-00001"]);
    story.verifies();
}

/// What was won back had no room in its entry, and is more than the capture has not brought any.
#[test]
fn what_was_won_back_pays_an_invoice_with_its_capture() {
    let mut story = Story::new("E-1,KEY-1,C1,60.00,\nE-2,KEY-2,C1,40.00,\n");
    collected(&story.shop, "T-1,,E-1;E-2,,60.00\n");
    story.reports("chargeback", "T-1", 6_000);
    collected(&story.shop, "T-2,,E-1,,60.00\n");
    story.reports("chargeback_reversed", "T-1", 6_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 6000/6000 -", "E-2 balanced 4000/4000 -"]);
    assert_eq!(story.spare(), ["T-1 20.00"]);
    story.shop.exits(&story.night("refund-balance T-1 --amount 20.01 --reason spare"), 2);
    orders(&story.shop, "A,60.00,C1,KEY-1,\nB,40.00,C1,KEY-2,\n");
    story.shop.ok(&story.night("finalize-invoices"));
    assert_eq!(invoices(&story.shop), ["2026-00001 A 6000 6000", "2026-00002 B 4000 4000"]);
    story.verifies();
}

/// The ERP sees later that the invoice lacks money again: what came for its entry until then pays it as soon as it does.
#[test]
fn what_was_paid_twice_pays_the_invoice_that_was_paid_back() {
    let story = Story::new("E-1,KEY-1,C1,100.00,\n");
    story.bill();
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    collected(&story.shop, "T-2,,E-1,,100.00\n");
    story.shop.ok(&story.night("sync-journals"));
    assert_eq!(story.spare(), ["T-2 100.00"]);
    refunded_by_hand(&story.shop, "T-1", 10_000, "2026-11-24");
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 0"]);
    story.shop.ok(&story.night("sync-journals"));
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 10000"]);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 2026-00001"]);
    story.verifies();
}

#[test]
fn a_capture_that_paid_its_invoice_is_not_kept_for_it_again() {
    let story = Story::new("E-1,KEY-1,C1,100.00,\n");
    story.bill();
    collected(&story.shop, "T-1,,E-1,,60.00\nT-2,,E-1,,100.00\n");
    story.shop.ok(&story.night("sync-journals"));
    refunded_by_hand(&story.shop, "T-1", 6_000, "2026-11-24");
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(all_entries(&story.shop), ["E-1 open 4000/10000 2026-00001"]);
    story.shop.ok(&story.night("sync-journals"));
    story.shop.ok(&story.night("refund-balance T-2 --reason spare"));
    story.verifies();
}

#[test]
fn an_entry_whose_charged_back_capture_fails_takes_what_is_spare() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\nT-2,,E-1,,60.00\n");
    story.reports("chargeback", "T-1", 4_000);
    assert_eq!(story.spare(), ["T-2 20.00"]);
    story.shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'T-1' AND kind = 'capture'");
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(all_entries(&story.shop), ["E-1 open 6000/10000 -"]);
    assert_eq!(story.spare(), [""; 0]);
    story.verifies();
}

#[test]
fn what_is_left_of_money_that_stood_in_is_told() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\nT-2,,E-1,,60.00\nT-3,,E-1,,60.00\n");
    story.reports("chargeback", "T-1", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -"]);
    assert_eq!(story.spare(), ["T-3 20.00"]);
    story.verifies();
}

#[test]
fn won_back_money_that_stood_in_makes_room_again() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\nE-2,KEY-2,C1,100.00,\n");
    orders(&story.shop, "B,100.00,C1,KEY-2,\n");
    story.shop.ok("finalize-invoices");
    collected(&story.shop, "T-1,,E-2,,100.00\nT-2,,E-1;E-2,,100.00\n");
    story.reports("chargeback", "T-2", 10_000);
    collected(&story.shop, "T-3,,E-1,,100.00\n");
    story.reports("chargeback", "T-1", 10_000);
    story.reports("chargeback_reversed", "T-2", 10_000);
    assert_eq!(story.spare(), [""; 0]);
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(story.spare(), ["T-2 100.00"]);
    story.verifies();
}

#[test]
fn what_an_entry_had_that_the_erp_cancels_pays_what_else_it_was_for_or_is_told() {
    let story = Story::new("E-1,KEY-1,C1,100.00,\nE-2,KEY-2,C1,100.00,\nE-3,KEY-3,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1;E-2,,100.00\nT-3,,E-3,,150.00\n");
    entries(&story.shop, "E-1,KEY-1,C1,100.00,true\nE-3,KEY-3,C1,100.00,true\n");
    assert_eq!(all_entries(&story.shop)[1], "E-2 balanced 10000/10000 -");
    let told = story.shop.rows("SELECT kind, substr(message, 1, 10) FROM exceptions WHERE state = 'open'");
    assert_eq!(told, ["key_mismatch 150.00 EUR"]);
    story.verifies();
}

#[test]
fn what_nobody_is_to_get_back_any_more_pays_what_is_open() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\nT-2,,E-1,,100.00\n");
    story.shop.ok(&story.night("refund-balance T-2 --reason twice"));
    story.reports("chargeback", "T-1", 10_000);
    assert_eq!(all_entries(&story.shop), ["E-1 open 0/10000 -"]);
    story.shop.ok(&story.night("refund-balance --withdraw RB-2026-00001"));
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 -"]);
    story.verifies();
}

/// `KIND WHAT AMOUNT` of what is left over.
fn left_over(shop: &Shop) -> Vec<String> {
    let document = shop.json("leftovers");
    let text = |row: &Value, at: &str| row.pointer(at).and_then(Value::as_str).unwrap_or("-").to_owned();
    let rows = document.pointer("/leftovers").and_then(Value::as_array).cloned().unwrap_or_default();
    rows.iter().map(|row| ["/kind", "/what", "/amount/amount"].map(|at| text(row, at)).join(" ")).collect()
}

#[test]
fn what_the_bank_took_back_is_not_told_to_be_left() {
    let mut story = Story::new("");
    orders(&story.shop, "A,100.00,C1,,\n");
    collected(&story.shop, "T-1,A,,,100.00\n");
    import(
        &story.shop,
        "orders",
        "order,currency,total,bill_to,ordered_on,cancelled\nA,EUR,100.00,C1,2026-11-15,full\n",
    );
    let untied = |story: &Story| {
        end_disputes(&story.shop);
        story.shop.run(&["capture", "--as-of", &format!("2026-11-{}T03:00:00Z", story.day)]);
        story.shop.rows("SELECT substr(message, 26, 10) FROM exceptions WHERE kind = 'untied_money' AND state = 'open'")
    };
    assert_eq!(untied(&story), ["100.00 EUR"]);
    assert_eq!(left_over(&story.shop), ["money_without_invoice payment T-1 100.00"]);
    story.reports("chargeback", "T-1", 10_000);
    assert_eq!(untied(&story), [""; 0]);
    assert_eq!(left_over(&story.shop), [""; 0]);
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(untied(&story), ["100.00 EUR"]);
    assert_eq!(left_over(&story.shop), ["money_without_invoice payment T-1 100.00"]);
    story.verifies();
}

#[test]
fn an_invoice_that_a_failed_refund_pays_once_more_is_left_over() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    story.bill();
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    story.shop.ok(&story.night("sync-journals"));
    refunded_by_hand(&story.shop, "T-1", 10_000, "2026-11-24");
    story.shop.exits(&story.night("sync-payments"), 1);
    story.shop.ok(&story.night("sync-journals"));
    assert_eq!(left_over(&story.shop), ["invoice_without_money invoice 2026-00001 100.00"]);
    collected(&story.shop, "T-2,,E-1,,100.00\n");
    assert_eq!(left_over(&story.shop), [""; 0]);
    story.shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'T-1' AND kind = 'refund'");
    story.day += 1;
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(left_over(&story.shop), ["invoice_paid_too_much invoice 2026-00001 100.00"]);
    // The way out that the man page names.
    story.shop.ok(&story.night("cancel-invoice 2026-00001 --reason paid-twice"));
    story.shop.ok(&story.night("finalize-invoices"));
    assert_eq!(left_over(&story.shop), ["money_without_invoice payment T-2 100.00"]);
    story.shop.ok(&story.night("refund-balance T-2 --reason twice"));
    story.verifies();
}

#[test]
fn an_invoice_with_a_credit_note_that_is_paid_too_much_is_left_over() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    story.bill();
    story.shop.ok(&story.night("credit-note 2026-00001 --line 1=0.4 --reason returned"));
    collected(&story.shop, "T-1,,E-1,,60.00\n");
    story.shop.ok(&story.night("sync-journals"));
    refunded_by_hand(&story.shop, "T-1", 6_000, "2026-11-24");
    story.shop.exits(&story.night("sync-payments"), 1);
    story.shop.ok(&story.night("sync-journals"));
    collected(&story.shop, "T-2,,E-1,,60.00\n");
    story.shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'T-1' AND kind = 'refund'");
    story.day += 1;
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(left_over(&story.shop), ["invoice_paid_too_much invoice 2026-00001 60.00"]);
    story.verifies();
}

fn end_disputes(shop: &Shop) {
    for id in shop.rows("SELECT id FROM exceptions WHERE kind = 'chargeback' AND state = 'open'") {
        shop.ok(&format!("resolve {id}"));
    }
}

/// `SUBJECT MESSAGE` of what is told to pay nothing.
fn unused(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT subject, substr(message, 1, instr(message, ' and') - 1), substr(message, instr(message, '`')) FROM exceptions
         WHERE kind = 'untied_money' AND state = 'open'",
    )
}

/// In the books the charged back prepayment pays the invoice; its entry never had it.
#[test]
fn what_is_won_back_displaces_what_came_for_an_entry_that_it_was_never_taken_off() {
    for won_back in [10_000, 4_000] {
        let mut story = Story::new("");
        orders(&story.shop, "A,100.00,C1,,\n");
        collected(&story.shop, "T-1,A,,,100.00\n");
        story.reports("chargeback", "T-1", 10_000);
        story.shop.ok(&story.night("finalize-invoices"));
        story.shop.ok(&story.night("sync-journals"));
        end_disputes(&story.shop);
        story.shop.ok(&story.night("capture"));
        assert_eq!(all_entries(&story.shop), ["2026-00001 open 0/10000 2026-00001"]);
        collected(&story.shop, "T-2,,2026-00001,,100.00\n");
        assert_eq!(all_entries(&story.shop), ["2026-00001 balanced 10000/10000 2026-00001"]);
        story.reports("chargeback_reversed", "T-1", won_back);
        assert_eq!(all_entries(&story.shop), ["2026-00001 balanced 10000/10000 2026-00001"]);
        let spare = if won_back == 10_000 { "100.00" } else { "40.00" };
        end_disputes(&story.shop);
        story.shop.exits(&story.night("capture"), 1);
        let told = unused(&story.shop).concat();
        assert!(told.contains(&format!("`payjournal refund-balance T-2 --amount {spare}`")), "{told}");
        story.shop.ok(&story.night(&format!("refund-balance T-2 --amount {spare} --reason twice")));
        story.shop.exits(&story.night("refund-balance T-2 --reason twice"), 2);
        story.verifies();
    }
}

/// What its open invoice lacks is no money to be paid back, although the rest of the order is cancelled.
#[test]
fn money_of_a_cancelled_order_that_its_invoice_lacks_is_not_told_to_be_too_much() {
    let shop = shop("");
    let order = |cancelled: &str| {
        let head = "order,currency,total,bill_to,ordered_on,cancelled\n";
        import(&shop, "orders", &format!("{head}A,EUR,100.00,C1,2026-11-15,{cancelled}\n"));
    };
    order("none");
    collected(&shop, "T-1,A,,,80.00\nT-2,A,,,20.00\n");
    shop.documents("invoice,R-1,A,EUR,60.00,,,2026-11-20\n");
    shop.ok("capture");
    shop.ok("sync-journals");
    refunded_by_hand(&shop, "T-1", 5_000, "2026-11-24");
    shop.exits("sync-payments --as-of 2026-11-24T03:00:00Z", 1);
    shop.ok("sync-journals --as-of 2026-11-24T04:00:00Z");
    order("rest");
    shop.exits("capture --as-of 2026-11-24T05:00:00Z", 1);
    let told =
        shop.rows("SELECT kind, substr(message, 1, 21) FROM exceptions WHERE task = 'capture' AND state = 'open'");
    assert_eq!(told, ["captured_already has 30.00 EUR outstan"]);
    shop.ok("verify");
}

#[test]
fn a_refund_that_fails_displaces_what_stood_in_and_waited_for_the_erp() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    story.bill();
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    story.shop.ok(&story.night("sync-journals"));
    collected(&story.shop, "T-2,,E-1,,100.00\n");
    refunded_by_hand(&story.shop, "T-1", 10_000, "2026-11-24");
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 2026-00001"]);
    story.shop.sandbox("UPDATE modifications SET ends = 'failed' WHERE transaction_id = 'T-1' AND kind = 'refund'");
    story.day += 1;
    story.shop.exits(&story.night("sync-payments"), 1);
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 10000"]);
    assert_eq!(all_entries(&story.shop), ["E-1 balanced 10000/10000 2026-00001"]);
    story.shop.ok(&story.night("sync-journals"));
    story.shop.exits(&story.night("capture"), 1);
    assert_eq!(unused(&story.shop).len(), 1);
    story.shop.ok(&story.night("refund-balance T-2 --reason twice"));
    story.verifies();
}

#[test]
fn what_a_partial_chargeback_left_can_be_paid_back_once_a_person_has_looked() {
    let mut story = Story::new("E-1,KEY-1,C1,40.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    story.reports("chargeback", "T-1", 3_000);
    assert_eq!(story.spare(), ["T-1 30.00"]);
    let refused = story.shop.exits(&story.night("refund-balance T-1 --amount 30.00 --reason spare"), 2);
    assert!(refused.stderr.contains("`payjournal resolve`"), "{}", refused.stderr);
    end_disputes(&story.shop);
    story.shop.exits(&story.night("refund-balance T-1 --amount 30.01 --reason spare"), 2);
    story.shop.ok(&story.night("refund-balance T-1 --amount 30.00 --reason spare"));
    assert_eq!(story.spare(), [""; 0], "it is asked for");
    story.shop.ok(&story.night("refunds"));
    story.verifies();
}

#[test]
fn money_that_can_fill_no_entry_is_told_although_one_is_open() {
    let story = Story::new("E-1,KEY-1,C1,100.00,\nE-2,KEY-2,C1,60.00,\n");
    story.bill();
    collected(&story.shop, "T-1,,E-1;E-2,,160.00\n");
    story.shop.ok(&story.night("sync-journals"));
    refunded_by_hand(&story.shop, "T-1", 10_000, "2026-11-24");
    story.shop.exits(&story.night("sync-payments"), 1);
    entries(&story.shop, "E-2,KEY-2,C1,60.00,true\n");
    assert_eq!(story.spare(), ["T-1 60.00"]);
    story.verifies();
}

#[test]
fn what_comes_back_to_an_entry_that_is_cancelled_is_told() {
    let mut story = Story::new("E-1,KEY-1,C1,100.00,\n");
    collected(&story.shop, "T-1,,E-1,,100.00\n");
    let told = |shop: &Shop| shop.rows("SELECT substr(message, 1, 10) FROM exceptions WHERE kind = 'key_mismatch'");
    story.reports("chargeback", "T-1", 10_000);
    entries(&story.shop, "E-1,KEY-1,C1,100.00,true\n");
    assert_eq!(told(&story.shop), [""; 0]);
    story.reports("chargeback_reversed", "T-1", 10_000);
    assert_eq!(told(&story.shop), ["100.00 EUR"]);
    story.shop.ok(&story.night("refund-balance T-1 --reason cancelled"));
    story.verifies();
}

/// The order in which cron runs them: capture before the ERP was told that the invoice is open again.
#[test]
fn money_that_is_there_before_the_erp_knows_that_an_invoice_is_open_again_waits_for_it() {
    let story = Story::new("");
    orders(&story.shop, "A,100.00,C1,,\n");
    collected(&story.shop, "T-1,A,,,100.00\n");
    story.shop.ok(&story.night("finalize-invoices"));
    story.shop.ok(&story.night("sync-journals"));
    refunded_by_hand(&story.shop, "T-1", 10_000, "2026-11-24");
    collected(&story.shop, "T-2,A,,,100.00\n");
    story.shop.exits(&story.night("sync-payments"), 1);
    story.shop.ok(&story.night("capture"));
    assert_eq!(unused(&story.shop), [""; 0]);
    story.shop.ok(&story.night("sync-journals"));
    story.shop.ok(&story.night("capture"));
    assert_eq!(invoices(&story.shop), ["2026-00001 A 10000 10000"]);
    story.verifies();
}
