//! Settings that are one word out of a few: how each word is spelled.

use super::settings::{ErpFault, ErpKind, Fault, Mode};
use crate::domain::customer::{Customer, Language};
use crate::domain::deletion::{DeletionMethod, StockReleasedBy};
use crate::domain::invoice::BillWhen;
use crate::domain::invoice::number::Reset;
use crate::domain::invoice::pricing::{Prices, Rounding};
use crate::domain::settlement::LineKind;
use crate::provider::PartialCapture;
use crate::report_format::{AmountIs, Units};

/// A value that is written as one of a fixed set of words.
pub(super) trait Choice: Copy + 'static {
    const ALL: &'static [Self];
    fn name(self) -> &'static str;
}

/// `mail.transport`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransportWord {
    File,
    Smtp,
    None,
}

/// `mail.smtp.security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmtpSecurityWord {
    Starttls,
    Tls,
    None,
}

/// `provider.NAME.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProviderWord {
    Sandbox,
    Reports,
}

/// `provider.NAME.report_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormatWord {
    Auto,
    Adyen,
    Stripe,
    Paypal,
    Klarna,
    Generic,
}

/// `method.NAME.strategy`; the days of `delay` stand in a key of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StrategyWord {
    Invoice,
    Shipment,
    Immediate,
    Delay,
    Automatic,
    Manual,
}

impl Choice for Mode {
    const ALL: &'static [Self] = &[Self::Test, Self::Live];

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for ErpKind {
    const ALL: &'static [Self] = &[Self::Local];

    fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
        }
    }
}

impl Choice for SmtpSecurityWord {
    const ALL: &'static [Self] = &[Self::Starttls, Self::Tls, Self::None];

    fn name(self) -> &'static str {
        match self {
            Self::Starttls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }
}

impl Choice for TransportWord {
    const ALL: &'static [Self] = &[Self::File, Self::Smtp, Self::None];

    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Smtp => "smtp",
            Self::None => "none",
        }
    }
}

impl Choice for ErpFault {
    const ALL: &'static [Self] = &[Self::Unreachable, Self::KeepsOrders, Self::RefusesJournals];

    fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::KeepsOrders => "keeps-orders",
            Self::RefusesJournals => "refuses-journals",
        }
    }
}

impl Choice for ProviderWord {
    const ALL: &'static [Self] = &[Self::Sandbox, Self::Reports];

    fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Reports => "reports",
        }
    }
}

impl Choice for FormatWord {
    const ALL: &'static [Self] = &[Self::Auto, Self::Adyen, Self::Stripe, Self::Paypal, Self::Klarna, Self::Generic];

    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Adyen => "adyen",
            Self::Stripe => "stripe",
            Self::Paypal => "paypal",
            Self::Klarna => "klarna",
            Self::Generic => "generic",
        }
    }
}

impl Choice for LineKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for BillWhen {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for DeletionMethod {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for StockReleasedBy {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for Language {
    const ALL: &'static [Self] = &Customer::LANGUAGES;

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for Reset {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for Prices {
    const ALL: &'static [Self] = &[Self::Gross, Self::Net];

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for Rounding {
    const ALL: &'static [Self] = &[Self::HalfUp, Self::HalfEven];

    fn name(self) -> &'static str {
        self.as_str()
    }
}

impl Choice for AmountIs {
    const ALL: &'static [Self] = &[Self::Net, Self::Gross];

    fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Gross => "gross",
        }
    }
}

impl Choice for Units {
    const ALL: &'static [Self] = &[Self::Major, Self::Minor];

    fn name(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
        }
    }
}

impl Choice for StrategyWord {
    const ALL: &'static [Self] =
        &[Self::Invoice, Self::Shipment, Self::Immediate, Self::Delay, Self::Automatic, Self::Manual];

    fn name(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Shipment => "shipment",
            Self::Immediate => "immediate",
            Self::Delay => "delay",
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

impl Choice for PartialCapture {
    const ALL: &'static [Self] = &[Self::Many, Self::Once, Self::None];

    fn name(self) -> &'static str {
        match self {
            Self::Many => "many",
            Self::Once => "once",
            Self::None => "none",
        }
    }
}

impl Choice for Fault {
    const ALL: &'static [Self] = &[
        Self::TimeoutBefore,
        Self::TimeoutAfter,
        Self::ServerError,
        Self::TooManyRequests,
        Self::Refuse,
        Self::InsufficientFunds,
        Self::Expire,
        Self::Unreachable,
        Self::ConfirmLate,
        Self::FailLate,
        Self::PaidMeanwhile,
        Self::PaidAfterAll,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::TimeoutBefore => "timeout-before",
            Self::TimeoutAfter => "timeout-after",
            Self::ServerError => "server-error",
            Self::TooManyRequests => "too-many-requests",
            Self::Refuse => "refuse",
            Self::InsufficientFunds => "insufficient-funds",
            Self::Expire => "expire",
            Self::Unreachable => "unreachable",
            Self::ConfirmLate => "confirm-late",
            Self::FailLate => "fail-late",
            Self::PaidMeanwhile => "paid-meanwhile",
            Self::PaidAfterAll => "paid-after-all",
        }
    }
}
