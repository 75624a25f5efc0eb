-- The ledger, version 7: chargebacks.

-- A movement and its journal may be of a chargeback, or of one that was won back. The CHECKs are only loosened, as in version 6.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'kind = ''refund_failure'')',
    'kind = ''refund_failure'' OR kind = ''chargeback'' OR kind = ''chargeback_reversed'')')
    WHERE type = 'table' AND name = 'movements';
UPDATE sqlite_schema SET sql = replace(sql, 'kind = ''unapplied_refund'')',
    'kind = ''unapplied_refund'' OR kind = ''chargeback'' OR kind = ''chargeback_reversed'')')
    WHERE type = 'table' AND name = 'journals';
PRAGMA writable_schema = RESET;

-- Transactions with a line of a chargeback that nobody was told of yet: written with the line, gone with the exception. Until then
-- nothing is taken from their payment or given back, also where the payment comes into the ledger later than the line.
CREATE TABLE untold_chargebacks (
    transaction_id  TEXT NOT NULL,
    account_id      INTEGER NOT NULL REFERENCES merchant_accounts (id),
    PRIMARY KEY (transaction_id, account_id)
) STRICT, WITHOUT ROWID;

-- What earlier versions took over and did not look at.
INSERT INTO untold_chargebacks (transaction_id, account_id)
    SELECT DISTINCT transaction_id, account_id FROM settlement_lines WHERE kind IN (4, 5, 6) AND transaction_id <> '';
INSERT INTO lines_to_learn (payout_id, file_id)
    SELECT DISTINCT payout_id, file_id FROM settlement_lines WHERE kind IN (4, 5, 6) ON CONFLICT DO NOTHING;
