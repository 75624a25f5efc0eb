#!/usr/bin/env python3
"""polars_frames.py seed|run|verify LEDGERDIR DATADIR-or-REPORT.csv   -- in-memory polars, ledger as parquet files.
'commit' = write new parquet beside the old, fsync, rename (settlements appended as one new part file, orders rewritten)."""
import sys, os, glob
import polars as pl
cmd, led, src = sys.argv[1:4]
def put(df, path):
    tmp = path + ".tmp"
    df.write_parquet(tmp, compression="lz4")
    fd = os.open(tmp, os.O_RDONLY); os.fsync(fd); os.close(fd)
    os.rename(tmp, path)
    fd = os.open(os.path.dirname(path), os.O_RDONLY); os.fsync(fd); os.close(fd)
KEY = ["psp_reference", "modification_reference", "type", "batch"]
if cmd == "seed":
    os.makedirs(led, exist_ok=True)
    o = pl.read_csv(f"{src}/orders.csv").with_columns(settled_lines=pl.lit(0, pl.Int64), settled_net_minor=pl.lit(0, pl.Int64))
    put(o, f"{led}/orders.parquet"); put(pl.read_csv(f"{src}/payments.csv", null_values=[""]), f"{led}/payments.parquet")
elif cmd == "verify":
    s = pl.concat([pl.read_parquet(p) for p in sorted(glob.glob(f"{led}/settlements-*.parquet"))]); o = pl.read_parquet(f"{led}/orders.parquet")
    fees = sum(int(s[c].sum()) for c in ("commission_minor", "markup_minor", "scheme_minor", "interchange_minor"))
    mb = lambda k: (s["matched_by"] == k).sum()
    def cmod(e):                                            # SQL remainder: sign of the dividend
        return (e.abs() % 1000003 * e.sign()).sum()
    print("|".join(map(str, [len(s), s["gross_minor"].sum(), s["net_minor"].sum(), fees, mb("psp"), mb("reference"), mb("none"), s["order_id"].drop_nulls().n_unique(),
          cmod(s["order_id"].fill_null(0) * s["gross_minor"]), s["note"].str.len_chars().sum(), s["batch"].sum()])))
    print("|".join(map(str, [(o["state"] == "settled").sum(), o["settled_lines"].sum(), o["settled_net_minor"].sum(), cmod(o["id"] * o["settled_net_minor"])])))
else:
    n = lambda c: pl.col(c).cast(pl.Float64, strict=False).fill_null(0).mul(100).round().cast(pl.Int64)
    r = pl.read_csv(src, infer_schema=False)
    lines = r.select(psp_reference="Psp Reference", modification_reference="Modification Reference", type="Type", batch=pl.col("Batch Number").cast(pl.Int64),
        merchant_reference="Merchant Reference", method="Payment Method", created_at="Creation Date", gross_currency="Gross Currency",
        gross_minor=n("Gross Credit (GC)") - n("Gross Debit (GC)"), net_currency="Net Currency", net_minor=n("Net Credit (NC)") - n("Net Debit (NC)"),
        commission_minor=n("Commission (NC)"), markup_minor=n("Markup (NC)"), scheme_minor=n("Scheme Fees (NC)"), interchange_minor=n("Interchange (NC)"),
        note=pl.col("Modification Merchant Reference").fill_null(""))
    orders = pl.read_parquet(f"{led}/orders.parquet"); pay = pl.read_parquet(f"{led}/payments.parquet", columns=["psp_reference", "order_id"])
    g = (lines.group_by("psp_reference").agg(ref=pl.col("merchant_reference").max())
         .join(pay, on="psp_reference", how="left").join(orders.select(ref="reference", oid="id"), on="ref", how="left")
         .select("psp_reference", order_id=pl.coalesce("order_id", "oid"),
                 matched_by=pl.when(pl.col("order_id").is_not_null()).then(pl.lit("psp")).when(pl.col("oid").is_not_null()).then(pl.lit("reference")).otherwise(pl.lit("none"))))
    lines = lines.join(g, on="psp_reference", how="left")
    parts = sorted(glob.glob(f"{led}/settlements-*.parquet"))
    for p in parts:
        lines = lines.join(pl.read_parquet(p, columns=KEY), on=KEY, how="anti")
    if len(lines):
        put(lines, f"{led}/settlements-{len(parts):06d}.parquet")
        d = lines.filter(pl.col("order_id").is_not_null()).group_by("order_id").agg(n=pl.len().cast(pl.Int64), net=pl.col("net_minor").sum())
        orders = orders.join(d, left_on="id", right_on="order_id", how="left").with_columns(
            state=pl.when(pl.col("n").is_not_null()).then(pl.lit("settled")).otherwise("state"),
            settled_lines=pl.col("settled_lines") + pl.col("n").fill_null(0), settled_net_minor=pl.col("settled_net_minor") + pl.col("net").fill_null(0)).drop("n", "net")
        put(orders, f"{led}/orders.parquet")
