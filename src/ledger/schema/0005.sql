-- The ledger, version 5: what payouts are booked as.

-- Days since 1970 in the zone of the books as they were when the line was stored; NULL in lines of version 4, which are of their
-- UTC day.
ALTER TABLE settlement_lines ADD COLUMN day INTEGER;

-- Sums of a payout by day, in millionths of the currency's unit.
DROP TABLE payout_sums;
CREATE TABLE payout_sums (
    payout_id           INTEGER NOT NULL REFERENCES payouts (id),
    currency            TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    kind                INTEGER NOT NULL,
    -- Days since 1970, in the zone of the books.
    day                 INTEGER NOT NULL,
    -- What the customers paid in.
    presented_currency  TEXT NOT NULL CHECK (presented_currency GLOB '[A-Z][A-Z][A-Z]'),
    lines               INTEGER NOT NULL,
    net_micros          INTEGER NOT NULL,
    fee_micros          INTEGER NOT NULL,
    tax_micros          INTEGER NOT NULL,
    fine_lines          INTEGER NOT NULL,
    presented_micros    INTEGER NOT NULL,
    PRIMARY KEY (payout_id, currency, kind, day, presented_currency)
) STRICT, WITHOUT ROWID;

-- What version 4 has: proved and booked by the next run.
INSERT INTO payout_sums
SELECT payout, net_currency, kind, day, presented_currency, count(*), sum(net * unit), sum(fee * unit), sum(tax * unit),
  sum((net * unit) % minor <> 0), sum(presented * unit)
FROM (
  SELECT ifnull(since.payout_id, l.payout_id) AS payout, l.net_currency, l.kind, l.occurred_at / 86400 AS day,
    ifnull(l.gross_currency, l.net_currency) AS presented_currency, l.net, l.fee, l.tax, ifnull(l.gross, l.net + l.fee + l.tax) AS presented,
    CASE l.scale WHEN 0 THEN 1000000 WHEN 1 THEN 100000 WHEN 2 THEN 10000 WHEN 3 THEN 1000 WHEN 4 THEN 100 WHEN 5 THEN 10 ELSE 1 END AS unit,
    CASE WHEN l.net_currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF')
      THEN 1000000 WHEN l.net_currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 1000
      WHEN l.net_currency IN ('CLF', 'UYW') THEN 100 ELSE 10000 END AS minor
  FROM settlement_lines l LEFT JOIN settlement_line_payouts since ON l.batch = 0 AND since.account_id = l.account_id
    AND since.transaction_id = l.transaction_id AND since.modification_id = l.modification_id AND since.kind = l.kind)
GROUP BY payout, net_currency, kind, day, presented_currency;
UPDATE payouts SET state = 'open';

-- Double entry; hangs on a payout (rule 19). Lines that come later are booked as another part: what is missing to what is booked.
CREATE TABLE payout_journals (
    id            INTEGER PRIMARY KEY,
    payout_id     INTEGER NOT NULL REFERENCES payouts (id),
    kind          TEXT NOT NULL CHECK (kind = 'fee' OR kind = 'fee_tax' OR kind = 'reserve' OR kind = 'correction' OR
        kind = 'exchange' OR kind = 'payout' OR kind = 'rounding'),
    posting_date  TEXT NOT NULL,
    currency      TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    part          INTEGER NOT NULL CHECK (part > 0),
    -- A hash of the natural key (rule 3).
    number        TEXT NOT NULL UNIQUE CHECK (length(number) <= 20),
    amount_minor  INTEGER NOT NULL CHECK (amount_minor > 0),
    booked_at     TEXT NOT NULL,
    run_id        INTEGER REFERENCES runs (id),
    UNIQUE (payout_id, kind, posting_date, currency, part)
) STRICT;
CREATE INDEX payout_journals_by_date ON payout_journals (posting_date);

-- Line 1 is the clearing account.
CREATE TABLE payout_postings (
    journal_id    INTEGER NOT NULL REFERENCES payout_journals (id),
    line          INTEGER NOT NULL CHECK (line = 1 OR line = 2),
    account       TEXT NOT NULL,
    -- Debit positive, credit negative.
    amount_minor  INTEGER NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (journal_id, line)
) STRICT, WITHOUT ROWID;

-- How far the payouts of an account were asked for; moved in the transaction that stores their lines.
CREATE TABLE payout_cursors (
    account_id  INTEGER PRIMARY KEY REFERENCES merchant_accounts (id),
    paid_at     TEXT NOT NULL
) STRICT;

CREATE TRIGGER payout_journals_fixed BEFORE UPDATE ON payout_journals BEGIN SELECT RAISE(ABORT, 'journals are append-only'); END;
CREATE TRIGGER payout_journals_kept BEFORE DELETE ON payout_journals BEGIN SELECT RAISE(ABORT, 'journals are append-only'); END;
CREATE TRIGGER payout_postings_fixed BEFORE UPDATE ON payout_postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER payout_postings_kept BEFORE DELETE ON payout_postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;

-- The same rows as before, said without a list of three or more: for each such list SQLite built a table at every write of an
-- operation. A query that is to use `operations_open` says both of its conditions, word for word.
DROP INDEX operations_once;
CREATE UNIQUE INDEX operations_once ON operations (kind, payment_id, ifnull(document_id, 0))
    WHERE (kind = 'capture' OR kind = 'refund' OR kind = 'release') AND state NOT IN ('refused', 'withdrawn');
DROP INDEX operations_open;
CREATE INDEX operations_open ON operations (kind, state) WHERE state <> 'confirmed' AND state NOT IN ('refused', 'withdrawn');
