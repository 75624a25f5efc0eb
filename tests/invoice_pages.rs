//! What is open of an invoice can be paid on a page that comes with its mail: one page, one mail, and none for what is paid otherwise.

mod support;

use std::process::Stdio;

use support::Shop;
use support::billing::{self, all_entries, entries, import};

const SELLER: &str = "[seller]\nname = \"Coffee Ltd.\"\ncountry = \"DE\"\nvat_id = \"DE123456789\"\n";

/// A shop that bills C1's order A over 119.00 EUR on account.
fn shop(more: &str) -> Shop {
    let config = support::CONFIG;
    let shop = Shop::with(&format!(
        "{config}\n[invoices]\nenabled = true\nbill_when = []\npayment_page = \"psp\"\n{SELLER}{more}"
    ));
    import(&shop, "customers", "customer,name,email,language\nC1,Ada Lovelace,ada@example.com,\n");
    shop
}

fn with_order(more: &str) -> Shop {
    let shop = shop(more);
    billing::orders(&shop, "A,119.00,C1,,\n");
    shop
}

/// The faults of the sandbox, as a table of the config.
fn faulty(fault: &str) -> String {
    format!("[provider.psp.faults]\npage = \"{fault}\"\n")
}

/// What went to customers, without the breaks of quoted-printable lines.
fn mails(shop: &Shop) -> Vec<String> {
    let read = |name: &String| std::fs::read_to_string(shop.path.join("mail/new").join(name)).unwrap_or_default();
    let texts = shop.mails().iter().map(read).map(|text| text.replace("=\r\n", "")).collect::<Vec<_>>();
    texts.into_iter().filter(|text| text.contains("ada@example.com")).collect()
}

fn pages(shop: &Shop) -> Vec<String> {
    shop.rows(
        "SELECT l.url, p.status, l.amount_minor FROM payment_links l JOIN payments p ON p.id = l.payment_id ORDER BY l.url",
    )
}

/// The pages at the PSP, with those nobody was told of.
fn made(shop: &Shop) -> Vec<String> {
    support::rows(&shop.path.join("sandbox.db"), "SELECT amount_minor FROM links")
}

fn page(shop: &Shop) -> String {
    pages(shop).first().and_then(|row| row.split(' ').next()).unwrap_or("none").to_owned()
}

#[test]
fn an_open_invoice_brings_its_page_and_is_paid_on_it() {
    let shop = with_order("");
    let rehearsed = shop.ok("finalize-invoices --dry-run");
    assert!(rehearsed.stderr.contains("would") || rehearsed.stdout.contains("invoice"), "{rehearsed:?}");
    shop.ok("finalize-invoices");
    let page = page(&shop);
    assert!(page.starts_with("https://sandbox.invalid/pay/"), "{page}");
    let sent = mails(&shop);
    assert_eq!(sent.len(), 1);
    assert!(sent.concat().contains(&format!("Still to be paid: 119.00 EUR. {page}")), "{sent:?}");
    assert_eq!(shop.rows("SELECT payment_url FROM invoice_sheets"), [page.as_str()]);
    shop.ok("finalize-invoices --as-of 2026-11-23T02:00:00Z");
    assert_eq!((made(&shop).len(), mails(&shop).len()), (1, 1));
    // A person who asks for a page gets the one there is.
    assert!(shop.ok("invite 2026-00001 --as-of 2026-11-23T02:30:00Z").stdout.contains(&page));
    shop.ok(&format!("sandbox pay {page} --as-of 2026-11-23T03:00:00Z"));
    shop.ok("sync-payments --as-of 2026-11-23T04:00:00Z");
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 11900/11900 2026-00001"]);
    assert_eq!(billing::invoices(&shop), ["2026-00001 A 11900 11900"]);
    shop.ok("verify --against-provider --as-of 2026-11-23T05:00:00Z");
}

#[test]
fn the_mail_waits_for_a_psp_that_is_not_reached_and_not_for_long() {
    let shop = with_order(&faulty("unreachable"));
    let unreached = shop.exits("finalize-invoices", 5);
    assert!(unreached.stderr.contains("its mail waits for its payment page"), "{}", unreached.stderr);
    assert_eq!(billing::invoices(&shop), ["2026-00001 A 11900 0"]);
    shop.exits("finalize-invoices --as-of 2026-11-23T02:00:00Z", 5);
    assert_eq!(mails(&shop), [""; 0]);
    shop.ok("finalize-invoices --as-of 2026-11-24T02:00:00Z");
    let sent = mails(&shop).concat();
    assert!(sent.contains("Still to be paid: 119.00 EUR.") && !sent.contains("https://"), "the mail is wrong");
    assert_eq!((pages(&shop), made(&shop)), (vec![], vec![]));
    shop.ok("verify --as-of 2026-11-24T03:00:00Z");
}

