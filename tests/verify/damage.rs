//! Damage planted in the rows by SQL, one kind after the other, each found by its name.

use std::collections::BTreeSet;

use super::world::{World, checks_found};

struct Damage {
    /// The check that must find it.
    check: &'static str,
    /// What else cannot hold any more.
    also: &'static [&'static str],
    sql: &'static str,
}

const fn damage(check: &'static str, also: &'static [&'static str], sql: &'static str) -> Damage {
    Damage { check, also, sql }
}

const BOOKS: [Damage; 11] = [
    damage(
        "journal-sums-to-zero",
        &["journal-amount"],
        "UPDATE postings SET amount_minor = amount_minor + 1
         WHERE line = 1 AND journal_id = (SELECT id FROM journals WHERE kind = 'application' AND amount_minor = 1000)",
    ),
    damage(
        "journal-postings",
        &["journal-amount"],
        "DELETE FROM postings WHERE journal_id = (SELECT max(id) FROM journals WHERE kind = 'application')",
    ),
    damage(
        "journal-amount",
        &[],
        "UPDATE postings SET amount_minor = 2 * amount_minor
         WHERE journal_id = (SELECT max(id) FROM journals WHERE kind = 'application')",
    ),
    damage(
        "journal-currency",
        &[],
        "UPDATE journals SET currency = 'USD' WHERE id = (SELECT max(id) FROM journals WHERE kind = 'application')",
    ),
    damage("journal-kind", &["operation-content"], "UPDATE journals SET kind = 'reopening' WHERE kind = 'refund'"),
    damage(
        "journal-customer",
        &[],
        "UPDATE journals SET bill_to = 'C99' WHERE id = (SELECT max(id) FROM journals WHERE kind = 'application')",
    ),
    damage(
        "journal-once",
        &["schema", "journal-number"],
        "DROP INDEX journals_once;
         INSERT INTO journals SELECT (SELECT max(id) + 1 FROM journals), movement_id, kind, direction, document_id, 'PJ-TWICE', bill_to, posting_date, 1, currency, booked_at
           FROM journals WHERE kind = 'application' AND amount_minor = 1000;
         INSERT INTO postings SELECT id, 1, 'Liabilities:Prepayments:C1', 1 FROM journals WHERE number = 'PJ-TWICE';
         INSERT INTO postings SELECT id, 2, 'Assets:Receivables:C1', -1 FROM journals WHERE number = 'PJ-TWICE';
         UPDATE documents SET total_minor = 1001 WHERE number = 'R-20'",
    ),
    damage(
        "journal-number",
        &[],
        "UPDATE journals SET number = 'PJ-AAAAAAAAAAAAAAAA' WHERE id = (SELECT max(id) FROM journals)",
    ),
    damage(
        "journal-number-form",
        &["journal-number"],
        "UPDATE journals SET number = 'pj_1' WHERE id = (SELECT max(id) FROM journals)",
    ),
    damage(
        "journal-number-unique",
        &["journal-number", "journal-number-form"],
        "UPDATE journals SET number = (SELECT lower(number) FROM journals WHERE id = 1) WHERE id = (SELECT max(id) FROM journals)",
    ),
    damage(
        "clearing-balance",
        &[],
        "UPDATE postings SET amount_minor = -amount_minor WHERE journal_id = (SELECT id FROM journals WHERE kind = 'reopening')",
    ),
];

const MOVEMENTS: [Damage; 13] = [
    damage("chargeback-untold", &[], "UPDATE exceptions SET kind = 'outside_refund' WHERE kind = 'chargeback'"),
    damage(
        "movement-payment",
        &["journal-number"],
        "UPDATE movements SET merchant_account = 'Other' WHERE modification_id = 'BO-7'",
    ),
    damage(
        "movement-booked",
        &["clearing-balance"],
        "INSERT INTO movements SELECT (SELECT max(id) + 1 FROM movements), payment_id, 'capture', provider, merchant_account, 'X-1', 1, currency, occurred_at, NULL,
           'look_up', learnt_at FROM movements WHERE modification_id = 'BO-1'",
    ),
    damage(
        "applications-within-prepayment",
        &["document-overpaid"],
        "UPDATE journals SET amount_minor = 9000 WHERE kind = 'application' AND amount_minor = 5000;
         UPDATE postings SET amount_minor = 9000 * (3 - 2 * line) WHERE journal_id = (SELECT id FROM journals
           WHERE kind = 'application' AND amount_minor = 9000)",
    ),
    damage(
        "failure-without-original",
        &[],
        "INSERT INTO movements SELECT (SELECT max(id) + 1 FROM movements), payment_id, 'capture_failure', provider, merchant_account, 'X-1', 1, currency, occurred_at,
           NULL, 'look_up', learnt_at FROM movements WHERE modification_id = 'BO-1'",
    ),
    damage(
        "failure-amount",
        &["reversal-without-failure", "clearing-balance"],
        "UPDATE movements SET amount_minor = amount_minor - 1 WHERE kind = 'capture_failure'",
    ),
    damage(
        "failure-reversed",
        &["clearing-balance", "rows-missing"],
        "DELETE FROM postings WHERE journal_id IN (SELECT id FROM journals WHERE direction = 'reversal');
         DELETE FROM journals WHERE direction = 'reversal'",
    ),
    damage(
        "reversal-without-original",
        &["failure-reversed", "journal-for-own-order", "journal-number"],
        "UPDATE journals SET document_id = (SELECT id FROM documents WHERE number = 'R-7') WHERE direction = 'reversal'",
    ),
    damage(
        "reversal-without-failure",
        &["clearing-balance", "movement-confirmed", "rows-missing"],
        "DELETE FROM movements WHERE kind = 'capture_failure'",
    ),
    damage(
        "reversal-mirrors-original",
        &[],
        "UPDATE postings SET account = 'Equity:Elsewhere' WHERE line = 2
           AND journal_id IN (SELECT id FROM journals WHERE direction = 'reversal')",
    ),
    damage(
        "movement-operation",
        &[],
        "UPDATE movements SET operation_id = (SELECT operation_id FROM movements WHERE currency = 'JPY')
         WHERE kind = 'refund' AND operation_id IS NOT NULL",
    ),
    damage(
        "movement-confirmed",
        &["refused-untold"],
        "UPDATE operations SET state = 'refused' WHERE kind = 'refund';
         INSERT INTO operation_events (operation_id, at, state, note)
           SELECT id, status_since, 'refused', '' FROM operations WHERE kind = 'refund'",
    ),
    damage(
        "confirmed-without-movement",
        &["mail-missing"],
        "INSERT INTO operation_events (operation_id, at, state, note)
           SELECT id, status_since, 'confirmed', '' FROM operations WHERE state = 'accepted';
         UPDATE operations SET state = 'confirmed' WHERE state = 'accepted'",
    ),
];

const OPERATIONS: [Damage; 15] = [
    damage(
        "captures-within-authorised",
        &[],
        "UPDATE authorisations SET amount_minor = amount_minor - 1
         WHERE payment_id = (SELECT payment_id FROM operations WHERE state = 'accepted')",
    ),
    damage(
        "refunds-within-captured",
        &["movement-operation", "operation-content"],
        "UPDATE operations SET amount_minor = 20000 WHERE kind = 'refund'",
    ),
    damage(
        "one-live-operation",
        &["schema", "confirmed-without-movement", "mail-missing"],
        "DROP INDEX operations_once;
         INSERT INTO operation_events (operation_id, at, state, note)
           SELECT id, status_since, 'confirmed', '' FROM operations WHERE refusal_code = 'refused_by_issuer';
         UPDATE operations SET state = 'confirmed' WHERE refusal_code = 'refused_by_issuer'",
    ),
    damage(
        "one-unanswered-per-target",
        &["schema", "operation-history", "movement-confirmed"],
        "DROP INDEX operations_unanswered;
         INSERT INTO operation_events (operation_id, at, state, note) SELECT id, status_since, 'unknown', '' FROM operations
           WHERE payment_id = (SELECT payment_id FROM operations WHERE kind = 'refund') AND kind IN ('capture', 'refund');
         UPDATE operations SET state = 'unknown'
           WHERE payment_id = (SELECT payment_id FROM operations WHERE kind = 'refund') AND kind IN ('capture', 'refund')",
    ),
    damage(
        "operation-subject",
        &["operation-key", "operation-content"],
        "UPDATE operations SET document_id = NULL WHERE kind = 'refund'",
    ),
    damage("operation-target", &[], "UPDATE operations SET target = 'payment:999' WHERE id = 1"),
    damage("operation-key", &["mail-missing"], "UPDATE operations SET key = 'pj-capture-1' WHERE id = 1"),
    damage("operation-content", &[], "UPDATE operations SET request_hash = '00' WHERE id = 1"),
    damage("operation-state", &[], "UPDATE operations SET state = 'confirmed' WHERE kind = 'mail' AND state = 'accepted' OR id = 0;
         UPDATE operations SET state = 'planned' WHERE id = (SELECT max(id) FROM operations WHERE kind = 'mail')"),
    damage(
        "operation-history",
        &[],
        "INSERT INTO operation_events (operation_id, at, state, note) VALUES (1, '2026-11-22T02:00:00Z', 'planned', ''),
           (1, '2026-11-22T02:00:00Z', 'confirmed', '')",
    ),
    damage("operation-sending", &[], "UPDATE operations SET sent_at = NULL WHERE id = 1"),
    damage(
        "sent-without-run",
        &["operation-history"],
        "INSERT INTO operation_events (operation_id, at, state, note)
           SELECT id, status_since, 'sent', '' FROM operations WHERE state = 'accepted';
         UPDATE operations SET state = 'sent', tries = tries + 1 WHERE state = 'accepted'",
    ),
    damage(
        "operation-over-age",
        &[],
        "UPDATE operations SET status_since = '2026-01-01T00:00:00Z' WHERE state = 'accepted'",
    ),
    damage(
        "given-up-untold",
        &[],
        "INSERT INTO operation_events (operation_id, at, state, note)
           SELECT id, status_since, 'given_up', '' FROM operations WHERE state = 'accepted';
         UPDATE operations SET state = 'given_up' WHERE state = 'accepted'",
    ),
    damage("refused-untold", &["rows-missing"], "DELETE FROM exceptions WHERE kind = 'capture_refused'"),
];

const RECORDS: [Damage; 15] = [
    damage(
        "payment-status",
        &[],
        "UPDATE payments SET status = 'authorised', status_since = '2026-01-01T00:00:00Z' WHERE transaction_id = 'TX-7'",
    ),
    damage("payment-invoices", &[], "UPDATE payments SET pays = 'R-9;NOPE' WHERE pays <> ''"),
    damage("order-status", &[], "UPDATE orders SET payment_status = 'cancelled' WHERE number = 'SO-1'"),
    damage("order-currency", &["order-status", "order-settlements"], "UPDATE orders SET currency = 'USD' WHERE number = 'SO-1'"),
    damage("document-overpaid", &[], "UPDATE documents SET total_minor = 1 WHERE number = 'R-1'"),
    damage("shipment-overpaid", &[], "UPDATE documents SET total_minor = 1 WHERE kind = 'shipment'"),
    damage(
        "exception-once",
        &["schema"],
        "DROP INDEX exceptions_once;
         INSERT INTO exceptions (kind, subject, message, state, raised_at)
           SELECT kind, subject, message, state, raised_at FROM exceptions WHERE state = 'open' LIMIT 1",
    ),
    damage("exception-resolved", &[], "UPDATE exceptions SET state = 'resolved', resolved_at = NULL"),
    damage("run-end", &[], "UPDATE runs SET exit_code = NULL WHERE id = 1"),
    damage(
        "mail-once",
        &["schema"],
        "CREATE TABLE copy (id INTEGER PRIMARY KEY, event TEXT NOT NULL, recipient TEXT NOT NULL, subject TEXT NOT NULL,
           body TEXT NOT NULL, written_at TEXT NOT NULL) STRICT;
         INSERT INTO copy SELECT * FROM mails;
         DROP TABLE mails;
         ALTER TABLE copy RENAME TO mails;
         INSERT INTO mails SELECT (SELECT max(id) + 1 FROM mails), event, recipient, subject, body, written_at FROM mails WHERE id = 1",
    ),
    damage("rows-readable", &[], "UPDATE exceptions SET kind = 'nonsense' WHERE id = 1"),
    damage("foreign-keys", &[], "UPDATE exceptions SET payment_id = 999 WHERE id = 1"),
    damage("schema", &[], "DROP INDEX operations_journal_once"),
    damage("schema", &[], "CREATE TABLE mine (it TEXT) STRICT"),
    damage(
        "database-integrity",
        &["rows-readable", "operation-content"],
        "UPDATE mails SET recipient = 'nobody' WHERE id = 1",
    ),
];

/// What is left behind where rows were changed by hand and the rest was made to fit.
const TRACES: [Damage; 6] = [
    damage(
        "rows-missing",
        &[],
        "DELETE FROM exceptions WHERE id = (SELECT min(id) FROM exceptions WHERE kind NOT IN ('capture_refused', 'given_up'))",
    ),
    damage(
        "journal-for-own-order",
        &[],
        "UPDATE documents SET order_id = (SELECT max(id) FROM orders)
           WHERE id = (SELECT document_id FROM journals WHERE kind = 'receipt' LIMIT 1)",
    ),
    damage(
        "journal-date",
        &[],
        "UPDATE journals SET posting_date = '2019-01-01' WHERE id = (SELECT max(id) FROM journals WHERE kind = 'prepayment')",
    ),
    damage(
        "operation-modification",
        &[],
        "UPDATE operations SET modification_id = 'X-9' WHERE kind = 'capture' AND id = (SELECT max(operation_id) FROM movements
           WHERE kind = 'capture' AND operation_id IS NOT NULL)",
    ),
    damage(
        "retry-without-request",
        &[],
        "UPDATE operations SET retry_requested = 1 WHERE id = (SELECT max(id) FROM operations WHERE state = 'confirmed')",
    ),
    damage(
        "mail-missing",
        &["operation-key"],
        "UPDATE mails SET event = event || '-gone' WHERE event LIKE 'captured:%'",
    ),
];

