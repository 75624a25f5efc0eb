-- Version 5: money is taken on mandates. Any mandate is good until it is revoked.
CREATE TABLE revoked_mandates (
    merchant_account  TEXT NOT NULL,
    token             TEXT NOT NULL,
    PRIMARY KEY (merchant_account, token)
) STRICT;