#[test]
fn a_page_made_without_an_answer_is_the_same_page_at_the_next_run() {
    let shop = with_order(&faulty("timeout-after"));
    shop.exits("finalize-invoices", 5);
    assert_eq!((pages(&shop), made(&shop)), (vec![], vec!["11900".to_owned()]));
    mended(&shop);
    shop.ok("finalize-invoices --as-of 2026-11-22T06:00:00Z");
    assert_eq!((pages(&shop).len(), made(&shop).len(), mails(&shop).len()), (1, 1, 1));
}

#[test]
fn a_psp_that_makes_none_keeps_no_invoice_back() {
    let shop = with_order(&faulty("refuse"));
    let said = shop.ok("finalize-invoices -v");
    assert!(said.stderr.contains("without a payment page: the sandbox makes no page"), "{}", said.stderr);
    assert_eq!((mails(&shop).len(), pages(&shop).len()), (1, 0));
}

#[test]
fn nobody_gets_a_page_for_what_is_paid_otherwise() {
    let shop = shop("[collect]\nenabled = true\nwithout_due_date = true\n");
    import(
        &shop,
        "customers",
        "customer,name,email,language\nC1,Ada Lovelace,ada@example.com,\nC2,Emmy Noether,emmy@example.com,\n",
    );
    billing::orders(&shop, "A,119.00,C1,,\nB,50.00,C1,,\nC,80.00,C2,K-3,\n");
    // A is paid, C1 gave no mandate; B's money is on its way; C2 gave one.
    billing::collected(&shop, "T-1,A,,,119.00\n");
    import(&shop, "payments", "provider,transaction,order,method,currency,status\npsp,T-2,B,card,EUR,pending\n");
    import(
        &shop,
        "mandates",
        "provider,mandate,customer,method,currency,given_on\npsp,MANDATE-12345678,C2,sepa,EUR,2026-11-01\n",
    );
    entries(&shop, "E-3,K-3,C2,80.00,\n");
    shop.ok("finalize-invoices");
    assert_eq!(billing::invoices(&shop).len(), 3);
    assert_eq!((pages(&shop), made(&shop)), (vec![], vec![]));
    assert_eq!(shop.mails().len(), 3);
}

#[test]
fn a_page_over_more_than_the_invoice_stays_the_only_one() {
    let shop = shop("");
    entries(&shop, "E-1,K-1,C1,119.00,\nE-2,K-2,C1,50.00,\n");
    billing::orders(&shop, "A,119.00,C1,K-1,\n");
    shop.ok("invite E-1 E-2");
    let said = shop.ok("finalize-invoices -v");
    assert!(said.stderr.contains("asks for it and for something else"), "{}", said.stderr);
    assert_eq!(pages(&shop).len(), 1);
    // Once it is run out, the invoice would have one of its own; the mail went without.
    assert_eq!(shop.rows("SELECT count(*) FROM invoice_sheets WHERE payment_url IS NULL"), ["1"]);
}

#[test]
fn the_page_of_the_entry_is_the_invoice_s() {
    let shop = shop("");
    entries(&shop, "E-1,K-1,C1,119.00,\n");
    shop.ok("invite E-1");
    let before = page(&shop);
    billing::orders(&shop, "A,119.00,C1,K-1,\n");
    shop.ok("finalize-invoices");
    assert_eq!(shop.rows("SELECT payment_url FROM invoice_sheets"), [before.as_str()]);
    assert_eq!(made(&shop).len(), 1);
}

/// Turns a config of `faulty` into one without faults.
/// Without the faults, which are the last in the config.
fn mended(shop: &Shop) {
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    shop.write("payjournal.toml", config.split("[provider.psp.faults]").next().unwrap_or_default());
}

