-- Version 3: payment pages. What was asked for stands here; the transaction gets it when the customer pays.
CREATE TABLE links (
    merchant_account  TEXT NOT NULL,
    transaction_id    TEXT NOT NULL,
    key               TEXT NOT NULL UNIQUE,
    amount_minor      INTEGER NOT NULL,
    title             TEXT NOT NULL,
    PRIMARY KEY (merchant_account, transaction_id),
    FOREIGN KEY (merchant_account, transaction_id) REFERENCES transactions (merchant_account, id)
) STRICT;
