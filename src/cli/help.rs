//! What the help of a command adds to its options: examples, what it changes, exit codes.

pub(super) const AFTER_HELP: &str = "\
Examples:
  payjournal demo                        see the main job on sample data, in ./payjournal-demo
  payjournal init                        write a first config here
  payjournal import orders orders.csv    hand over the shop's orders (then payments, documents)
  payjournal capture --dry-run           show what would be captured, and why
  payjournal capture && payjournal sync-journals
  payjournal status                      last runs, exceptions, what is pending
  payjournal settlements                 read the PSP's settlement reports, prove every payout
  payjournal verify                      prove that the ledger holds
  payjournal export --format hledger     the journals for an accounting program

Exit codes:
  0 done or nothing to do       1 finished, some items need a person
  2 wrong command line          3 wrong configuration
  4 another run holds the lock  5 a remote system did not answer; running again is safe
  6 the ledger refused          70 a bug
  130, 143 stopped by SIGINT or SIGTERM; running again goes on";

pub(super) const SIMULATE_HELP: &str = "\
Examples:
  payjournal simulate --seeds 100              a hundred shops, 30 days with 50 orders each
  payjournal simulate --seed 4711              one history, the same on every machine
  payjournal simulate --seconds 60 --json      as many as a minute allows, for a script

Exit codes:
  0 nothing was violated    70 something was: what, when, and the command that shows it again
  1 nothing was violated in 10000 seeds or more, but a fault, state or exception was never reached
Interrupted, it ends after the seeds under way and reports what it has seen (exit code 130 or 143).";

pub(super) const VERIFY_HELP: &str = "\
Examples:
  payjournal verify                                    the ledger and its files; silent if all holds
  payjournal verify -v                                 and say so
  payjournal verify --against-provider --against-erp   ask the other side too, what may still change
  payjournal verify --against-provider --all           every payment, however old
  payjournal verify --json                             one document for scripts

Exit codes: 0 all holds, 1 something does not, 5 the other side could not be asked, \
            6 the ledger is damaged, or of another schema: it is looked at only, and brought up to date by any other command.";

pub(super) const SETTLEMENTS_HELP: &str = "\
Examples:
  payjournal settlements              read reports, ask providers, match, prove and book
  payjournal settlements --dry-run    what would come in and be booked, and what would not add up
  payjournal settlements --json       one document for scripts: files, payouts, new exceptions
  payjournal list payouts --open      afterwards: payouts that are not proved

A file is read once, whatever its name: leave it in the folder or move it away.

Exit codes: 0 nothing new needs a person, 1 something does (`payjournal status` lists it), \
            5 a folder or file could not be read, or a provider did not answer";

pub(super) const FINALIZE_HELP: &str = "\
Examples:
  payjournal finalize-invoices --dry-run   which orders would be billed, and why the others are not
  payjournal finalize-invoices             bills every order that `invoices.bill_when` lets through
  payjournal finalize-invoices --json      the same for a script
  payjournal show document 2026-00001      an invoice with its lines, its entry and what paid it
  payjournal show entry WEB-1              what is asked for, of whom, and each part that was paid

Each invoice is one transaction: number, document, booking, entry, and the money that is there already. An entry with the \
order's `entry_assignment_key` becomes the invoice's entry; a payment with its `payment_assignment_key` settles a new one; \
without a key the order's own payments do. A key that is used twice, or does not fit, is left to a person. \
The customer gets it by mail, as a PDF/A-3 that carries the e-invoice, as soon as an address is known. With \
`payment_page` in [invoices] it brings a page on which what is open can be paid, unless the money comes anyhow; it waits for a PSP that is \
not reached, until the day after the invoice's. `cancel-invoice` takes one back, and its order is billed again.

Exit codes: 0 done, 1 an order needs a person, 3 `invoices.enabled` is not true, \
            5 a mail waits for a payment page that the PSP did not make yet";

pub(super) const CLEANUP_HELP: &str = "\
Examples:
  payjournal cleanup-unpaid --dry-run      which orders would go, which stay, and why
  payjournal cleanup-unpaid                deletes them; needs `enabled = true` in [cleanup]
  payjournal cleanup-unpaid --json         for a script; `jq .not_eligible` counts what stays
  payjournal show order SO-1001            a deleted order with what let it through each gate
  payjournal export --format stock         the stock that goes back
  payjournal restore SO-1001 --reason 'paid by telephone'

An order goes only if nothing of it was ever paid, authorised, settled, invoiced or shipped, it is older than \
`older_than_days`, and the PSP says in this run of every payment of it that it is unpaid. A payment that is still open is \
closed at the PSP first, and the PSP is asked once more; then the ERP is asked to delete, cancel or flag the order. Whatever \
is not known stays. A deleted order stays in the ledger: money that comes later raises `paid_after_deletion`.

