-- Version 2: disputes, and what was paid out.
CREATE TABLE disputes (
    id                TEXT NOT NULL,
    merchant_account  TEXT NOT NULL,
    transaction_id    TEXT NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('chargeback', 'chargeback_reversed')),
    amount_minor      INTEGER NOT NULL,
    made_at           TEXT NOT NULL,
    PRIMARY KEY (merchant_account, id),
    FOREIGN KEY (merchant_account, transaction_id) REFERENCES transactions (merchant_account, id)
) STRICT;
CREATE TABLE payouts (
    merchant_account  TEXT NOT NULL,
    batch             INTEGER NOT NULL,
    currency          TEXT NOT NULL,
    paid_minor        INTEGER NOT NULL,
    paid_at           TEXT NOT NULL,
    PRIMARY KEY (merchant_account, batch)
) STRICT;
-- Each modification and dispute is paid out once.
CREATE TABLE payout_lines (
    merchant_account  TEXT NOT NULL,
    id                TEXT NOT NULL,
    batch             INTEGER NOT NULL,
    transaction_id    TEXT NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('sale', 'refund', 'chargeback', 'chargeback_reversed')),
    -- What we get is positive.
    gross_minor       INTEGER NOT NULL,
    fee_minor         INTEGER NOT NULL,
    happened_at       TEXT NOT NULL,
    PRIMARY KEY (merchant_account, id),
    FOREIGN KEY (merchant_account, batch) REFERENCES payouts (merchant_account, batch)
) STRICT;
