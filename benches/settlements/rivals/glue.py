#!/usr/bin/env python3
"""glue.py LEDGER.db REPORT.csv  -- the usual glue script: csv.DictReader + sqlite3 executemany, one transaction."""
import csv, sqlite3, sys
from decimal import Decimal

def minor(s):
    return int(Decimal(s) * 100) if s else 0

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA synchronous=FULL")
groups = {}
with open(sys.argv[2], encoding="utf-8", newline="") as f:
    for row in csv.DictReader(f):
        groups.setdefault(row["Psp Reference"], []).append(row)

db.execute("BEGIN IMMEDIATE")
last = db.execute("SELECT coalesce(max(id),0) FROM settlements").fetchone()[0]

def records():
    for psp, rows in groups.items():
        by, hit = "psp", db.execute("SELECT order_id FROM payments WHERE psp_reference=?", (psp,)).fetchone()
        if hit is None:
            by, hit = "reference", db.execute("SELECT id FROM orders WHERE reference=?", (max(r["Merchant Reference"] for r in rows),)).fetchone()
        if hit is None:
            by, hit = "none", (None,)
        for r in rows:
            yield (psp, r["Modification Reference"], r["Type"], int(r["Batch Number"]), r["Merchant Reference"], hit[0], by,
                   r["Payment Method"], r["Creation Date"], r["Gross Currency"],
                   minor(r["Gross Credit (GC)"]) - minor(r["Gross Debit (GC)"]), r["Net Currency"],
                   minor(r["Net Credit (NC)"]) - minor(r["Net Debit (NC)"]), minor(r["Commission (NC)"]), minor(r["Markup (NC)"]),
                   minor(r["Scheme Fees (NC)"]), minor(r["Interchange (NC)"]), r["Modification Merchant Reference"])

db.executemany("""INSERT OR IGNORE INTO settlements(psp_reference,modification_reference,type,batch,merchant_reference,order_id,matched_by,
  method,created_at,gross_currency,gross_minor,net_currency,net_minor,commission_minor,markup_minor,scheme_minor,interchange_minor,note)
  VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)""", records())
new = db.execute("SELECT order_id,count(*),sum(net_minor) FROM settlements WHERE id>? AND order_id IS NOT NULL GROUP BY order_id", (last,)).fetchall()
db.executemany("UPDATE orders SET state='settled', settled_lines=settled_lines+?, settled_net_minor=settled_net_minor+? WHERE id=?",
               ((n, net, oid) for oid, n, net in new))
db.execute("COMMIT")
db.close()