#[test]
fn a_page_that_another_customer_paid_is_nobody_else_s() {
    let shop = with_order("");
    let backup = std::fs::read(shop.path.join("payjournal.db"));
    shop.ok("finalize-invoices");
    let paid = page(&shop);
    shop.ok(&format!("sandbox pay {paid}"));
    // The ledger is restored; another order comes first, and gets the number.
    for log in ["payjournal.db-wal", "payjournal.db-shm"] {
        drop(std::fs::remove_file(shop.path.join(log)));
    }
    std::fs::write(shop.path.join("payjournal.db"), backup.unwrap_or_default()).unwrap_or_default();
    import(&shop, "orders", "order,currency,total,bill_to,ordered_on,cancelled\nA,EUR,119.00,C1,2026-11-15,full\n");
    import(&shop, "customers", "customer,name,email,language\nC2,Emmy Noether,emmy@example.com,\n");
    billing::orders(&shop, "B,119.00,C2,,\n");
    shop.ok("finalize-invoices");
    shop.ok("sync-payments");
    assert_eq!(all_entries(&shop), ["2026-00001 open 0/11900 2026-00001"]);
    assert_ne!(page(&shop), paid);
}

#[test]
fn no_page_is_made_while_a_payment_with_its_key_is_under_way() {
    let shop = shop("");
    billing::orders(&shop, "A,119.00,C1,,P-1\n");
    let rows = "provider,transaction,assignment_key,method,currency,status\npsp,T-1,P-1,card,EUR,pending\n";
    import(&shop, "payments", rows);
    let said = shop.ok("finalize-invoices -v");
    assert!(said.stderr.contains("without a payment page: payment T-1 for it is pending"), "{}", said.stderr);
    assert!(pages(&shop).is_empty());
}

#[test]
fn the_mail_says_what_is_open_when_it_is_written() {
    let fault = "unreachable";
    let shop = with_order(&faulty(fault));
    shop.exits("finalize-invoices", 5);
    billing::collected(&shop, "T-1,,2026-00001,,50.00\n");
    mended(&shop);
    shop.ok("finalize-invoices --as-of 2026-11-22T06:00:00Z");
    let sent = mails(&shop).concat();
    assert!(sent.contains(&format!("Still to be paid: 69.00 EUR. {}", page(&shop))), "the mail says something else");
    assert_eq!(shop.rows("SELECT paid_minor FROM invoice_sheets"), ["5000"]);
    assert_eq!(made(&shop), ["6900"]);
}

#[test]
fn of_an_invoice_that_is_cancelled_before_its_mail_nothing_is_asked_for() {
    let fault = "unreachable";
    let shop = with_order(&faulty(fault));
    shop.exits("finalize-invoices", 5);
    shop.ok("cancel-invoice 2026-00001 --reason wrong");
    import(&shop, "orders", "order,currency,total,bill_to,ordered_on,cancelled\nA,EUR,119.00,C1,2026-11-15,full\n");
    mended(&shop);
    shop.ok("finalize-invoices --as-of 2026-11-22T06:00:00Z");
    let sent = mails(&shop);
    assert_eq!((sent.len(), made(&shop).len()), (2, 0));
    assert!(sent.concat().contains("Still to be paid: 0.00 EUR."), "the mail asks for money");
}

#[test]
fn what_takes_an_invoice_back_closes_its_page() {
    let shop = with_order("");
    shop.ok("finalize-invoices");
    let old = page(&shop);
    let said = shop.json("cancel-invoice 2026-00001 --reason wrong");
    assert_eq!(said["done"]["pages_closed"].as_array().map(Vec::len), Some(1), "{said}");
    billing::orders(&shop, "A,100.00,C1,,\n");
    shop.ok("finalize-invoices --as-of 2026-11-23T02:00:00Z");
    let open: Vec<String> = pages(&shop).into_iter().filter(|row| row.ends_with("open 10000")).collect();
    assert_eq!((pages(&shop).len(), open.len()), (2, 1));
    let nobody = shop.run(&["sandbox", "pay", &old, "--as-of", "2026-11-23T03:00:00Z"]);
    assert!(nobody.stdout.contains("closed") || nobody.stderr.contains("closed"), "{nobody:?}");
    // What is left after a credit note is asked for anew.
    let said = shop.ok("credit-note 2026-00002 --line 1=0.4 --reason damaged --as-of 2026-11-23T04:00:00Z").stdout;
    assert!(said.contains("is closed; `payjournal invite 2026-00002` asks for what is left"), "{said}");
    let said = shop.ok("invite 2026-00002 --as-of 2026-11-23T05:00:00Z").stdout;
    assert!(said.contains("is invited to pay 60.00 EUR"), "{said}");
    shop.ok("verify --as-of 2026-11-23T06:00:00Z");
}

