-- The ledger, version 15: what is open on an invoice may be taken from what its customer has authorised.

ALTER TABLE invoice_sheets ADD COLUMN is_charged INTEGER NOT NULL DEFAULT 0 CHECK (is_charged = 0 OR is_charged = 1);
DROP TRIGGER invoice_sheets_fixed;
CREATE TRIGGER invoice_sheets_fixed
    BEFORE UPDATE OF document_id, order_id, parties, prices, due_on, paid_minor, payment_url, is_charged ON invoice_sheets
    BEGIN SELECT RAISE(ABORT, 'a final invoice is fixed'); END;

-- Free balances of the customer do not pay this order's invoices.
ALTER TABLE orders ADD COLUMN leaves_free_balances INTEGER NOT NULL DEFAULT 0 CHECK (leaves_free_balances = 0 OR leaves_free_balances = 1);
CREATE INDEX orders_by_customer ON orders (bill_to);

-- Days until an invoice of the customer is due; none: those of the config.
ALTER TABLE customers ADD COLUMN due_days INTEGER CHECK (due_days BETWEEN 0 AND 365);