const SETTLEMENTS: [Damage; 10] = [
    damage(
        "settlement-line",
        &["payout-sums", "order-settlements", "settled-movement"],
        "UPDATE settlement_lines SET kind = 77",
    ),
    damage("payout-sums", &[], "UPDATE payout_sums SET tax_micros = tax_micros + 1"),
    damage("payout-journal", &[], "UPDATE payout_journals SET amount_minor = amount_minor + 1 WHERE id = 1"),
    damage("payout-journal-number", &[], "UPDATE payout_journals SET number = 'PJ-1' WHERE id = 1"),
    damage(
        "payout-booked",
        &["payout-journal-number"],
        "UPDATE payout_postings SET amount_minor = 2 * amount_minor WHERE journal_id = 1;
         UPDATE payout_journals SET amount_minor = 2 * amount_minor WHERE id = 1",
    ),
    damage(
        "payout-closed",
        &["payout-sums", "payout-booked"],
        "UPDATE payout_sums SET net_micros = net_micros - 10000 WHERE kind = 15",
    ),
    damage(
        "match-once",
        &["order-settlements", "schema"],
        "DROP INDEX settlement_matches_first;
         INSERT INTO settlement_matches SELECT (SELECT max(id) + 1 FROM settlement_matches), account_id, transaction_id, reference, order_id, rule,
           reason, NULL, made_at, run_id FROM settlement_matches;
         CREATE INDEX settlement_matches_first ON settlement_matches (account_id, transaction_id, reference)",
    ),
    damage("order-settlements", &[], "UPDATE order_settlements SET sold_micros = 2 * sold_micros"),
    damage("unmatched-groups", &[], "DELETE FROM unmatched_groups"),
    damage(
        "settled-movement",
        &[],
        "UPDATE movements SET learnt_from = 'settlement' WHERE modification_id = 'BO-11'",
    ),
];

