-- The ledger, version 2.

-- Every invoice looks for payments that name it: they are few, and must not be looked for among all payments.
CREATE INDEX payments_for_invoices ON payments (status) WHERE pays <> '';