Exit codes: 0 done, 1 an order needs a person, or more would go than `max_deletions`, \
            3 `cleanup.enabled` is not true, 5 a PSP or the ERP could not be reached: its orders stay";

pub(super) const COLLECT_HELP: &str = "\
Examples:
  payjournal import mandates mandates.csv  what customers gave: direct debit mandates, stored cards
  payjournal collect --dry-run             which entries would be collected, and why the others wait
  payjournal collect                       collects them; needs `enabled = true` in [collect]
  payjournal collect --json                for a script; `jq .not_eligible` counts what waits
  payjournal show entry WEB-1              what was tried, and what paid it

An entry is collected if it is open and due, and its customer has exactly one mandate for its currency. It waits while it has an \
open payment page or a payment under way, while money of its order or key is there or being collected, and for good once money of \
it went back: that is asked for (`invite`), never taken again. While a collection has no final answer, no page is made for the entry. The PSP is asked \
before anything is sent again. A refusal is told; one that is only for now is tried again after `days_between_tries`, at most \
`max_tries` times. What was taken pays the entry at once; `sync-journals` posts it like any capture.

Exit codes: 0 done, 1 an entry needs a person, 3 `collect.enabled` is not true, 5 a provider did not answer: running again is safe";

pub(super) const RESTORE_HELP: &str = "\
Examples:
  payjournal status                        paid after all: exception `paid_after_deletion`
  payjournal restore SO-1001 --reason 'paid after all'
  payjournal export --format stock         its lines are to be reserved again

The order counts again, its entries are open again, and what was paid since pays them. Its payment pages stay closed: \
`checkout` makes a new one. Left unpaid it has as many days as a new order before it is cleaned up again.

Exit codes: 0 done, 2 the order is not deleted, or the ERP does not put it back";

pub(super) const CHECKOUT_HELP: &str = "\
Examples:
  payjournal checkout request.json | jq -r .payment_url
  payjournal checkout --order SO-1001      the page of an order whose entry is there
  payjournal checkout --order SO-1001 --mail   the buyer gets it by mail, too
  payjournal sandbox pay LINK              plays the customer