#[test]
fn killed_while_it_closes_the_page_cancel_invoice_closes_it_the_second_time() {
    let shop = with_order("");
    shop.ok("finalize-invoices");
    let cancel = ["cancel-invoice", "2026-00001", "--reason", "wrong"];
    killed_at_each_moment(&shop, &cancel, |killed, moment| {
        killed.run(&cancel);
        assert_eq!(killed.rows("SELECT count(*) FROM corrections"), ["1"], "killed at {moment}");
        let pay = killed.run(&["sandbox", "pay", &page(killed)]);
        assert!(format!("{pay:?}").contains("closed"), "killed at {moment}: {pay:?}");
    });
    // The next invoice over the same amount is paid on a page that is not to be closed again.
    shop.ok("cancel-invoice 2026-00001 --reason wrong");
    shop.ok("finalize-invoices --as-of 2026-11-23T02:00:00Z");
    shop.exits("cancel-invoice 2026-00001 --reason wrong --as-of 2026-11-23T03:00:00Z", 2);
    assert_eq!(pages(&shop).iter().filter(|row| row.ends_with("open 11900")).count(), 1);
}

/// The invoice has its page and is paid on another payment.
fn paid_otherwise(more: &str) -> Shop {
    let shop = with_order(more);
    shop.ok("finalize-invoices");
    billing::collected(&shop, "T-1,,2026-00001,,119.00\n");
    assert_eq!(all_entries(&shop), ["2026-00001 balanced 11900/11900 2026-00001"]);
    shop
}

/// How the page stands at the PSP, and in the ledger.
fn stands(shop: &Shop) -> [String; 2] {
    let at_psp = "SELECT t.status FROM transactions t JOIN links l ON l.transaction_id = t.id";
    let here = "SELECT p.status FROM payments p JOIN payment_links l ON l.payment_id = p.id";
    [support::rows(&shop.path.join("sandbox.db"), at_psp), shop.rows(here)].map(|rows| rows.concat())
}

#[test]
fn a_page_whose_invoice_is_paid_otherwise_cannot_be_paid_any_more() {
    let shop = paid_otherwise("");
    let rehearsed = shop.ok("sync-payments --dry-run -v --as-of 2026-11-23T02:00:00Z").stderr;
    assert!(rehearsed.contains("would close: nothing its page asks for is owed any more"), "{rehearsed}");
    assert_eq!(stands(&shop), ["open", "open"]);
    let status = shop.rows("SELECT payment_status FROM orders");
    let said = shop.ok("sync-payments -v --as-of 2026-11-23T02:00:00Z").stderr;
    assert!(said.contains("close: nothing its page asks for is owed any more"), "{said}");
    assert_eq!(stands(&shop), ["cancelled", "expired"]);
    // Nobody cancelled the order.
    assert_eq!(shop.rows("SELECT payment_status FROM orders"), status);
    let pay = shop.run(&["sandbox", "pay", &page(&shop), "--as-of", "2026-11-23T03:00:00Z"]);
    assert!(format!("{pay:?}").contains("closed"), "{pay:?}");
    shop.ok("sync-payments --as-of 2026-11-24T02:00:00Z");
    assert_eq!(stands(&shop), ["cancelled", "expired"]);
    shop.ok("verify --against-provider --as-of 2026-11-24T03:00:00Z");
}

#[test]
fn a_page_that_asks_for_what_is_owed_stays() {
    let shop = with_order("");
    shop.ok("finalize-invoices");
    billing::collected(&shop, "T-1,,2026-00001,,50.00\n");
    shop.ok("sync-payments --as-of 2026-11-23T02:00:00Z");
    assert_eq!(stands(&shop), ["open", "open"]);
}

#[test]
fn what_is_paid_while_its_page_is_closed_is_free_money() {
    for fault in ["paid-meanwhile", "paid-after-all"] {
        let shop = paid_otherwise(&format!("[provider.psp.faults]\ncancel = \"{fault}\"\n"));
        shop.run(&["sync-payments", "--as-of", "2026-11-23T02:00:00Z"]);
        assert_eq!(stands(&shop), ["captured", "captured"], "{fault}");
        assert_eq!(shop.rows("SELECT sum(amount_minor) FROM movements WHERE kind = 'capture'"), ["23800"], "{fault}");
        assert_eq!(all_entries(&shop), ["2026-00001 balanced 11900/11900 2026-00001"], "{fault}");
        shop.run(&["finalize-invoices", "--as-of", "2026-11-23T03:00:00Z"]);
        let free = shop.run(&["leftovers"]).stdout;
        assert!(free.contains("119.00"), "{fault}: {free}");
        shop.ok("verify --against-provider --as-of 2026-11-23T05:00:00Z");
    }
}

