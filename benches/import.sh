#!/usr/bin/env bash
# How long 100 000 orders, payments and documents take to come in, how long again, and how much memory that needs.
# Usage: benches/import.sh path/to/payjournal [ROWS]   (wants GNU time as /usr/bin/time)
set -euo pipefail

binary=$(realpath "$1")
rows=${2:-100000}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"$binary" init > /dev/null

awk -v rows="$rows" 'BEGIN {
    print "order,currency,total,bill_to,ordered_on" > "orders.csv"
    print "provider,transaction,order,method,currency,status,authorised,authorised_at" > "payments.csv"
    print "kind,number,order,currency,total,posted_on" > "documents.csv"
    for (i = 1; i <= rows; i++) {
        amount = (i % 50000) / 100 + 1
        printf "SO-%d,EUR,%.2f,C%d,2026-11-%02d\n", i, amount, i % 5000, i % 20 + 1 > "orders.csv"
        printf "sandbox,TX-%d,SO-%d,card,EUR,authorised,%.2f,2026-11-20T08:00:00Z\n", i, i, amount > "payments.csv"
        printf "invoice,R-%d,SO-%d,EUR,%.2f,2026-11-21\n", i, i, amount > "documents.csv"
    }
}'
for what in orders payments documents; do
    for time in first again; do
        /usr/bin/time -f "$what $time: %e s, %M KiB" "$binary" import "$what" "$what.csv" --quiet
    done
done
