-- Invoices that payjournal makes: what orders sell, entries, the numbers drawn, and how the invoices are booked.

-- What ties an order, or a payment, to what was paid or asked for before its invoice. Not unique: two of one key are told.
CREATE TABLE order_keys (
    order_id     INTEGER PRIMARY KEY REFERENCES orders (id),
    entry_key    TEXT CHECK (entry_key <> ''),
    payment_key  TEXT CHECK (payment_key <> ''),
    CHECK (entry_key IS NOT NULL OR payment_key IS NOT NULL)
) STRICT;
CREATE INDEX order_keys_by_entry_key ON order_keys (entry_key) WHERE entry_key IS NOT NULL;
CREATE INDEX order_keys_by_payment_key ON order_keys (payment_key) WHERE payment_key IS NOT NULL;

CREATE TABLE payment_keys (
    payment_id  INTEGER PRIMARY KEY REFERENCES payments (id),
    key         TEXT NOT NULL CHECK (key <> '')
) STRICT;
CREATE INDEX payment_keys_by_key ON payment_keys (key);

-- Quantities, prices and rates are exact decimals as text; the currency is the order's.
CREATE TABLE order_lines (
    order_id     INTEGER NOT NULL REFERENCES orders (id),
    line         INTEGER NOT NULL CHECK (line > 0),
    item         TEXT,
    description  TEXT NOT NULL CHECK (description <> ''),
    quantity     TEXT NOT NULL,
    unit_price   TEXT NOT NULL,
    tax_rate     TEXT NOT NULL,
    PRIMARY KEY (order_id, line)
) STRICT, WITHOUT ROWID;

-- Open items. What is assigned is the sum of the assignments; `verify` rebuilds it.
CREATE TABLE entries (
    id              INTEGER PRIMARY KEY,
    -- The portal's own name of it; none where an invoice made it.
    reference       TEXT UNIQUE CHECK (reference <> ''),
    customer        TEXT NOT NULL,
    order_id        INTEGER REFERENCES orders (id),
    key             TEXT CHECK (key <> ''),
    payment_key     TEXT CHECK (payment_key <> ''),
    title           TEXT NOT NULL,
    currency        TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    initial_minor   INTEGER NOT NULL CHECK (initial_minor >= 0),
    assigned_minor  INTEGER NOT NULL DEFAULT 0 CHECK (assigned_minor BETWEEN 0 AND initial_minor),
    status          TEXT NOT NULL CHECK (status = 'open' OR status = 'balanced' OR status = 'cancelled'),
    due_on          TEXT,
    -- The invoice it belongs to.
    document_id     INTEGER UNIQUE REFERENCES documents (id),
    created_at      TEXT NOT NULL
) STRICT;
CREATE INDEX entries_by_key ON entries (key) WHERE key IS NOT NULL;
CREATE INDEX entries_by_payment_key ON entries (payment_key) WHERE payment_key IS NOT NULL;
CREATE INDEX entries_by_order ON entries (order_id) WHERE order_id IS NOT NULL;

