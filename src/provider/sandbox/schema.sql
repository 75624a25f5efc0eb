-- The sandbox PSP's own record. Nothing of payjournal's ledger is in here: the two can disagree, as in life.
CREATE TABLE account (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    key_hash  TEXT
) STRICT;
CREATE TABLE transactions (
    id                TEXT NOT NULL,
    merchant_account  TEXT NOT NULL,
    order_reference   TEXT NOT NULL,
    method            TEXT NOT NULL,
    currency          TEXT NOT NULL,
    authorised_minor  INTEGER NOT NULL,
    status            TEXT NOT NULL,
    authorised_at     TEXT,
    capture_before    TEXT,
    PRIMARY KEY (merchant_account, id)
) STRICT;
CREATE TABLE modifications (
    id                TEXT NOT NULL,
    merchant_account  TEXT NOT NULL,
    transaction_id    TEXT NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('capture', 'refund', 'release')),
    amount_minor      INTEGER NOT NULL,
    key               TEXT NOT NULL UNIQUE,
    -- accepted until settles_at, then confirmed or failed as `ends` says.
    ends              TEXT NOT NULL CHECK (ends IN ('confirmed', 'failed')),
    settles_at        TEXT NOT NULL,
    made_at           TEXT NOT NULL,
    PRIMARY KEY (merchant_account, id),
    FOREIGN KEY (merchant_account, transaction_id) REFERENCES transactions (merchant_account, id)
) STRICT;
-- Every key ever seen: what was asked with it, how often, and a definite no, which is replayed.
CREATE TABLE keys (
    key      TEXT PRIMARY KEY,
    request  TEXT NOT NULL,
    tries    INTEGER NOT NULL,
    refusal_code     TEXT,
    refusal_message  TEXT
) STRICT;