/// The exceptions about money that nothing takes.
fn spare(shop: &Shop) -> Vec<String> {
    shop.rows("SELECT subject || ': ' || message FROM exceptions WHERE kind = 'untied_money' AND state = 'open'")
}

#[test]
fn who_pays_on_the_page_and_beside_it_has_paid_twice_and_a_person_is_told_until_it_is_paid_back() {
    let shop = shop("");
    billing::orders(&shop, "A,119.00,C1,KEY-A,\n");
    entries(&shop, "E-1,KEY-A,C1,119.00,\n");
    shop.ok("finalize-invoices");
    shop.ok(&format!("sandbox pay {} --as-of 2026-11-23T01:00:00Z", page(&shop)));
    billing::collected(&shop, "T-1,,E-1,,119.00\n");
    assert_eq!(spare(&shop), [""; 0]);
    let learnt = shop.exits("sync-payments --as-of 2026-11-23T02:00:00Z", 1).stderr;
    let of_page =
        shop.rows("SELECT transaction_id FROM payments WHERE id IN (SELECT payment_id FROM payment_links)").concat();
    let told = format!(
        "payment psp/{of_page}: 119.00 EUR more was captured for entry E-1 than is open of it: it pays nothing by itself. `payjournal \
         refund-balance {of_page} --amount 119.00` pays it back"
    );
    assert!(learnt.contains("1 new exceptions"), "{learnt}");
    assert_eq!(spare(&shop), std::slice::from_ref(&told));
    // Whatever runs meanwhile.
    for task in ["capture", "refunds", "sync-journals", "finalize-invoices", "sync-payments"] {
        shop.ok(&format!("{task} --as-of 2026-11-24T02:00:00Z"));
    }
    assert_eq!(spare(&shop), [told]);
    shop.ok(&format!("refund-balance {of_page} --reason twice --as-of 2026-11-24T03:00:00Z"));
    shop.ok("refunds --as-of 2026-11-24T04:00:00Z");
    shop.ok("sync-payments --as-of 2026-11-25T04:00:00Z");
    assert_eq!(spare(&shop), [""; 0]);
    shop.ok("verify --against-provider --as-of 2026-11-25T05:00:00Z");
}

#[test]
fn a_page_that_the_psp_does_not_close_is_tried_again() {
    let (open, closed) = (["open", "expired"], ["cancelled", "expired"]);
    for (fault, code, stands_then) in [
        ("timeout-before", 5, open),
        ("timeout-after", 0, closed),
        ("unreachable", 5, open),
        ("too-many-requests", 5, open),
        ("refuse", 1, open),
    ] {
        let shop = paid_otherwise(&format!("[provider.psp.faults]\ncancel = \"{fault}\"\n"));
        shop.exits("sync-payments --as-of 2026-11-23T02:00:00Z", code);
        assert_eq!(stands(&shop), stands_then, "{fault}");
        assert_eq!(billing::told(&shop).len(), usize::from(fault == "refuse"), "{fault}: {:?}", billing::told(&shop));
        mended(&shop);
        // What the PSP said to a key it says again: it is asked under another one the day after.
        shop.run(&["sync-payments", "--as-of", "2026-11-23T03:00:00Z"]);
        shop.ok("sync-payments --as-of 2026-11-24T03:00:00Z");
        assert_eq!(stands(&shop), closed, "{fault}");
        assert!(billing::told(&shop).is_empty(), "{fault}: {:?}", billing::told(&shop));
    }
}

#[test]
fn a_page_that_is_old_is_closed_and_what_is_paid_on_it_is_learnt() {
    for is_paid in [false, true] {
        let shop = paid_otherwise("");
        if is_paid {
            shop.ok(&format!("sandbox pay {} --as-of 2027-05-01T01:00:00Z", page(&shop)));
        }
        shop.run(&["sync-payments", "--as-of", "2027-05-01T02:00:00Z"]);
        let then = if is_paid { ["captured", "captured"] } else { ["cancelled", "expired"] };
        assert_eq!(stands(&shop), then);
    }
}