-- Which entries a payment is meant to pay, in the order of their ids.
CREATE TABLE entry_items (
    entry_id    INTEGER NOT NULL REFERENCES entries (id),
    payment_id  INTEGER NOT NULL REFERENCES payments (id),
    PRIMARY KEY (payment_id, entry_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_items_by_entry ON entry_items (entry_id);

-- What a movement paid of an entry; negative what it took back.
CREATE TABLE assignments (
    id            INTEGER PRIMARY KEY,
    entry_id      INTEGER NOT NULL REFERENCES entries (id),
    movement_id   INTEGER NOT NULL REFERENCES movements (id),
    amount_minor  INTEGER NOT NULL CHECK (amount_minor <> 0),
    assigned_at   TEXT NOT NULL,
    run_id        INTEGER REFERENCES runs (id)
) STRICT;
CREATE INDEX assignments_by_entry ON assignments (entry_id);
CREATE INDEX assignments_by_movement ON assignments (movement_id);

-- The last number drawn of a kind of document in a period of its dates.
CREATE TABLE number_counters (
    kind    TEXT NOT NULL,
    period  TEXT NOT NULL,
    last    INTEGER NOT NULL CHECK (last >= 0),
    PRIMARY KEY (kind, period)
) STRICT, WITHOUT ROWID;

-- A document that payjournal made, beside its row in `documents`. An order is billed once in each generation (rule 6).
CREATE TABLE invoices (
    document_id   INTEGER PRIMARY KEY REFERENCES documents (id),
    order_id      INTEGER NOT NULL REFERENCES orders (id),
    generation    INTEGER NOT NULL CHECK (generation > 0),
    period        TEXT NOT NULL,
    counter       INTEGER NOT NULL CHECK (counter > 0),
    finalised_at  TEXT NOT NULL,
    run_id        INTEGER REFERENCES runs (id),
    UNIQUE (order_id, generation)
) STRICT;

-- As priced when the invoice was made final.
CREATE TABLE invoice_lines (
    document_id  INTEGER NOT NULL REFERENCES invoices (document_id),
    line         INTEGER NOT NULL CHECK (line > 0),
    item         TEXT,
    description  TEXT NOT NULL,
    quantity     TEXT NOT NULL,
    unit_price   TEXT NOT NULL,
    tax_rate     TEXT NOT NULL,
    net_minor    INTEGER NOT NULL,
    tax_minor    INTEGER NOT NULL,
    PRIMARY KEY (document_id, line)
) STRICT, WITHOUT ROWID;

-- Receivables against revenue and tax: double entry, one journal for each invoice that is over more than nothing.
CREATE TABLE invoice_journals (
    id            INTEGER PRIMARY KEY,
    document_id   INTEGER NOT NULL UNIQUE REFERENCES invoices (document_id),
    number        TEXT NOT NULL UNIQUE CHECK (length(number) <= 20),
    posting_date  TEXT NOT NULL,
    currency      TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
    booked_at     TEXT NOT NULL
) STRICT;

CREATE TABLE invoice_postings (
    journal_id    INTEGER NOT NULL REFERENCES invoice_journals (id),
    line          INTEGER NOT NULL,
    account       TEXT NOT NULL,
    -- Debit positive, credit negative.
    amount_minor  INTEGER NOT NULL CHECK (amount_minor <> 0),
    PRIMARY KEY (journal_id, line)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entries_kept BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER entries_fixed BEFORE UPDATE OF reference, customer, order_id, key, payment_key, currency, initial_minor, created_at ON entries
    BEGIN SELECT RAISE(ABORT, 'only the status of an entry moves'); END;
CREATE TRIGGER entries_document_fixed BEFORE UPDATE OF document_id ON entries
    WHEN OLD.document_id IS NOT NULL AND NEW.document_id IS NOT OLD.document_id
    BEGIN SELECT RAISE(ABORT, 'the invoice of an entry is fixed'); END;
CREATE TRIGGER entries_cancelled_stay BEFORE UPDATE ON entries WHEN OLD.status = 'cancelled'
    BEGIN SELECT RAISE(ABORT, 'a cancelled entry takes part in nothing'); END;
CREATE TRIGGER assignments_fixed BEFORE UPDATE ON assignments BEGIN SELECT RAISE(ABORT, 'assignments are append-only'); END;
CREATE TRIGGER assignments_kept BEFORE DELETE ON assignments BEGIN SELECT RAISE(ABORT, 'assignments are append-only'); END;
CREATE TRIGGER payment_keys_fixed BEFORE UPDATE ON payment_keys BEGIN SELECT RAISE(ABORT, 'the key of a payment is fixed'); END;
CREATE TRIGGER payment_keys_kept BEFORE DELETE ON payment_keys BEGIN SELECT RAISE(ABORT, 'the key of a payment is fixed'); END;
CREATE TRIGGER number_counters_forward BEFORE UPDATE ON number_counters WHEN NEW.last <= OLD.last
    BEGIN SELECT RAISE(ABORT, 'a number is never drawn twice'); END;
CREATE TRIGGER number_counters_kept BEFORE DELETE ON number_counters BEGIN SELECT RAISE(ABORT, 'a number is never drawn twice'); END;
CREATE TRIGGER invoices_fixed BEFORE UPDATE ON invoices BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER invoices_kept BEFORE DELETE ON invoices BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER invoice_lines_fixed BEFORE UPDATE ON invoice_lines BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER invoice_lines_kept BEFORE DELETE ON invoice_lines BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER invoice_journals_fixed BEFORE UPDATE ON invoice_journals BEGIN SELECT RAISE(ABORT, 'journals are append-only'); END;
CREATE TRIGGER invoice_journals_kept BEFORE DELETE ON invoice_journals BEGIN SELECT RAISE(ABORT, 'journals are append-only'); END;
CREATE TRIGGER invoice_postings_fixed BEFORE UPDATE ON invoice_postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
CREATE TRIGGER invoice_postings_kept BEFORE DELETE ON invoice_postings BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END;
-- What was sold is fixed with the invoice.
CREATE TRIGGER order_lines_fixed BEFORE UPDATE ON order_lines WHEN EXISTS (SELECT 1 FROM invoices WHERE order_id = OLD.order_id)
    BEGIN SELECT RAISE(ABORT, 'the lines of an invoiced order are fixed'); END;
CREATE TRIGGER order_lines_kept BEFORE DELETE ON order_lines WHEN EXISTS (SELECT 1 FROM invoices WHERE order_id = OLD.order_id)
    BEGIN SELECT RAISE(ABORT, 'the lines of an invoiced order are fixed'); END;
CREATE TRIGGER order_lines_closed BEFORE INSERT ON order_lines WHEN EXISTS (SELECT 1 FROM invoices WHERE order_id = NEW.order_id)
    BEGIN SELECT RAISE(ABORT, 'the lines of an invoiced order are fixed'); END;
CREATE TRIGGER order_keys_fixed BEFORE UPDATE ON order_keys WHEN EXISTS (SELECT 1 FROM invoices WHERE order_id = OLD.order_id)
    BEGIN SELECT RAISE(ABORT, 'the keys of an invoiced order are fixed'); END;
