-- The ledger, version 14: buyers are invited to pay, by a mail with the page they can pay on.

CREATE TABLE invitations (
    mail_id     INTEGER PRIMARY KEY REFERENCES mails (id),
    -- The payment that was made with the page.
    payment_id  INTEGER NOT NULL REFERENCES payments (id),
    address     TEXT NOT NULL CHECK (address <> '')
) STRICT;
CREATE INDEX invitations_by_payment ON invitations (payment_id);
CREATE TRIGGER invitations_fixed BEFORE UPDATE ON invitations BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;
CREATE TRIGGER invitations_kept BEFORE DELETE ON invitations BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;

-- Not to be sent any more: what it asks for is paid, gone or another amount.
CREATE TABLE ended_invitations (
    mail_id   INTEGER PRIMARY KEY REFERENCES invitations (mail_id),
    ended_at  TEXT NOT NULL
) STRICT;
CREATE TRIGGER ended_invitations_fixed BEFORE UPDATE ON ended_invitations BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;
CREATE TRIGGER ended_invitations_kept BEFORE DELETE ON ended_invitations BEGIN SELECT RAISE(ABORT, 'mails are append-only'); END;

-- Orders that money with their keys may still pay: it is none of a deleted order's that has the same key.
CREATE VIEW heirs AS
    SELECT k.entry_key, k.payment_key, o.shop, o.currency, o.terms = 'online' AND o.payment_status = 'paid' AS is_paid
    FROM order_keys k JOIN orders o ON o.id = k.order_id WHERE o.deleted = 0 AND o.cancelled = 'none';