const DELETIONS: [Damage; 9] = [
    damage("order-deleted", &["deleted-order-has-no-money"], "UPDATE orders SET deleted = 1 WHERE number = 'SO-1'"),
    damage(
        "order-deleted",
        &["tombstone-intact", "stock-released-once"],
        "DELETE FROM tombstones WHERE id = 2",
    ),
    damage("tombstone-intact", &["operation-key"], "UPDATE deletions SET generation = 7 WHERE id = 2"),
    damage("deletion-gates", &[], "DELETE FROM deletion_gates WHERE gate = 'answer' AND deletion_id = 2"),
    damage(
        "deleted-order-has-no-money",
        &["order-status"],
        "INSERT INTO authorisations (payment_id, amount_minor, seen_at)
           SELECT id, 1190, '2026-11-22T23:50:00Z' FROM payments WHERE transaction_id = 'TX-14';
         UPDATE payments SET status = 'authorised' WHERE transaction_id = 'TX-14'",
    ),
    damage(
        "stock-released-once",
        &[],
        "INSERT INTO stock_releases SELECT 4, order_id, 2, generation, direction, item, description, quantity, released_by, happened_at, run_id
           FROM stock_releases WHERE id = 1; UPDATE stock_releases SET generation = 9 WHERE id = 4",
    ),
    damage("stock-released-once", &["rows-missing"], "DELETE FROM stock_releases WHERE id = 1"),
    damage("stock-released-once", &[], "UPDATE stock_releases SET direction = 'release', line = 3 WHERE id = 2"),
    damage("deleted-order-entries", &[], "UPDATE entries SET status = 'open' WHERE reference = 'W-14'"),
];

