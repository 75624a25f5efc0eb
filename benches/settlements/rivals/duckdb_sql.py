#!/usr/bin/env python3
"""duckdb_sql.py seed|run LEDGER.duckdb DATADIR-or-REPORT.csv [index|anti]
index: settlements carries UNIQUE, INSERT OR IGNORE (the same guarantee as the SQLite ledger)
anti:  no index at all, ANTI JOIN against what is there (the 'fast analytics' way; nothing but the query keeps it unique)"""
import sys, duckdb
cmd, path, src = sys.argv[1:4]
mode = sys.argv[4] if len(sys.argv) > 4 else "index"
db = duckdb.connect(path)
if cmd == "seed":
    uniq = ", UNIQUE(psp_reference,modification_reference,type,batch)" if mode == "index" else ""
    pk = " PRIMARY KEY" if mode == "index" else ""
    un = " UNIQUE" if mode == "index" else ""
    db.execute(f"""
    CREATE TABLE orders(id BIGINT{pk}, reference VARCHAR NOT NULL{un}, account VARCHAR, currency VARCHAR, amount_minor BIGINT, placed_at VARCHAR,
      state VARCHAR, settled_lines BIGINT DEFAULT 0, settled_net_minor BIGINT DEFAULT 0);
    CREATE TABLE payments(id BIGINT{pk}, order_id BIGINT, psp_reference VARCHAR{un}, method VARCHAR, amount_minor BIGINT, state VARCHAR);
    CREATE TABLE settlements(psp_reference VARCHAR, modification_reference VARCHAR, type VARCHAR, batch BIGINT, merchant_reference VARCHAR, order_id BIGINT,
      matched_by VARCHAR, method VARCHAR, created_at VARCHAR, gross_currency VARCHAR, gross_minor BIGINT, net_currency VARCHAR, net_minor BIGINT,
      commission_minor BIGINT, markup_minor BIGINT, scheme_minor BIGINT, interchange_minor BIGINT, note VARCHAR{uniq});
    INSERT INTO orders(id,reference,account,currency,amount_minor,placed_at,state) SELECT * FROM read_csv('{src}/orders.csv', header=true, all_varchar=true);
    INSERT INTO payments SELECT id,order_id,NULLIF(psp_reference,''),method,amount_minor,state FROM read_csv('{src}/payments.csv', header=true, all_varchar=true);
    CHECKPOINT;""")
elif cmd == "verify":
    for q in open(src).read().split(";"):
        if q.strip(): print("|".join("" if v is None else str(v) for v in db.execute(q).fetchone()))
else:
    M = lambda c: f"""CAST(round(COALESCE(TRY_CAST("{c}" AS DECIMAL(18,2)),0)*100) AS BIGINT)"""
    db.execute(f"""
    BEGIN;
    CREATE TEMP TABLE raw AS SELECT * FROM read_csv('{src}', header=true, all_varchar=true, quote='"', delim=',');
    CREATE TEMP TABLE grp AS
     SELECT g.psp, COALESCE(p.order_id, o.id) AS order_id,
            CASE WHEN p.order_id IS NOT NULL THEN 'psp' WHEN o.id IS NOT NULL THEN 'reference' ELSE 'none' END AS matched_by
     FROM (SELECT "Psp Reference" AS psp, max("Merchant Reference") AS ref FROM raw GROUP BY 1) g
     LEFT JOIN payments p ON p.psp_reference = g.psp
     LEFT JOIN orders o ON o.reference = g.ref;
    CREATE TEMP TABLE lines AS
     SELECT r."Psp Reference" AS psp, r."Modification Reference" AS mod, r."Type" AS type, CAST(r."Batch Number" AS BIGINT) AS batch, r."Merchant Reference" AS ref,
      g.order_id, g.matched_by, r."Payment Method" AS method, r."Creation Date" AS created, r."Gross Currency" AS gcur,
      {M('Gross Credit (GC)')}-{M('Gross Debit (GC)')} AS gross, r."Net Currency" AS ncur, {M('Net Credit (NC)')}-{M('Net Debit (NC)')} AS net,
      {M('Commission (NC)')} AS comm, {M('Markup (NC)')} AS markup, {M('Scheme Fees (NC)')} AS scheme, {M('Interchange (NC)')} AS inter,
      COALESCE(r."Modification Merchant Reference",'') AS note
     FROM raw r JOIN grp g ON g.psp = r."Psp Reference";
    CREATE TEMP TABLE fresh AS SELECT l.* FROM lines l ANTI JOIN settlements s
      ON s.psp_reference=l.psp AND s.modification_reference=l.mod AND s.type=l.type AND s.batch=l.batch;
    INSERT {'OR IGNORE' if mode == 'index' else ''} INTO settlements SELECT * FROM fresh;
    UPDATE orders SET state='settled', settled_lines=settled_lines+s.n, settled_net_minor=settled_net_minor+s.net
     FROM (SELECT order_id, count(*) AS n, CAST(sum(net) AS BIGINT) AS net FROM fresh WHERE order_id IS NOT NULL GROUP BY order_id) s WHERE orders.id=s.order_id;
    COMMIT;""")
db.close()
