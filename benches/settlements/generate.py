#!/usr/bin/env python3
"""Deterministic benchmark data for the 'settlements' job.

usage: generate.py OUTDIR N_ORDERS N_LINES N_NEXT
writes OUTDIR/orders.csv, OUTDIR/payments.csv (the ledger), OUTDIR/report.csv (provider report), and the reports that come after it:
OUTDIR/next.csv and OUTDIR/twice.csv, each with N_NEXT lines that are all new.

Every value is a function of the order number alone (BLAKE2b), so two runs give the same bytes and
the report of any size agrees with the ledger of any size.

Report: Adyen 'Settlement Details Report'-like, 30 columns, UTF-8, LF, about 200 bytes a line.
  groups (= PSP references)      N_LINES / 1.05
  - 1 % of groups: neither PSP reference nor merchant reference is known to the ledger
  - 2 % of orders: ledger has no PSP reference (lost answer), match by merchant reference only
  - 5 % of groups: a second line (60 % Refunded, 40 % second partial Settled); its 'Modification
    Merchant Reference' is a quoted UTF-8 text with a comma (so the parser must handle quotes)
Lines are in creation order (which begins anew every 2 M orders), locally shuffled in windows of 4096 groups; second lines come up to
20,000 groups later.  PSP references are random 16-character texts, order references sequential.

next.csv is what a PSP sends the day after: the orders that follow, none of which was settled before, and for 5 % of the groups
a late line, the refund of an order of the report before it. Its refunds, too, are ones the ledger knows.
twice.csv is what no PSP should ever send: the first lines of report.csv in other batches, every capture paid out a second time.
Each of its payments is one that a person has to be told of.
"""
import csv, hashlib, os, struct, sys
from datetime import datetime, timedelta

ALPHA = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"          # 32 letters
PAIR = [a + b for a in ALPHA for b in ALPHA]        # 10 bits -> 2 letters
BASE = datetime(2025, 1, 1)
SPAN = 400 * 24 * 3600                               # of all orders: no money can have moved in a year to come
ACCTS = ["AcmeEU_Ecom", "AcmeUK_Ecom", "AcmeUS_Ecom", "CafeZürich_POS"]
CUR = ["EUR", "GBP", "USD", "CHF"]
RATE = {"EUR": "1", "GBP": "1.17250000", "USD": "0.92310000", "CHF": "1.04770000"}
RATE_N = {"EUR": 100000000, "GBP": 117250000, "USD": 92310000, "CHF": 104770000}
METHOD = [("visa", "visacredit"), ("mc", "mcdebit"), ("amex", "amex"), ("ideal", "ideal"), ("klarna", "klarna_paynow")]
HEAD = ("Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
        "Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,"
        "Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),"
        "Payment Method Variant,Modification Merchant Reference,Batch Number,"
        "Reserved4,Reserved5,Reserved6,Reserved7,Reserved8,Reserved9,Reserved10")

def ref16(x):
    return "".join([PAIR[(x >> s) & 1023] for s in (0, 10, 20, 30, 40, 50, 60, 70)])

def m(c):                                            # minor units -> '12.34'
    return f"{c // 100}.{c % 100:02d}"

class Order:
    __slots__ = ("i", "psp", "mod1", "mod2", "mod3", "acct", "cur", "amount", "method", "ts", "reference", "lost", "r")
    def __init__(self, i):
        d = hashlib.blake2b(struct.pack("<Q", i), digest_size=64, key=b"payjournal-bench").digest()
        fb = int.from_bytes
        self.i = i
        self.psp = ref16(fb(d[0:10], "little"))
        self.mod1 = ref16(fb(d[10:20], "little"))
        self.mod2 = ref16(fb(d[20:30], "little"))
        self.mod3 = ref16(fb(d[43:53], "little"))
        self.acct = d[30] & 3
        self.cur = CUR[self.acct]
        self.amount = 150 + fb(d[31:34], "little") % 60000
        self.method = METHOD[d[34] % 5]
        self.ts = BASE + timedelta(seconds=i * 17 % SPAN)
        self.reference = f"PO-2025-{i:09d}"
        self.lost = fb(d[35:37], "little") % 50 == 0           # 2 %
        self.r = d

def ledger(outdir, n):
    with open(f"{outdir}/orders.csv", "w", encoding="utf-8", newline="") as fo, \
         open(f"{outdir}/payments.csv", "w", encoding="utf-8", newline="") as fp:
        fo.write("id,reference,account,currency,amount_minor,placed_at,state\n")
        fp.write("id,order_id,psp_reference,method,amount_minor,state\n")
        for i in range(1, n + 1):
            o = Order(i)
            fo.write(f"{i},{o.reference},{ACCTS[o.acct]},{o.cur},{o.amount},{o.ts:%Y-%m-%dT%H:%M:%SZ},captured\n")
            fp.write(f"{i},{i},{'' if o.lost else o.psp},{o.method[0]},{o.amount},captured\n")

