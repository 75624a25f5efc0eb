#!/usr/bin/env bash
# The release binary as its users meet it: the demo checked by three accounting programs, cron, and a CI script with jq.
# Usage: tests/outside.sh path/to/payjournal   (hledger, ledger and jq on PATH; bean-check on PATH or in $PAYJOURNAL_BEAN_CHECK)
set -euo pipefail

binary=$(realpath "$1")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
now=2026-11-22T02:00:00Z
fail() { echo "outside.sh: $*" >&2; exit 1; }

"$binary" demo "$place/shop" --as-of "$now" > "$place/demo.txt"
cd "$place/shop"

hledger -f journals.hledger check --strict
ledger -f journals.hledger --strict --pedantic bal > /dev/null
"${PAYJOURNAL_BEAN_CHECK:-bean-check}" journals.beancount

# The PSP's own record: each key once, and the sums the clearing accounts show.
"$binary" sandbox record --json > "$place/record.json"
jq -e '[.transactions[].modifications[].key] | length == (unique | length)' "$place/record.json" > /dev/null \
    || fail "the sandbox carried a key out twice"
# What it still owes, and what it paid out, in cents.
owed=$(hledger -f journals.hledger bal Assets:PSP cur:EUR -O csv -N -l | { grep -o '[-0-9.]* EUR' || echo 0; } | head -1 | tr -d '. EUR')
paid_out=$("$binary" list payouts --json \
    | jq '[.payouts[].proofs[] | select(.currency == "EUR") | .gross | gsub("\\."; "") | tonumber] | add')
at_psp=$(jq -r '[.transactions[].modifications[] | select(.amount.currency == "EUR" and .state == "confirmed" and .kind != "release")
    | (.amount.amount | gsub("\\."; "") | tonumber) * (if .kind == "refund" then -1 else 1 end)] | add' "$place/record.json")
[ "$((owed + paid_out))" = "$at_psp" ] || fail "the books say $owed owed and $paid_out paid out, the PSP's record $at_psp cents"

# cron: no terminal, empty environment, nothing to say on success.
for task in sync-payments capture refunds sync-journals settlements; do
    env -i "$binary" "$task" --config "$place/shop/payjournal.toml" --as-of "$now" < /dev/null > "$place/out" 2>&1 \
        || fail "$task ended with $?: $(cat "$place/out")"
    [ ! -s "$place/out" ] || fail "$task said something to cron: $(cat "$place/out")"
done

# A script: one document, an exit code.
"$binary" capture --json --as-of "$now" | jq -e '.schema == "payjournal/run/1" and .exit_code == 0 and .confirmed == []' > /dev/null
"$binary" status --json --as-of "$now" | jq -e '.schema == "payjournal/status/1" and (.exceptions | length) > 0' > /dev/null
"$binary" settlements --json --as-of "$now" | jq -e '.exit_code == 0 and all(.files[]; .outcome == "known")' > /dev/null
"$binary" explain 1:1 --json | jq -e '.schema == "payjournal/explain/1" and .tried[1].counts' > /dev/null
"$binary" show order D-1018 --json | jq -e '.schema == "payjournal/show/1"' > /dev/null
set +e
"$binary" capture --jsn > /dev/null 2>&1
[ $? -eq 2 ] || fail "a wrong flag is not exit 2"
echo "outside.sh: all seen"
