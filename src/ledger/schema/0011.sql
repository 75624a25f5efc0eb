-- Documents that take back invoices of ours, and what a person wants paid back of a customer's balance.

-- CHECKs and references are only loosened, as in version 6: a correction has lines, a sheet and a journal as an invoice has.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'kind = ''shipment'')',
    'kind = ''shipment'' OR kind = ''cancellation'' OR kind = ''refund_request'')')
    WHERE type = 'table' AND name = 'documents';
UPDATE sqlite_schema SET sql = replace(sql, 'kind = ''chargeback_reversed'')', 'kind = ''chargeback_reversed'' OR kind = ''return'' OR kind = ''returned_refund'')')
    WHERE type = 'table' AND name = 'journals';
UPDATE sqlite_schema SET sql = replace(sql, 'REFERENCES invoices (document_id)', 'REFERENCES documents (id)')
    WHERE type = 'table' AND name IN ('invoice_lines', 'invoice_journals', 'invoice_sheets');
PRAGMA writable_schema = RESET;

-- A cancellation takes back a whole invoice, once; a credit note takes back lines of it.
CREATE TABLE corrections (
    document_id  INTEGER PRIMARY KEY REFERENCES documents (id),
    invoice_id   INTEGER NOT NULL REFERENCES invoices (document_id),
    cancels      INTEGER NOT NULL CHECK (cancels IN (0, 1)),
    reason       TEXT NOT NULL CHECK (reason <> ''),
    period       TEXT NOT NULL,
    counter      INTEGER NOT NULL CHECK (counter > 0),
    made_at      TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX corrections_cancel_once ON corrections (invoice_id) WHERE cancels = 1;
CREATE INDEX corrections_by_invoice ON corrections (invoice_id);

CREATE TRIGGER corrections_fixed BEFORE UPDATE ON corrections BEGIN SELECT RAISE(ABORT, 'a final document is fixed'); END;
CREATE TRIGGER corrections_kept BEFORE DELETE ON corrections BEGIN SELECT RAISE(ABORT, 'a final document is fixed'); END;

-- What an order is billed by.
CREATE VIEW standing_invoices AS
    SELECT i.* FROM invoices i WHERE NOT EXISTS (SELECT 1 FROM corrections c WHERE c.invoice_id = i.document_id AND c.cancels = 1);
CREATE TRIGGER invoices_once BEFORE INSERT ON invoices WHEN EXISTS (SELECT 1 FROM standing_invoices WHERE order_id = NEW.order_id)
    BEGIN SELECT RAISE(ABORT, 'an order is billed once'); END;

-- What was sold is fixed as long as its invoice stands.
DROP TRIGGER order_lines_fixed;
DROP TRIGGER order_lines_kept;
DROP TRIGGER order_lines_closed;
DROP TRIGGER order_keys_fixed;
CREATE TRIGGER order_lines_fixed BEFORE UPDATE ON order_lines WHEN EXISTS (SELECT 1 FROM standing_invoices WHERE order_id = OLD.order_id)
    BEGIN SELECT RAISE(ABORT, 'the lines of an invoiced order are fixed'); END;
CREATE TRIGGER order_lines_kept BEFORE DELETE ON order_lines WHEN EXISTS (SELECT 1 FROM standing_invoices WHERE order_id = OLD.order_id)
    BEGIN SELECT RAISE(ABORT, 'the lines of an invoiced order are fixed'); END;
CREATE TRIGGER order_lines_closed BEFORE INSERT ON order_lines WHEN EXISTS (SELECT 1 FROM standing_invoices WHERE order_id = NEW.order_id)
    BEGIN SELECT RAISE(ABORT, 'the lines of an invoiced order are fixed'); END;
CREATE TRIGGER order_keys_fixed BEFORE UPDATE ON order_keys WHEN EXISTS (SELECT 1 FROM standing_invoices WHERE order_id = OLD.order_id)
    BEGIN SELECT RAISE(ABORT, 'the keys of an invoiced order are fixed'); END;

-- Everything that draws a number and has lines and a journal of its own.
CREATE VIEW issued_documents AS
    SELECT document_id, order_id, period, counter FROM invoices
    UNION ALL SELECT c.document_id, i.order_id, c.period, c.counter FROM corrections c JOIN invoices i ON i.document_id = c.invoice_id;

-- Of which payment, and why. The money waits for it from the moment it is asked for.
CREATE TABLE refund_requests (
    document_id  INTEGER PRIMARY KEY REFERENCES documents (id),
    payment_id   INTEGER NOT NULL REFERENCES payments (id),
    reason       TEXT NOT NULL CHECK (reason <> ''),
    asked_at     TEXT NOT NULL
) STRICT;
CREATE INDEX refund_requests_by_payment ON refund_requests (payment_id);
CREATE TRIGGER refund_requests_fixed BEFORE UPDATE ON refund_requests BEGIN SELECT RAISE(ABORT, 'a refund request is fixed'); END;
CREATE TRIGGER refund_requests_kept BEFORE DELETE ON refund_requests BEGIN SELECT RAISE(ABORT, 'a refund request is fixed'); END;

-- What a credit note took off an entry that was still open.
ALTER TABLE entries ADD COLUMN reduction_minor INTEGER NOT NULL DEFAULT 0 CHECK (reduction_minor BETWEEN 0 AND initial_minor - assigned_minor);

-- What was handed over to an accounting program, once in each format; the file is written after the rows, and again if it broke off.
CREATE TABLE exports (
    id          INTEGER PRIMARY KEY,
    format      TEXT NOT NULL,
    month       TEXT NOT NULL CHECK (month GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]'),
    made_at     TEXT NOT NULL,
    written_at  TEXT
) STRICT;
CREATE TABLE exported_journals (
    format     TEXT NOT NULL,
    number     TEXT NOT NULL,
    export_id  INTEGER NOT NULL REFERENCES exports (id),
    PRIMARY KEY (format, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX exported_journals_by_export ON exported_journals (export_id);
CREATE TRIGGER exports_fixed BEFORE UPDATE OF format, month, made_at ON exports BEGIN SELECT RAISE(ABORT, 'an export is fixed'); END;
CREATE TRIGGER exports_kept BEFORE DELETE ON exports BEGIN SELECT RAISE(ABORT, 'an export is fixed'); END;
CREATE TRIGGER exported_journals_fixed BEFORE UPDATE ON exported_journals BEGIN SELECT RAISE(ABORT, 'an export is fixed'); END;
CREATE TRIGGER exported_journals_kept BEFORE DELETE ON exported_journals BEGIN SELECT RAISE(ABORT, 'an export is fixed'); END;
