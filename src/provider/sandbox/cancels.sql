-- Version 4: payments that were closed before anybody paid them.
CREATE TABLE cancels (
    key               TEXT PRIMARY KEY,
    merchant_account  TEXT NOT NULL,
    transaction_id    TEXT NOT NULL,
    made_at           TEXT NOT NULL,
    FOREIGN KEY (merchant_account, transaction_id) REFERENCES transactions (merchant_account, id)
) STRICT;