const PORTAL: [Damage; 9] = [
    damage("portal-event", &[], "UPDATE portal_events SET data = data || ' ' WHERE kind = 'invoice.paid'"),
    damage(
        "portal-event",
        &["operation-content"],
        "UPDATE portal_events SET sequence = 70 WHERE kind = 'invoice.paid'",
    ),
    damage(
        "portal-taken",
        &[],
        "UPDATE portal_events SET is_taken = 0 WHERE id = (SELECT max(id) FROM portal_events WHERE kind = 'stock.released')",
    ),
    damage(
        "portal-taken",
        &["portal-overdue"],
        "UPDATE portal_events SET is_taken = 0 WHERE kind = 'order.deleted' AND data ->> 'generation' = 1",
    ),
    damage(
        "portal-told",
        &["portal-event", "operation-key", "operation-content", "foreign-keys"],
        "DELETE FROM portal_events WHERE kind = 'order.deleted'",
    ),
    damage("portal-told", &[], "INSERT INTO portal_news (what, subject) VALUES ('order', 1)"),
    damage("portal-order-status", &["order-status"], "UPDATE orders SET payment_status = 'new' WHERE number = 'SO-2'"),
    damage("portal-document", &[], "UPDATE documents SET paid_elsewhere_minor = 1 WHERE number = 'R-21'"),
    damage(
        "portal-overdue",
        &["portal-taken", "operation-content"],
        "UPDATE portal_events SET is_taken = 0, happened_at = '2026-11-01T00:00:00Z' WHERE kind = 'invoice.paid'",
    ),
];

