-- The ledger, version 4: what PSPs report to have settled and paid out.
--
-- Lines are many: kinds are codes (`domain::settlement::LineKind`), times are seconds since 1970, and what would be repeated in every
-- line is a row elsewhere. They are clustered by what the PSP says, which never changes: a new report goes to the end of its
-- account, a payout stands together, and nothing needs a second index.

CREATE TABLE merchant_accounts (
    id                INTEGER PRIMARY KEY,
    provider          TEXT NOT NULL,
    merchant_account  TEXT NOT NULL,
    UNIQUE (provider, merchant_account)
) STRICT;

CREATE TABLE report_files (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL,
    -- BLAKE3 of the file as it lay there: the same file again, under whatever name, is not read again.
    digest    TEXT NOT NULL UNIQUE,
    bytes     INTEGER NOT NULL,
    format    TEXT NOT NULL,
    -- Of its lines: new ones, ones that were known, ones of accounts nobody has configured.
    added     INTEGER NOT NULL DEFAULT 0,
    known     INTEGER NOT NULL DEFAULT 0,
    strangers INTEGER NOT NULL DEFAULT 0,
    read_at   TEXT NOT NULL,
    run_id    INTEGER REFERENCES runs (id)
) STRICT;

CREATE TABLE payouts (
    id          INTEGER PRIMARY KEY,
    account_id  INTEGER NOT NULL REFERENCES merchant_accounts (id),
    -- As the PSP names it; empty for lines that are not paid out yet.
    reference   TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'open' CHECK (state = 'open' OR state = 'closed' OR state = 'remainder'),
    seen_at     TEXT NOT NULL,
    -- A cache: lines matched by reference, or judged by a person.
    by_reference INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account_id, reference)
) STRICT;

-- Natural key: the account, the batch, and what the PSP says of the line; ordinal is the n-th row with the same key in its
-- batch. A PSP that gives every line an id of its own needs no batch to tell lines apart: there it is 0.
CREATE TABLE settlement_lines (
    -- That of its payout.
    account_id          INTEGER NOT NULL,
    batch               INTEGER NOT NULL,
    transaction_id      TEXT NOT NULL,
    modification_id     TEXT NOT NULL,
    kind                INTEGER NOT NULL,
    ordinal             INTEGER NOT NULL,
    payout_id           INTEGER NOT NULL REFERENCES payouts (id),
    file_id             INTEGER NOT NULL REFERENCES report_files (id),
    file_line           INTEGER NOT NULL,
    reference           TEXT NOT NULL,
    document            TEXT NOT NULL,
    method              TEXT NOT NULL,
    occurred_at         INTEGER NOT NULL,
    -- All amounts of the line are integers of 10^-scale of their currency's unit.
    scale               INTEGER NOT NULL CHECK (scale BETWEEN 0 AND 6),
    gross_currency      TEXT CHECK (length(gross_currency) = 3),
    gross               INTEGER,
    net_currency        TEXT NOT NULL CHECK (length(net_currency) = 3),
    net                 INTEGER NOT NULL,
    fee                 INTEGER NOT NULL,
    tax                 INTEGER NOT NULL,
    commission          INTEGER,
    markup              INTEGER,
    scheme_fees         INTEGER,
    interchange         INTEGER,
    exchange_rate       TEXT,
    note                TEXT,
    PRIMARY KEY (account_id, batch, transaction_id, modification_id, kind, ordinal),
    CHECK ((gross IS NULL) = (gross_currency IS NULL))
) STRICT, WITHOUT ROWID;

-- A line with an id of its own is one, whatever else a later report says of it.
CREATE UNIQUE INDEX settlement_lines_own ON settlement_lines (account_id, modification_id) WHERE batch = 0;

-- A line of batch 0 that was not paid out when it was first read.
CREATE TABLE settlement_line_payouts (
    account_id       INTEGER NOT NULL REFERENCES merchant_accounts (id),
    transaction_id   TEXT NOT NULL,
    modification_id  TEXT NOT NULL,
    kind             INTEGER NOT NULL,
    payout_id        INTEGER NOT NULL REFERENCES payouts (id),
    file_id          INTEGER NOT NULL REFERENCES report_files (id),
    PRIMARY KEY (account_id, transaction_id, modification_id, kind)
) STRICT, WITHOUT ROWID;