#[test]
fn the_page_of_an_order_that_is_cancelled_is_closed_and_the_customer_s_own_cancellation_is_none_of_ours() {
    let cancelled = "order,currency,total,bill_to,ordered_on,cancelled\nA,EUR,119.00,C1,2026-11-15,full\n";
    for (at_psp, here) in [("open", "expired"), ("cancelled", "cancelled")] {
        let shop = shop("");
        entries(&shop, "E-1,K-1,C1,119.00,\n");
        billing::orders(&shop, "A,119.00,C1,K-1,\n");
        shop.ok("invite E-1");
        shop.sandbox(&format!("UPDATE transactions SET status = '{at_psp}'"));
        import(&shop, "orders", cancelled);
        shop.ok("sync-payments --as-of 2026-11-23T02:00:00Z");
        assert_eq!(stands(&shop), ["cancelled", here]);
    }
}

#[test]
fn killed_while_it_closes_a_page_sync_payments_does_the_rest_the_next_time() {
    let shop = paid_otherwise("[task_defaults]\nconcurrency = 1\n");
    let sync = ["sync-payments", "--as-of", "2026-11-23T02:00:00Z"];
    let moments = killed_at_each_moment(&shop, &sync, |killed, moment| {
        killed.run(&sync);
        assert_eq!(stands(killed), ["cancelled", "expired"], "killed at {moment}");
        killed.ok("verify --against-provider --as-of 2026-11-23T03:00:00Z");
    });
    assert!(moments > 4, "{moments}");
}

/// Kills copies of the shop at one moment after the other. Returns how many there are.
fn killed_at_each_moment(shop: &Shop, arguments: &[&str], then: impl Fn(&Shop, usize)) -> usize {
    let copy = || {
        let copy = Shop::new();
        support::copy(&shop.path, &copy.path);
        copy
    };
    let rehearsal = copy();
    let log = rehearsal.path.join("moments");
    assert!(rehearsal.command(arguments).env("PAYJOURNAL_KILL_LOG", &log).output().is_ok());
    let moments = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    for moment in 1..=moments {
        let killed = copy();
        let run = killed.command(arguments).env("PAYJOURNAL_KILL_AT", moment.to_string()).output();
        assert!(run.is_ok_and(|run| !run.status.success()), "moment {moment} is not reached");
        then(&killed, moment);
    }
    moments
}

#[test]
fn what_no_run_would_collect_gets_its_page() {
    let shop = with_order("[collect]\nenabled = true\n");
    let rows = "provider,mandate,customer,method,currency,given_on\npsp,MANDATE-12345678,C1,sepa,EUR,2026-11-01\n";
    import(&shop, "mandates", rows);
    // No day is named on which it is due.
    shop.ok("finalize-invoices");
    assert_eq!(pages(&shop).len(), 1);
}

#[test]
fn an_address_that_comes_later_brings_the_page_there_is_then() {
    let shop = shop("");
    entries(&shop, "E-1,K-1,C1,119.00,\n");
    shop.ok("invite E-1");
    let before = page(&shop);
    import(&shop, "customers", "customer,name,email,language\nC1,Ada Lovelace,,\n");
    billing::orders(&shop, "A,119.00,C1,K-1,\n");
    shop.exits("finalize-invoices", 1);
    shop.ok(&format!("sandbox pay {before} --fail"));
    shop.ok("sync-payments --as-of 2026-11-23T02:00:00Z");
    import(&shop, "customers", "customer,name,email,language\nC1,Ada Lovelace,ada@example.com,\n");
    shop.ok("finalize-invoices --as-of 2026-11-23T03:00:00Z");
    let on_it = shop.rows("SELECT payment_url FROM invoice_sheets").concat();
    assert!(on_it.starts_with("https://") && on_it != before, "{on_it}");
    assert_eq!(made(&shop).len(), 2);
}

