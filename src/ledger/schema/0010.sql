-- What stands on the invoices payjournal made, and their mails to customers.

-- A mail may go to a customer. The CHECK is only loosened, as in version 6.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'recipient IN (''administrator'', ''payment_notifications'')',
    'recipient IN (''administrator'', ''payment_notifications'', ''customer'')')
    WHERE type = 'table' AND name = 'mails';
PRAGMA writable_schema = RESET;

-- As it was when the invoice was made final; lines and sums are those of the invoice itself.
CREATE TABLE invoice_sheets (
    document_id  INTEGER PRIMARY KEY REFERENCES invoices (document_id),
    order_id     INTEGER NOT NULL REFERENCES orders (id),
    -- Seller and customer, as JSON.
    parties      TEXT NOT NULL,
    prices       TEXT NOT NULL CHECK (prices = 'gross' OR prices = 'net'),
    due_on       TEXT,
    paid_minor   INTEGER NOT NULL CHECK (paid_minor >= 0),
    payment_url  TEXT,
    -- unwanted; or wanted until its mail is queued.
    mail         TEXT NOT NULL CHECK (mail = 'unwanted' OR mail = 'wanted' OR mail = 'queued')
) STRICT;
CREATE INDEX invoice_sheets_unsent ON invoice_sheets (order_id) WHERE mail = 'wanted';

CREATE TABLE customer_mails (
    mail_id      INTEGER PRIMARY KEY REFERENCES mails (id),
    document_id  INTEGER NOT NULL UNIQUE REFERENCES invoice_sheets (document_id),
    address      TEXT NOT NULL CHECK (address <> '')
) STRICT;

CREATE TRIGGER invoice_sheets_fixed BEFORE UPDATE OF document_id, order_id, parties, prices, due_on, paid_minor, payment_url ON invoice_sheets
    BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER invoice_sheets_sent_once BEFORE UPDATE OF mail ON invoice_sheets WHEN OLD.mail <> 'wanted'
    BEGIN SELECT RAISE(ABORT, 'an invoice is mailed once'); END;
CREATE TRIGGER invoice_sheets_kept BEFORE DELETE ON invoice_sheets BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER customer_mails_fixed BEFORE UPDATE ON customer_mails BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;
CREATE TRIGGER customer_mails_kept BEFORE DELETE ON customer_mails BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;