const INVOICES: [Damage; 12] = [
    damage("invoice-lines", &[], "UPDATE invoice_lines SET tax_minor = tax_minor + 1"),
    damage("invoice-journal", &[], "UPDATE invoice_postings SET amount_minor = amount_minor + 1 WHERE line = 1"),
    damage("invoice-journal-number", &[], "UPDATE invoice_journals SET number = 'PJ-AAAAAAAAAAAAAAA' || id"),
    damage("invoice-number-drawn", &[], "DELETE FROM number_counters"),
    damage("invoice-stands-once", &[], "UPDATE corrections SET cancels = 0"),
    damage(
        "invoice-cancelled",
        &[],
        "UPDATE documents SET paid_elsewhere_minor = paid_elsewhere_minor + 1 WHERE kind = 'cancellation'",
    ),
    damage(
        "invoice-credited",
        &["invoice-lines"],
        "UPDATE invoice_lines SET net_minor = 3 * net_minor
         WHERE document_id IN (SELECT document_id FROM corrections WHERE cancels = 0)",
    ),
    damage(
        "free-balance-of-customer",
        &["operation-content"],
        "UPDATE payments SET order_id = (SELECT id FROM orders WHERE number = 'SO-3') WHERE transaction_id = 'TX-12';
         UPDATE journals SET bill_to = 'C9' WHERE kind = 'prepayment'
           AND movement_id IN (SELECT m.id FROM movements m JOIN payments p ON p.id = m.payment_id WHERE p.transaction_id = 'TX-12')",
    ),
    damage("invoice-entry", &[], "UPDATE entries SET document_id = NULL"),
    damage(
        "entry-assigned",
        &["entry-tied"],
        "UPDATE entries SET assigned_minor = assigned_minor - 1 WHERE assigned_minor > 0 AND status <> 'cancelled'",
    ),
    damage(
        "assignment-within-movement",
        &["entry-assigned"],
        "INSERT INTO assignments (entry_id, movement_id, amount_minor, assigned_at) SELECT entry_id, movement_id, 1, assigned_at FROM assignments",
    ),
    damage(
        "entry-tied",
        &[],
        "UPDATE assignments SET amount_minor = amount_minor - 1 WHERE id = 1;
         UPDATE entries SET assigned_minor = assigned_minor - 1, status = 'open' WHERE id = (SELECT entry_id FROM assignments WHERE id = 1)",
    ),
];

fn all() -> impl Iterator<Item = &'static Damage> {
    BOOKS
        .iter()
        .chain(&MOVEMENTS)
        .chain(&OPERATIONS)
        .chain(&RECORDS)
        .chain(&TRACES)
        .chain(&SETTLEMENTS)
        .chain(&INVOICES)
        .chain(&PORTAL)
        .chain(&DELETIONS)
        .chain(&COLLECTIONS)
}

