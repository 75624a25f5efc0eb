-- The ledger, version 18: until it is sent, an invoice that is final may still be told where it can be paid, once, and what was paid since.
DROP TRIGGER invoice_sheets_fixed;
CREATE TRIGGER invoice_sheets_fixed
    BEFORE UPDATE OF document_id, order_id, parties, prices, due_on, is_charged ON invoice_sheets
    BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER invoice_sheets_paid_until_sent BEFORE UPDATE OF paid_minor ON invoice_sheets WHEN OLD.mail <> 'wanted'
    BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
CREATE TRIGGER invoice_sheets_page_once BEFORE UPDATE OF payment_url ON invoice_sheets
    WHEN OLD.payment_url IS NOT NULL OR OLD.mail <> 'wanted' OR NEW.payment_url IS NULL
    BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;
