-- Customers, and the payment pages that were made for entries.

CREATE TABLE customers (
    id        INTEGER PRIMARY KEY,
    number    TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL CHECK (name <> ''),
    email     TEXT,
    street    TEXT,
    postcode  TEXT,
    city      TEXT,
    country   TEXT,
    language  TEXT,
    vat_id    TEXT
) STRICT;

-- The page a payment was made with.
CREATE TABLE payment_links (
    payment_id  INTEGER PRIMARY KEY REFERENCES payments (id),
    url         TEXT NOT NULL,
    amount_minor  INTEGER NOT NULL CHECK (amount_minor > 0),
    made_at     TEXT NOT NULL
) STRICT;
CREATE TRIGGER payment_links_fixed BEFORE UPDATE ON payment_links BEGIN SELECT RAISE(ABORT, 'the page of a payment is fixed'); END;
CREATE TRIGGER payment_links_kept BEFORE DELETE ON payment_links BEGIN SELECT RAISE(ABORT, 'the page of a payment is fixed'); END;
