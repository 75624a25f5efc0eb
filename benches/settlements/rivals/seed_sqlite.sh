#!/bin/sh
# seed_sqlite.sh DATADIR OUT.db : ledger CSVs -> SQLite ledger (WAL mode, which the file remembers)
set -eu
rm -f "$2" "$2-wal" "$2-shm"
here=$(dirname "$0")
sqlite3 -bail "$2" <<SQL
PRAGMA page_size=4096;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=OFF;
PRAGMA cache_size=-1000000;
.read $here/schema.sql
CREATE TEMP TABLE o(id,reference,account,currency,amount_minor,placed_at,state);
CREATE TEMP TABLE p(id,order_id,psp_reference,method,amount_minor,state);
.mode csv
.import --skip 1 $1/orders.csv o
.import --skip 1 $1/payments.csv p
BEGIN;
INSERT INTO orders(id,reference,account,currency,amount_minor,placed_at,state) SELECT * FROM o;
INSERT INTO payments SELECT id,order_id,NULLIF(psp_reference,''),method,amount_minor,state FROM p;
COMMIT;
ANALYZE;
PRAGMA wal_checkpoint(TRUNCATE);
SQL
