-- What `finalize-invoices` writes for paid orders, as straight SQL: the floor to compare with. No check, no plan, no case.
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
CREATE TEMP TABLE billed AS
  SELECT o.id, o.currency, o.total_minor, o.bill_to, '2026-' || printf('%05d', row_number() OVER (ORDER BY o.id)) AS number,
    row_number() OVER (ORDER BY o.id) AS counter, (SELECT ifnull(max(id), 0) FROM documents) + row_number() OVER (ORDER BY o.id) AS document,
    m.id AS movement, j.id AS journal, p.id AS payment
  FROM orders o JOIN payments p ON p.order_id = o.id JOIN movements m ON m.payment_id = p.id AND m.kind = 'capture'
  JOIN journals j ON j.movement_id = m.id WHERE o.payment_status = 'paid';
CREATE TEMP TABLE priced AS
  SELECT b.document, l.*, CAST(round(l.quantity * l.unit_price * 100) AS INTEGER) AS gross,
    CAST(round(l.quantity * l.unit_price * 100 * l.tax_rate / (100 + l.tax_rate)) AS INTEGER) AS tax
  FROM billed b JOIN order_lines l ON l.order_id = b.id;
INSERT INTO documents (id, company, kind, number, order_id, bill_to, currency, total_minor, paid_elsewhere_minor, posted_on)
  SELECT document, 'main', 'invoice', number, id, bill_to, currency, total_minor, 0, '2026-11-22' FROM billed;
INSERT INTO invoices (document_id, order_id, generation, period, counter, finalised_at)
  SELECT document, id, 1, '2026', counter, '2026-11-22T02:00:00Z' FROM billed;
INSERT INTO invoice_lines (document_id, line, item, description, quantity, unit_price, tax_rate, net_minor, tax_minor)
  SELECT document, line, item, description, quantity, unit_price, tax_rate, gross - tax, tax FROM priced;
INSERT INTO invoice_sheets (document_id, order_id, parties, prices, paid_minor, mail)
  SELECT document, id, '{"customer_number":"' || bill_to || '"}', 'gross', total_minor, 'unwanted' FROM billed;
INSERT INTO invoice_journals (id, document_id, number, posting_date, currency, booked_at)
  SELECT document, document, 'PJ-' || document, '2026-11-22', currency, '2026-11-22T02:00:00Z' FROM billed;
INSERT INTO invoice_postings (journal_id, line, account, amount_minor)
  SELECT document, 1, 'Assets:Receivables:' || bill_to, total_minor FROM billed;
INSERT INTO invoice_postings (journal_id, line, account, amount_minor)
  SELECT document, 2 * row_number() OVER (PARTITION BY document ORDER BY tax_rate), 'Income:Sales:' || tax_rate, -sum(gross - tax)
  FROM priced GROUP BY document, tax_rate;
INSERT INTO invoice_postings (journal_id, line, account, amount_minor)
  SELECT document, 1 + 2 * row_number() OVER (PARTITION BY document ORDER BY tax_rate), 'Liabilities:OutputTax:' || tax_rate, -sum(tax)
  FROM priced GROUP BY document, tax_rate HAVING sum(tax) <> 0;
INSERT INTO entries (id, customer, order_id, title, currency, initial_minor, assigned_minor, status, document_id, created_at)
  SELECT document, bill_to, id, 'Invoice ' || number, currency, total_minor, total_minor, 'balanced', document, '2026-11-22T02:00:00Z' FROM billed;
INSERT INTO assignments (entry_id, movement_id, amount_minor, assigned_at)
  SELECT document, movement, total_minor, '2026-11-22T02:00:00Z' FROM billed;
CREATE TEMP TABLE tied AS SELECT (SELECT max(id) FROM journals) + row_number() OVER (ORDER BY document) AS id, * FROM billed;
INSERT INTO journals (id, movement_id, kind, direction, document_id, number, bill_to, posting_date, amount_minor, currency, booked_at)
  SELECT id, movement, 'application', 'original', document, 'PJ-A' || id, bill_to, '2026-11-22', total_minor, currency, '2026-11-22T02:00:00Z' FROM tied;
INSERT INTO postings (journal_id, line, account, amount_minor)
  SELECT id, 1, 'Liabilities:Prepayments:' || bill_to, total_minor FROM tied;
INSERT INTO postings (journal_id, line, account, amount_minor)
  SELECT id, 2, 'Assets:Receivables:' || bill_to, -total_minor FROM tied;
INSERT INTO number_counters (kind, period, last) SELECT 'invoice', '2026', max(counter) FROM billed;
COMMIT;
