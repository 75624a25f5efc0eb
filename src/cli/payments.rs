//! What a person asks for of one customer's payments, as typed.

use clap::Args;

#[derive(Debug, Args)]
pub struct RefundBalance {
    /// The payment's transaction id (or PROVIDER/ID)
    #[arg(required_unless_present = "withdraw")]
    pub payment: Option<String>,
    /// In the payment's currency [default: all that is free]
    #[arg(long, value_name = "AMOUNT", conflicts_with = "withdraw")]
    pub amount: Option<String>,
    /// Why; it is kept with the request
    #[arg(long, required_unless_present = "withdraw")]
    pub reason: Option<String>,
    /// Think better of a request that was not sent yet
    #[arg(long, value_name = "REQUEST", conflicts_with_all = ["payment", "reason"])]
    pub withdraw: Option<String>,
}

#[derive(Debug, Args)]
pub struct Invite {
    /// The entries, by their references; one page is for all of them
    #[arg(required = true, value_name = "ENTRY")]
    pub entries: Vec<String>,
    /// Whose page, if there are several providers
    #[arg(long)]
    pub provider: Option<String>,
    /// Write once more, although the page has its mail
    #[arg(long)]
    pub again: bool,
}
