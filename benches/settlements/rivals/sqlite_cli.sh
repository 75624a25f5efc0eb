#!/bin/sh
# sqlite_cli.sh LEDGER.db REPORT.csv FULL|NORMAL [tuned]   -- what a skilled user does by hand
set -eu
tune=""
[ "${4:-}" = tuned ] && tune="PRAGMA cache_size=-524288; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=2147483648;"
exec sqlite3 -bail "$1" >/dev/null <<SQL
PRAGMA synchronous=$3;
$tune
CREATE TEMP TABLE raw(company,account,psp,ref,method,created,tz,type,mod,gcur,gd,gc,rate,ncur,nd,nc,comm,markup,scheme,inter,variant,note,batch,r4,r5,r6,r7,r8,r9,r10);
.mode csv
.import --skip 1 $2 raw
BEGIN IMMEDIATE;
CREATE TEMP TABLE mark AS SELECT coalesce(max(id),0) AS m FROM settlements;
CREATE TEMP TABLE grp AS
 SELECT g.psp AS psp, coalesce(p.order_id, o.id) AS order_id,
        CASE WHEN p.order_id IS NOT NULL THEN 'psp' WHEN o.id IS NOT NULL THEN 'reference' ELSE 'none' END AS matched_by
 FROM (SELECT psp, max(ref) AS ref FROM raw GROUP BY psp) g
 LEFT JOIN payments p ON p.psp_reference = g.psp
 LEFT JOIN orders o ON p.id IS NULL AND o.reference = g.ref;
CREATE UNIQUE INDEX temp.grp_psp ON grp(psp);
INSERT OR IGNORE INTO settlements(psp_reference,modification_reference,type,batch,merchant_reference,order_id,matched_by,method,created_at,
  gross_currency,gross_minor,net_currency,net_minor,commission_minor,markup_minor,scheme_minor,interchange_minor,note)
 SELECT r.psp,r.mod,r.type,CAST(r.batch AS INTEGER),r.ref,g.order_id,g.matched_by,r.method,r.created,
  r.gcur,CAST(round(r.gc*100) AS INTEGER)-CAST(round(r.gd*100) AS INTEGER),
  r.ncur,CAST(round(r.nc*100) AS INTEGER)-CAST(round(r.nd*100) AS INTEGER),
  CAST(round(r.comm*100) AS INTEGER),CAST(round(r.markup*100) AS INTEGER),CAST(round(r.scheme*100) AS INTEGER),CAST(round(r.inter*100) AS INTEGER),r.note
 FROM raw r JOIN grp g ON g.psp = r.psp;
UPDATE orders SET state='settled', settled_lines=settled_lines+s.n, settled_net_minor=settled_net_minor+s.net
 FROM (SELECT order_id, count(*) AS n, sum(net_minor) AS net FROM settlements
       WHERE id > (SELECT m FROM mark) AND order_id IS NOT NULL GROUP BY order_id) s
 WHERE orders.id = s.order_id;
COMMIT;
SQL
