-- The ledger, version 3.

-- What every run asks, and what would otherwise read a whole table: the invoice a credit note or payment names, and the
-- exceptions about a subject, a document, a payment or an operation.
CREATE INDEX documents_by_number ON documents (number);
CREATE INDEX exceptions_by_subject ON exceptions (kind, subject);
CREATE INDEX exceptions_by_document ON exceptions (document_id) WHERE state <> 'resolved';
CREATE INDEX exceptions_by_payment ON exceptions (payment_id) WHERE state <> 'resolved';
CREATE INDEX exceptions_by_operation ON exceptions (operation_id) WHERE operation_id IS NOT NULL AND state <> 'resolved';
