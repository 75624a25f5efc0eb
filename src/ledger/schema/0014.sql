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