def line(o, ref, typ, mod, amount, debit, ts, modref, batch):
    net = amount * RATE_N[o.cur] // 100000000
    comm, markup, scheme, inter = 12, net * 60 // 10000, net * 12 // 10000 + 1, net * 25 // 10000
    if debit:
        nd, nc, gd, gc = m(net + comm), "", m(amount), ""
        markup = scheme = inter = 0
    else:
        fee = comm + markup + scheme + inter
        nd, nc, gd, gc = "", m(max(net - fee, 0)), "", m(amount)
    return (f"AcmeHolding,{ACCTS[o.acct]},{o.psp},{ref},{o.method[0]},{ts:%Y-%m-%d %H:%M:%S},CET,{typ},{mod},{o.cur},"
            f"{gd},{gc},{RATE[o.cur]},EUR,{nd},{nc},{m(comm)},{m(markup)},{m(scheme)},{m(inter)},"
            f"{o.method[1]},{modref},{batch},,,,,,,\n")

def groups_of(lines):
    """PSP references of a report, and those of them the ledger has: the others are 1 %."""
    groups = lines * 20 // 21                                    # 5 % have a second line
    return groups, groups - groups // 100

def known_of(lines):
    return groups_of(lines)[1]

def report(path, first, lines, batch, foreign, late):
    """Lines of the orders from `first` on. `late`: second lines are of orders that were settled as many orders before."""
    import random
    rnd = random.Random(20250101)
    groups, known = groups_of(lines)
    seconds = lines - groups
    ids = list(range(first, first + known))
    foreign = [foreign + k for k in range(groups - known)]       # 1 % not in the ledger
    step = max(1, len(ids) // max(1, len(foreign)))
    mixed = []
    f = iter(foreign)
    for k, i in enumerate(ids):
        mixed.append(i)
        if k % step == step - 1:
            x = next(f, None)
            if x is not None: mixed.append(x)
    mixed.extend(f)
    for a in range(0, len(mixed), 4096):
        w = mixed[a:a + 4096]; rnd.shuffle(w); mixed[a:a + 4096] = w
    pend = {}
    per_batch = 50000
    with open(path, "w", encoding="utf-8", newline="") as fr:
        fr.write(HEAD + "\n")
        buf, written = [], 0
        def emit(s):
            nonlocal written
            buf.append(s); written += 1
            if len(buf) > 20000: fr.write("".join(buf)); buf.clear()
        for k, i in enumerate(mixed):
            o = Order(i)
            ref = o.reference if i < 10**9 else f"WEB-X-{i}"
            amount = o.amount
            d = o.r
            want2 = k * seconds // groups != (k + 1) * seconds // groups      # exactly `seconds` of them, evenly spread
            partial = want2 and not late and d[40] % 5 < 2
            a1 = amount * 3 // 5 if partial else amount
            emit(line(o, ref, "Settled", o.mod1, a1, False, o.ts, "", batch + k // per_batch))
            if want2 and late:
                p = Order(first - 1 - k)
                emit(line(p, p.reference, "Refunded", p.mod3, p.amount // 2, True, o.ts, f'"Erstattung {p.i}, zu spät geliefert"', batch + k // per_batch))
            elif want2:
                at = min(len(mixed) - 1, k + 1 + int.from_bytes(d[41:43], "little") % 20000)
                pend.setdefault(at, []).append((i, partial, amount - a1))
            for (j, part, rest) in pend.pop(k, ()):
                p = Order(j)
                pref = p.reference if j < 10**9 else f"WEB-X-{j}"
                t = p.ts + timedelta(hours=30)
                if part:
                    emit(line(p, pref, "Settled", p.mod2, rest, False, t, f'"Teil 2, Lieferung {j} – Zürich"', batch + k // per_batch))
                else:
                    emit(line(p, pref, "Refunded", p.mod2, p.amount // 2, True, t, f'"Erstattung {j}, Größe passt nicht"', batch + k // per_batch))
        for ls in pend.values():
            assert not ls
        fr.write("".join(buf))
    return written

def twice(outdir, lines):
    """The batch is the 23rd of the 30 columns; those before it may hold a quoted comma, those after it do not."""
    with open(f"{outdir}/report.csv", encoding="utf-8", newline="") as fi, open(f"{outdir}/twice.csv", "w", encoding="utf-8", newline="") as fo:
        fo.write(next(fi))
        for _, row in zip(range(lines), fi):
            cells = row.rsplit(",", 8)
            fo.write(f"{cells[0]},{int(cells[1]) + 900},{','.join(cells[2:])}")

if __name__ == "__main__":
    out, n, lines, more = sys.argv[1], *map(int, sys.argv[2:5])
    os.makedirs(out, exist_ok=True)
    since = n - known_of(more) + 1                               # the most recent orders are settled last
    first = since - known_of(lines)
    if first < 1:
        sys.exit("ledger too small for these reports")
    ledger(out, n)
    w = report(f"{out}/report.csv", first, lines, 100, 10**9, False)
    report(f"{out}/next.csv", since, more, 101 + groups_of(lines)[0] // 50000, 2 * 10**9, True)
    twice(out, more)
    print(out, "orders", n, "report lines", w, "bytes", os.path.getsize(f"{out}/report.csv"), "per line", round(os.path.getsize(f"{out}/report.csv") / w, 1))
