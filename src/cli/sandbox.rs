//! What the sandbox PSP is asked to play, as typed.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Authorise payments at the sandbox: the same CSV file that `import payments` takes
    Authorise { file: PathBuf },
    /// Print the sandbox's own record of transactions, captures and refunds
    Record,
    /// Have the sandbox pay out everything confirmed, less its fees: `settlements` asks it for the lines
    Payout {
        /// Write each payout into this folder too, as a settlement details report of Adyen's form
        #[arg(long, value_name = "FOLDER")]
        reports: Option<PathBuf>,
    },
    /// Play the customer on a payment page that `checkout` made
    Pay {
        /// The page's address, or its transaction id
        link: String,
        /// The payment is refused
        #[arg(long)]
        fail: bool,
    },
    /// Play the customer who takes a mandate back: what is collected on it from now on is refused
    Revoke {
        /// The mandate, as `import mandates` has it
        mandate: String,
    },
    /// Play the customer who asks the money back at the bank: a chargeback, in the next payout
    Dispute {
        /// The payment's transaction id, as `sandbox record` shows it
        transaction: String,
        /// The shop wins the case: the money comes back with the next payout
        #[arg(long)]
        won: bool,
    },
}
