-- The ledger, version 16: due entries are collected on mandates.

-- What customers gave once, so that later amounts are taken without asking them again.
CREATE TABLE mandates (
    id                INTEGER PRIMARY KEY,
    provider          TEXT NOT NULL,
    merchant_account  TEXT NOT NULL,
    -- The PSP's id of it; never shown whole.
    token             TEXT NOT NULL CHECK (token <> ''),
    customer          TEXT NOT NULL,
    method            TEXT NOT NULL,
    -- The only currency it is for; none: any.
    currency          TEXT CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    given_on          TEXT NOT NULL,
    -- From this day on it is none any more.
    revoked_on        TEXT CHECK (revoked_on >= given_on),
    created_at        TEXT NOT NULL,
    UNIQUE (provider, merchant_account, token)
) STRICT;
CREATE INDEX mandates_by_customer ON mandates (customer);
CREATE TRIGGER mandates_fixed BEFORE UPDATE OF id, provider, merchant_account, token, customer, method, currency, given_on, created_at ON mandates
    BEGIN SELECT RAISE(ABORT, 'a mandate never changes, it is revoked'); END;
CREATE TRIGGER mandates_revoked BEFORE UPDATE OF revoked_on ON mandates WHEN OLD.revoked_on <= ifnull(NEW.revoked_on, '~')
    BEGIN SELECT RAISE(ABORT, 'a mandate is revoked on the earliest day that was said'); END;
CREATE TRIGGER mandates_kept BEFORE DELETE ON mandates BEGIN SELECT RAISE(ABORT, 'mandates are kept'); END;

-- Taking what is due of an entry is an operation of the kind `collect`. The CHECK is only loosened, as in version 6.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'kind = ''journal'' OR kind = ''mail''', 'kind = ''journal'' OR kind = ''collect'' OR kind = ''mail''')
    WHERE type = 'table' AND name = 'operations';
PRAGMA writable_schema = RESET;
ALTER TABLE operations ADD COLUMN entry_id INTEGER REFERENCES entries (id);
ALTER TABLE operations ADD COLUMN mandate_id INTEGER REFERENCES mandates (id);
CREATE INDEX operations_by_entry ON operations (entry_id) WHERE entry_id IS NOT NULL;
-- An entry is collected once: what comes back later is asked for, never taken again.
CREATE UNIQUE INDEX operations_collect_once ON operations (entry_id) WHERE kind = 'collect' AND state NOT IN ('refused', 'withdrawn');
DROP TRIGGER operations_fixed;
CREATE TRIGGER operations_fixed
    BEFORE UPDATE OF kind, target, payment_id, document_id, journal_id, mail_id, order_id, event_id, entry_id, mandate_id, amount_minor, currency,
        attempt, key, request_hash, planned_at
    ON operations BEGIN SELECT RAISE(ABORT, 'only the state of an operation moves'); END;

-- The payment that the PSP made of a collection.
CREATE TABLE collected_payments (
    operation_id  INTEGER PRIMARY KEY REFERENCES operations (id),
    payment_id    INTEGER NOT NULL UNIQUE REFERENCES payments (id)
) STRICT;
CREATE TRIGGER collected_payments_fixed BEFORE UPDATE ON collected_payments BEGIN SELECT RAISE(ABORT, 'collections are append-only'); END;
CREATE TRIGGER collected_payments_kept BEFORE DELETE ON collected_payments BEGIN SELECT RAISE(ABORT, 'collections are append-only'); END;

-- The shop that the keys of collections name, from the first of them on: several shops may have one merchant account.
CREATE TABLE collecting (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    shop  TEXT NOT NULL CHECK (shop <> '')
) STRICT;
CREATE TRIGGER collecting_fixed BEFORE UPDATE ON collecting BEGIN SELECT RAISE(ABORT, 'a ledger collects under one name'); END;
CREATE TRIGGER collecting_kept BEFORE DELETE ON collecting BEGIN SELECT RAISE(ABORT, 'a ledger collects under one name'); END;

-- What needs a person may be about an entry that has no order, payment or invoice yet.
ALTER TABLE exceptions ADD COLUMN entry_id INTEGER REFERENCES entries (id);
CREATE INDEX exceptions_by_entry ON exceptions (entry_id) WHERE state <> 'resolved';
