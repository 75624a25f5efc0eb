//! Values as TOML text, the way `check --show` prints them and the file would hold them.

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;
use chrono_tz::Tz;

use super::choice::Choice;
use crate::domain::id::{Company, CustomerNumber, MerchantAccount, ProviderName, ShopName};
use crate::domain::money::Currency;
use crate::domain::settlement::matching::ReferenceRule;

pub(super) trait TomlText {
    fn toml_text(&self) -> String;
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key as it stands in a dotted path: bare where TOML allows it.
pub(super) fn key_text(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { key.to_owned() } else { quoted(key) }
}

impl<T: Choice> TomlText for T {
    fn toml_text(&self) -> String {
        quoted(self.name())
    }
}

impl<T: Choice> TomlText for Vec<T> {
    fn toml_text(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| quoted(item.name())).collect();
        format!("[{}]", items.join(", "))
    }
}

impl TomlText for bool {
    fn toml_text(&self) -> String {
        self.to_string()
    }
}

impl TomlText for u32 {
    fn toml_text(&self) -> String {
        self.to_string()
    }
}

impl TomlText for String {
    fn toml_text(&self) -> String {
        quoted(self)
    }
}

impl TomlText for char {
    fn toml_text(&self) -> String {
        quoted(&self.to_string())
    }
}

impl TomlText for Currency {
    fn toml_text(&self) -> String {
        quoted(self.code())
    }
}

impl TomlText for ReferenceRule {
    fn toml_text(&self) -> String {
        quoted(&self.to_string())
    }
}

impl TomlText for Vec<String> {
    fn toml_text(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| quoted(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

impl TomlText for PathBuf {
    fn toml_text(&self) -> String {
        quoted(&self.display().to_string())
    }
}

impl TomlText for Tz {
    fn toml_text(&self) -> String {
        quoted(self.name())
    }
}

impl TomlText for NaiveTime {
    fn toml_text(&self) -> String {
        quoted(&self.format("%H:%M").to_string())
    }
}

impl TomlText for Duration {
    /// In the largest unit that needs no fraction.
    fn toml_text(&self) -> String {
        let seconds = self.as_secs();
        let text = match seconds {
            0 => "0 s".to_owned(),
            86_400 => "1 day".to_owned(),
            _ if seconds.is_multiple_of(86_400) => format!("{} days", seconds.div_euclid(86_400)),
            _ if seconds.is_multiple_of(3_600) => format!("{} h", seconds.div_euclid(3_600)),
            _ if seconds.is_multiple_of(60) => format!("{} min", seconds.div_euclid(60)),
            _ => format!("{seconds} s"),
        };
        quoted(&text)
    }
}

macro_rules! id_text {
    ($($name:ident),*) => {$(
        impl TomlText for $name {
            fn toml_text(&self) -> String {
                quoted(self.as_str())
            }
        }
    )*};
}

id_text!(ShopName, Company, CustomerNumber, MerchantAccount, ProviderName);
