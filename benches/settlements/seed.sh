#!/usr/bin/env bash
# seed.sh DATA FOLDER: a payjournal folder whose ledger holds the orders and payments of the workload generator's DATA.
#
# The rows are those an import of the same orders and captured payments makes, without journals, and the refunds payjournal made; written
# by SQL, as the benchmark is about reports.
set -euo pipefail
data="$1"
folder="$2"
payjournal="${PAYJOURNAL:-payjournal}"
rm -rf "$folder"
mkdir -p "$folder/reports"
{
    echo 'mode = "test"'
    for account in AcmeEU_Ecom AcmeUK_Ecom AcmeUS_Ecom CafeZürich_POS; do
        name="$(echo "$account" | tr -dc 'A-Za-z')"
        printf '\n[provider.%s]\nkind = "reports"\nmerchant_account = "%s"\nreports = "reports"\norder_in_reference = "(?<order>PO-.+)"\n' \
            "$name" "$account"
    done
} >"$folder/payjournal.toml"
head -n 1 "$data/report.csv" >"$folder/reports/empty.csv"
# Makes the ledger with its schema.
printf 'number,total,currency\n' >"$folder/orders.csv"
"$payjournal" --config "$folder/payjournal.toml" import orders "$folder/orders.csv" >"$folder/import.txt" 2>&1 || true
# The refunds in the reports are ones the ledger knows.
cat "$data/report.csv" "$data/next.csv" | awk -F, '$8 == "Refunded" { print $3 "," $9 "," $11 }' >"$folder/refunds.csv"
sqlite3 -bail "$folder/payjournal.db" <<SQL
PRAGMA synchronous = OFF;
CREATE TEMP TABLE o (id INTEGER PRIMARY KEY, reference TEXT, account TEXT, currency TEXT, amount_minor INTEGER, placed_at TEXT, state TEXT);
CREATE TEMP TABLE p (id INTEGER PRIMARY KEY, order_id INTEGER, psp_reference TEXT, method TEXT, amount_minor INTEGER, state TEXT);
.mode csv
.import --skip 1 '$data/orders.csv' o
.import --skip 1 '$data/payments.csv' p
BEGIN;
INSERT INTO orders (id, shop, number, currency, total_minor, terms, cancelled, bill_to, payment_status, ordered_on)
  SELECT id, 'webshop', reference, currency, amount_minor, 'online', 'none', 'CASH', 'paid', substr(placed_at, 1, 10) FROM o ORDER BY id;
INSERT INTO payments (provider, merchant_account, transaction_id, order_id, method, currency, status, status_since, authorised_at)
  SELECT CASE o.account WHEN 'CafeZürich_POS' THEN 'CafeZrichPOS' ELSE replace(o.account, '_', '') END, o.account,
         p.psp_reference, p.order_id, p.method, o.currency, 'captured', o.placed_at, o.placed_at
  FROM p JOIN o ON o.id = p.order_id WHERE p.psp_reference <> '' ORDER BY p.id;
INSERT INTO authorisations (payment_id, amount_minor, seen_at)
  SELECT y.id, o.amount_minor, o.placed_at FROM payments y JOIN o ON o.id = y.order_id ORDER BY y.id;
INSERT INTO movements (payment_id, kind, provider, merchant_account, modification_id, amount_minor, currency, occurred_at, learnt_from, learnt_at)
  SELECT y.id, 'capture', y.provider, y.merchant_account, y.transaction_id, o.amount_minor, y.currency, o.placed_at, 'import', o.placed_at
  FROM payments y JOIN o ON o.id = y.order_id ORDER BY y.id;
CREATE TEMP TABLE r (psp_reference TEXT, modification TEXT, amount TEXT);
.import '$folder/refunds.csv' r
INSERT INTO movements (payment_id, kind, provider, merchant_account, modification_id, amount_minor, currency, occurred_at, learnt_from, learnt_at)
  SELECT y.id, 'refund', y.provider, y.merchant_account, r.modification, CAST(replace(r.amount, '.', '') AS INTEGER), y.currency, y.status_since, 'answer',
         y.status_since
  FROM r JOIN payments y ON y.transaction_id = r.psp_reference;
COMMIT;
ANALYZE;
PRAGMA wal_checkpoint(TRUNCATE);
SQL
