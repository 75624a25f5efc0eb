-- The ledger, version 17: journals of payouts are delivered to an ERP, where the config wants it.

-- Delivering one is an operation of the kind `payout_journal`. The CHECK is only loosened, as in version 6.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'kind = ''journal'' OR kind = ''collect''',
    'kind = ''journal'' OR kind = ''payout_journal'' OR kind = ''collect''')
    WHERE type = 'table' AND name = 'operations';
PRAGMA writable_schema = RESET;
ALTER TABLE operations ADD COLUMN payout_journal_id INTEGER REFERENCES payout_journals (id);
CREATE INDEX operations_by_payout_journal ON operations (payout_journal_id) WHERE payout_journal_id IS NOT NULL;
-- One live delivery per journal.
CREATE UNIQUE INDEX operations_payout_journal_once ON operations (payout_journal_id)
    WHERE kind = 'payout_journal' AND state NOT IN ('refused', 'withdrawn');
DROP TRIGGER operations_fixed;
CREATE TRIGGER operations_fixed
    BEFORE UPDATE OF kind, target, payment_id, document_id, journal_id, payout_journal_id, mail_id, order_id, event_id, entry_id, mandate_id,
        amount_minor, currency, attempt, key, request_hash, planned_at
    ON operations BEGIN SELECT RAISE(ABORT, 'only the state of an operation moves'); END;