-- Matches that do not follow from the transaction id: by reference, or by a person. One per group of lines, which is a
-- transaction, or a reference where there is none. A row with a successor does not count any more (rule 6).
CREATE TABLE settlement_matches (
    id              INTEGER PRIMARY KEY,
    account_id      INTEGER NOT NULL REFERENCES merchant_accounts (id),
    transaction_id  TEXT NOT NULL,
    reference       TEXT NOT NULL,
    -- None: a person said that it belongs to no order.
    order_id        INTEGER REFERENCES orders (id),
    rule            TEXT NOT NULL CHECK (rule = 'reference' OR rule = 'person'),
    -- What it was found by, or what the person said.
    reason          TEXT NOT NULL,
    supersedes      INTEGER UNIQUE REFERENCES settlement_matches (id),
    made_at         TEXT NOT NULL,
    run_id          INTEGER REFERENCES runs (id)
) STRICT;
CREATE UNIQUE INDEX settlement_matches_first ON settlement_matches (account_id, transaction_id, reference) WHERE supersedes IS NULL;
CREATE INDEX settlement_matches_by_group ON settlement_matches (account_id, transaction_id, reference);
CREATE INDEX settlement_matches_by_order ON settlement_matches (order_id);

-- Caches; `verify` rebuilds them.

-- Groups of lines that belong to a payment, and to no order anybody has found; a row for each payout they are in.
CREATE TABLE unmatched_groups (
    account_id      INTEGER NOT NULL REFERENCES merchant_accounts (id),
    transaction_id  TEXT NOT NULL,
    reference       TEXT NOT NULL,
    payout_id       INTEGER NOT NULL REFERENCES payouts (id),
    -- What the group may be matched by, though its transaction has an id.
    merchant_reference TEXT NOT NULL,
    lines           INTEGER NOT NULL,
    -- More than one order could be meant.
    is_ambiguous    INTEGER NOT NULL CHECK (is_ambiguous = 0 OR is_ambiguous = 1),
    PRIMARY KEY (account_id, transaction_id, reference, payout_id)
) STRICT, WITHOUT ROWID;

-- Sums of a payout, in millionths of the currency's unit.
CREATE TABLE payout_sums (
    payout_id    INTEGER NOT NULL REFERENCES payouts (id),
    currency     TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    kind         INTEGER NOT NULL,
    lines        INTEGER NOT NULL,
    net_micros   INTEGER NOT NULL,
    fee_micros   INTEGER NOT NULL,
    tax_micros   INTEGER NOT NULL,
    fine_lines   INTEGER NOT NULL,
    PRIMARY KEY (payout_id, currency, kind)
) STRICT, WITHOUT ROWID;

-- What was settled for an order, in millionths of the order's currency; lines in another currency are counted only.
CREATE TABLE order_settlements (
    order_id         INTEGER PRIMARY KEY,
    lines            INTEGER NOT NULL,
    sold_micros      INTEGER NOT NULL,
    refunded_micros  INTEGER NOT NULL,
    disputed_micros  INTEGER NOT NULL,
    other_currency   INTEGER NOT NULL
) STRICT;

CREATE TRIGGER settlement_lines_fixed BEFORE UPDATE ON settlement_lines BEGIN SELECT RAISE(ABORT, 'settlement lines are append-only'); END;
CREATE TRIGGER settlement_lines_kept BEFORE DELETE ON settlement_lines BEGIN SELECT RAISE(ABORT, 'settlement lines are append-only'); END;
CREATE TRIGGER settlement_line_payouts_fixed BEFORE UPDATE ON settlement_line_payouts BEGIN SELECT RAISE(ABORT, 'settlement lines are append-only'); END;
CREATE TRIGGER settlement_line_payouts_kept BEFORE DELETE ON settlement_line_payouts BEGIN SELECT RAISE(ABORT, 'settlement lines are append-only'); END;
CREATE TRIGGER settlement_matches_fixed BEFORE UPDATE ON settlement_matches BEGIN SELECT RAISE(ABORT, 'matches are append-only'); END;
CREATE TRIGGER settlement_matches_kept BEFORE DELETE ON settlement_matches BEGIN SELECT RAISE(ABORT, 'matches are append-only'); END;
CREATE TRIGGER report_files_kept BEFORE DELETE ON report_files BEGIN SELECT RAISE(ABORT, 'report files are never forgotten'); END;
CREATE TRIGGER report_files_fixed BEFORE UPDATE OF digest, bytes ON report_files BEGIN SELECT RAISE(ABORT, 'a report file is what it was'); END;
CREATE TRIGGER payouts_kept BEFORE DELETE ON payouts BEGIN SELECT RAISE(ABORT, 'payouts are never deleted'); END;
CREATE TRIGGER payouts_fixed BEFORE UPDATE OF account_id, reference ON payouts BEGIN SELECT RAISE(ABORT, 'the identity of a payout is fixed'); END;
CREATE TRIGGER merchant_accounts_kept BEFORE DELETE ON merchant_accounts BEGIN SELECT RAISE(ABORT, 'merchant accounts are never deleted'); END;
CREATE TRIGGER merchant_accounts_fixed BEFORE UPDATE ON merchant_accounts BEGIN SELECT RAISE(ABORT, 'the identity of a merchant account is fixed'); END;