A request:
  {\"order\": {\"order\": \"WEB-1\", \"currency\": \"EUR\", \"total\": \"119.00\"},
   \"lines\": [{\"line\": \"1\", \"description\": \"Coffee grinder\", \"quantity\": \"1\",
              \"unit_price\": \"119.00\", \"tax_rate\": \"19\"}],
   \"customer\": {\"customer\": \"10042\", \"name\": \"Ada Lovelace\", \"email\": \"ada@example.com\"},
   \"return_url\": \"https://shop.example/thanks\"}

`order`, `lines` and `customer` have the fields of `payjournal import orders`, `order-lines` and `customers`. In their place, \
`entries` names entries that are there, to be paid together. Optional: `assignment_key` (the order's number), `title`, `due_on`, \
`provider` (if there are several), `method`, `return_url`, `cancel_url`.

The same request again gives the same entry and page, and no second mail; after a refused payment a new page; once all is paid, none. \
One debt has one page: where other entries or another amount are asked for, the page that is open over them is closed first.

Exit codes: 0 done, 2 the request cannot be taken, or money for the order is there or on its way, \
            5 the provider did not answer: the same request again goes on";

pub(super) const INVITE_HELP: &str = "\
Examples:
  payjournal invite E-1001                 mails the buyer what is open and where to pay it
  payjournal invite E-1001 E-1002          one page for both, of one customer and currency
  payjournal invite 2026-00017             what is still open on an invoice that had no entry before
  payjournal invite E-1001 --again         a reminder: one more mail about the same page
  payjournal invite E-1001 --json          as `checkout` answers

A page gets one mail, however often it is asked for. The mail is in the customer's language, goes to the customer's \
`email` (`payjournal import customers`), and is not sent any more once what it asks for is paid, gone or another amount.

Exit codes: 0 done, 2 nothing is open, money for it is there or on its way, or the customer has no `email`, \
            5 the provider did not answer";

pub(super) const CANCEL_HELP: &str = "\
Examples:
  payjournal cancel-invoice 2026-00017 --reason 'wrong address'
  payjournal cancel-invoice 2026-00017 --reason 'wrong lines' --json | jq -r .done.cancellation

The invoice stays as it is. The cancellation has a number, a page and a journal of its own, \
and goes to the customer with the next `finalize-invoices` if invoices are mailed. What had \
paid the invoice is the customer's again and keeps its key: the order's next invoice takes it. \
To keep the order from being billed again, import it as cancelled first. \
A payment page that is open for it is closed; one that cannot be is named, \
and the same command again tries once more. \
Refused while a capture or refund for the invoice has no final answer, when its money was \
charged back, and when a credit note has taken a part of it back already.";

pub(super) const EXPORT_HELP: &str = "\
Examples:
  payjournal export --output books.journal                         all journals, for hledger
  payjournal export --format datev --month 2026-11 -o EXTF_11.csv  a month for DATEV, by [datev]
  payjournal export --format datev --month 2026-11 --new -o EXTF_11.csv
                                                                   only what DATEV was not given yet
  payjournal export --again 3 -o EXTF_11.csv                       export 3 once more

With --new each journal is handed over once in a format, and no file that is there already is replaced. What is of an earlier month and came too late for its export is \
booked on the first day of this one, with its own date beside it. An export whose file could not be finished is written \
before anything new is taken.

Exit codes: 0 done, 1 DATEV's file lacks journals in other currencies, 3 an account has no number in [datev], \
4 another --new is at work";

pub(super) const CREDIT_HELP: &str = "\
Examples:
  payjournal credit-note 2026-00017 --line 2 --reason 'returned'          all that is left of line 2
  payjournal credit-note 2026-00017 --line 1=2 --line 3 --reason 'broken' two of line 1, and line 3
  payjournal credit-note 2026-00017 --reason 'all returned'               everything that is left
  payjournal refunds                                                      pays back what was paid
  payjournal credit-note --clear G-2026-11-22-001                         it was paid back by hand

What was still open on the invoice is asked of nobody any more; the rest is paid back by `refunds`, to the payments the \
invoice was paid by. The credit note has a number, a page and a journal of its own, and goes to the customer with the next \
`finalize-invoices` if invoices are mailed. The order is not billed again: for that there is `cancel-invoice`.";

pub(super) const REFUND_BALANCE_HELP: &str = "\
Examples:
  payjournal leftovers                                             payments that have free money
  payjournal refund-balance TX-1001 --reason 'paid twice'          all that is free of it
  payjournal refund-balance TX-1001 --amount 10.00 --reason 'paid too much, ticket 77'
  payjournal refunds                                               pays it back
  payjournal refund-balance --withdraw RB-2026-00001               not after all

Only money is paid back that no invoice is tied to, no entry has and nobody else has paid back. From the moment it is \
asked for nothing else takes it. It is booked from the customer's prepayments to the PSP's clearing account.";

pub(super) const LEFTOVERS_HELP: &str = "\
Examples:
  payjournal leftovers                     all of it, the oldest of each kind first
  payjournal leftovers --older-than 30     what nobody has cleared for a month
  payjournal leftovers --json | jq '.leftovers[] | select(.kind == \"money_without_invoice\")'

It changes nothing. Exit code 0 whatever is left over";

pub(super) const LIST_HELP: &str = "\
Examples:
  payjournal list payouts                  every payout with its sums, and whether it adds up
  payjournal list payouts --open           only those that are not proved
  payjournal list lines --payout 7         what one payout consists of
  payjournal list lines --order SO-1001    what a PSP settled for an order
  payjournal list lines --unmatched        lines without an order, for `payjournal match`
  payjournal list lines --unknown          lines of a kind payjournal does not know
  payjournal list orders                   orders that are not settled as they should be
  payjournal list orders --state settled   orders for which all was
  payjournal list mandates                 what customers gave to be collected from
  payjournal list lines --json             every field of every line, for a script";

pub(super) const EXPLAIN_HELP: &str = "\
Examples:
  payjournal list lines --unmatched        shows each line with its FILE:NUMBER
  payjournal explain 3:18                  what was tried for it, and what its reference could mean
  payjournal explain 3:18 --json           the same for a script";

pub(super) const MATCH_HELP: &str = "\
Examples:
  payjournal list lines --unmatched        shows each line with its FILE:NUMBER
  payjournal match 3:18 SO-1001 --reason 'paid by telephone, see ticket 77'
  payjournal unmatch 3:18 --reason 'was a test payment'

It holds for every line of the same transaction, in later reports too. \
FILE is the number of the report in the ledger, NUMBER the line in it.";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use crate::cli::Cli;

    /// A paragraph is one line, which the terminal breaks; what is set in columns fits as it is.
    fn is_well_set(lines: &[&str]) -> bool {
        let is_column = |line: &str| line.starts_with(' ');
        let goes_on = |pair: &[&str]| matches!(pair, [line, next] if !is_column(line) && !line.is_empty() && !line.ends_with(':') && !is_column(next) && !next.is_empty());
        lines.iter().all(|line| !is_column(line) || line.chars().count() <= 100) && !lines.windows(2).any(goes_on)
    }

    fn assert_well_set(command: &Command) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(is_well_set(&help.lines().collect::<Vec<_>>()), "{}: {help}", command.get_name());
        command.get_subcommands().for_each(assert_well_set);
    }

    #[test]
    fn help_fits_a_terminal_of_100_columns() {
        assert_well_set(&Cli::command());
        assert!(!is_well_set(&["a paragraph", "broken by hand"]));
    }
}