/// The checks that are planted here.
pub(crate) fn planted() -> impl Iterator<Item = &'static str> {
    all().map(|damage| damage.check)
}

/// Plants each and says what is not found, or found besides.
fn surprises(damages: &[Damage]) -> Vec<String> {
    let mut surprises = Vec::new();
    for Damage { check, also, sql } in damages {
        let world = World::new();
        world.plant(sql);
        let document = world.json("verify");
        let expected: BTreeSet<String> = also.iter().chain([check]).map(|name| (*name).to_owned()).collect();
        let found = checks_found(&document);
        let code = if found.contains("database-integrity") { 6 } else { 1 };
        if found != expected || document["exit_code"] != code {
            surprises.push(format!("{check}: {found:?} and not {expected:?}\n{:#}", document["findings"]));
        }
    }
    surprises
}

#[track_caller]
fn no_surprise(damages: &[Damage]) {
    let surprises = surprises(damages);
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn damaged_books_are_found() {
    no_surprise(&BOOKS);
}

#[test]
fn damaged_movements_are_found() {
    no_surprise(&MOVEMENTS);
}

#[test]
fn damaged_operations_are_found() {
    no_surprise(&OPERATIONS);
}

#[test]
fn damaged_records_are_found() {
    no_surprise(&RECORDS);
    no_surprise(&TRACES);
}

#[test]
fn damaged_invoices_are_found() {
    no_surprise(&INVOICES);
}

#[test]
fn damaged_deletions_are_found() {
    no_surprise(&DELETIONS);
}

const COLLECTIONS: [Damage; 2] = [
    damage("collection-payment", &[], "DELETE FROM collected_payments"),
    damage(
        "collection-payment",
        &[],
        "UPDATE mandates SET revoked_on = NULL; UPDATE collected_payments SET payment_id = 1",
    ),
];

#[test]
fn damaged_collections_are_found() {
    no_surprise(&COLLECTIONS);
}

#[test]
fn a_damaged_outbox_is_found() {
    no_surprise(&PORTAL);
}

#[test]
fn damaged_settlements_are_found() {
    no_surprise(&SETTLEMENTS);
}

#[test]
fn a_missing_or_changed_guard_is_found() {
    let world = World::new();
    world.connection().execute_batch("DROP TRIGGER movements_kept").unwrap();
    let document = world.json("verify");
    assert_eq!(checks_found(&document), BTreeSet::from(["schema".to_owned()]));
    assert_eq!(document["findings"][0]["subject"], "trigger movements_kept");
    world
        .connection()
        .execute_batch("CREATE TRIGGER movements_kept BEFORE DELETE ON movements BEGIN SELECT 1; END")
        .unwrap();
    let changed = world.json("verify");
    assert!(
        changed["findings"][0]["message"].as_str().unwrap().starts_with("it is not as payjournal made it"),
        "{changed}"
    );
}

#[test]
fn rows_that_no_program_writes_are_findings_and_no_crash() {
    for sql in [
        "UPDATE payments SET status = 'nonsense'",
        "UPDATE payments SET transaction_id = '' WHERE id = 1",
        "UPDATE operations SET state = 'nonsense', kind = 'nonsense'",
        "UPDATE operations SET attempt = -5, tries = -1, planned_at = 'yesterday'",
        "UPDATE operation_events SET state = 'nonsense'",
        "UPDATE movements SET amount_minor = 9223372036854775807",
        "UPDATE movements SET kind = 'nonsense' WHERE id = 1",
        "UPDATE postings SET amount_minor = 9223372036854775807",
        "UPDATE authorisations SET amount_minor = -9223372036854775807",
        "UPDATE documents SET total_minor = -9223372036854775807, kind = 'x', number = number || char(0)",
        "UPDATE orders SET currency = 'XXX', terms = 'nonsense', ordered_on = ''",
        "UPDATE journals SET number = CAST(x'ff' AS TEXT) WHERE id = 1",
        "UPDATE runs SET state = 'nonsense', started_at = ''",
        "DROP TABLE postings",
        "DELETE FROM payments; DELETE FROM documents",
    ] {
        let world = World::new();
        world.plant(sql);
        let document = world.json("verify");
        let found = checks_found(&document);
        assert!(!found.is_empty(), "{sql}");
        assert!(document["exit_code"] == 1 || document["exit_code"] == 6, "{sql}: {document}");
    }
}