#[test]
fn killed_anywhere_there_is_one_page_and_one_mail() {
    let copy = |from: &Shop| {
        let to = Shop::new();
        support::copy(&from.path, &to.path);
        to
    };
    let template = with_order("[task_defaults]\nconcurrency = 1\n");
    let undisturbed = copy(&template);
    let log = undisturbed.path.join("moments");
    let run = undisturbed.command(&["finalize-invoices"]).env("PAYJOURNAL_KILL_LOG", &log).status();
    assert!(run.is_ok_and(|status| status.success()));
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    assert_eq!(text.matches("page").count(), 2, "{text}");
    let url = page(&undisturbed);
    for moment in 1..=text.lines().count() {
        let shop = copy(&template);
        let mut killed = shop.command(&["finalize-invoices"]);
        killed.env("PAYJOURNAL_KILL_AT", moment.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(killed.status().is_ok_and(|status| !status.success()), "moment {moment} is not reached");
        shop.ok("finalize-invoices");
        shop.ok("finalize-invoices --as-of 2026-11-22T03:00:00Z");
        assert_eq!((made(&shop).len(), mails(&shop).len(), page(&shop)), (1, 1, url.clone()), "killed at {moment}");
        shop.ok("verify --as-of 2026-11-22T03:00:00Z");
    }
}

#[test]
fn a_provider_that_makes_no_pages_is_no_page_s_provider() {
    for (config, why) in [
        ("payment_page = \"other\"\n", "provider `other` is not configured"),
        ("payment_page = \"psp\"\nmail = false\n", "`invoices.mail` is false"),
    ] {
        let shop = Shop::with(&format!("{}\n[invoices]\nenabled = true\n{config}{SELLER}", support::CONFIG));
        let refused = shop.exits("check", 3).stderr;
        assert!(refused.contains("`invoices.payment_page`") && refused.contains(why), "{refused}");
    }
    // What is wrong with the provider is told once.
    let shop = shop("");
    let config = std::fs::read_to_string(shop.path.join("payjournal.toml")).unwrap_or_default();
    shop.write("payjournal.toml", &config.replace("merchant_account = \"Shop\"\n", ""));
    let refused = shop.exits("check", 3).stderr;
    assert!(refused.contains("`provider.psp.merchant_account` is missing"), "{refused}");
    assert!(!refused.contains("payment_page"), "{refused}");
}

#[test]
fn what_comes_after_a_chargeback_is_its_entry_s_until_that_is_won_back() {
    for is_billed in [true, false] {
        let shop = shop("");
        entries(&shop, "E-1,KEY-A,C1,119.00,\n");
        if is_billed {
            billing::orders(&shop, "A,119.00,C1,KEY-A,\n");
            shop.ok("finalize-invoices");
        }
        billing::collected(&shop, "T-1,,E-1,,119.00\n");
        let paid_out = |as_of: &str| {
            shop.ok(&format!("sandbox payout --as-of {as_of}T01:00:00Z"));
            shop.run(&["settlements", "--as-of", &format!("{as_of}T02:00:00Z")]);
        };
        shop.ok("sandbox dispute T-1 --as-of 2026-11-24T01:00:00Z");
        paid_out("2026-11-25");
        billing::collected(&shop, "T-2,,E-1,,119.00\n");
        let balanced = format!("E-1 balanced 11900/11900 {}", if is_billed { "2026-00001" } else { "-" });
        assert_eq!(all_entries(&shop), [balanced.as_str()]);
        // Nobody is asked for it again, and nothing else takes it.
        shop.exits("invite E-1 --as-of 2026-11-26T02:00:00Z", 2);
        shop.exits("refund-balance T-2 --reason twice --as-of 2026-11-26T02:00:00Z", 2);
        assert_eq!(spare(&shop), [""; 0]);
        shop.ok("sandbox dispute T-1 --won --as-of 2026-11-27T01:00:00Z");
        paid_out("2026-11-28");
        assert_eq!(all_entries(&shop), [balanced.as_str()]);
        // The invoice has the first one's money; without one the other's stays where it is.
        let (paid, other) = if is_billed { ("T-1", "T-2") } else { ("T-2", "T-1") };
        let assigned =
            "SELECT p.transaction_id, sum(a.amount_minor) FROM assignments a JOIN movements m ON m.id = a.movement_id
                        JOIN payments p ON p.id = m.payment_id GROUP BY p.id HAVING sum(a.amount_minor) <> 0";
        assert_eq!(shop.rows(assigned), [format!("{paid} 11900")]);
        let told = spare(&shop).concat();
        let expected = format!("payment psp/{other}: 119.00 EUR more was captured for entry E-1 than is open of it");
        assert!(told.starts_with(&expected), "{told}");
        shop.ok(&format!("refund-balance {other} --reason twice --as-of 2026-11-29T02:00:00Z"));
        shop.ok("verify --as-of 2026-11-29T03:00:00Z");
    }
}
