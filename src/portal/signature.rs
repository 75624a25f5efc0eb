//! What proves to the portal that an event is ours, as the Standard Webhooks specification has it: HMAC-SHA256 over id, time and body.

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

/// What a secret begins with; Base64 follows.
const PREFIX: &str = "whsec_";

/// The key of the signature.
pub(super) struct SigningKey(SecretSlice<u8>);

impl SigningKey {
    /// Reads `whsec_` and Base64 of 24 to 64 bytes. The error holds nothing of it.
    pub(super) fn parse(secret: &SecretString) -> anyhow::Result<Self> {
        const HOW: &str = "the secret of the portal has to be `whsec_` and Base64 of 24 to 64 random bytes, such as \
                           `echo whsec_$(openssl rand -base64 32)` makes";
        let encoded = secret.expose_secret().strip_prefix(PREFIX).context(HOW)?;
        // The error would name a letter of it.
        let Ok(key) = STANDARD.decode(encoded) else { bail!(HOW) };
        if !(24..=64).contains(&key.len()) {
            bail!(HOW);
        }
        Ok(Self(key.into()))
    }

    /// The header `webhook-signature`: `v1,` and Base64 of HMAC-SHA256 over `ID.TIME.BODY`. `at` is in seconds since 1970.
    pub(super) fn sign(&self, id: &str, at: i64, body: &str) -> anyhow::Result<String> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).context("the key of the portal cannot be used")?;
        mac.update(format!("{id}.{at}.{body}").as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, which other libraries are tested with.
    #[test]
    fn it_signs_as_the_specification_shows() {
        let key = SigningKey::parse(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signed = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}").unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_another_form_is_refused_and_not_told() {
        for wrong in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_!!PLANTED!!PLANTED!!PLANTED!!PLANTED",
        ] {
            let error = format!("{:#}", SigningKey::parse(&SecretString::from(wrong)).err().unwrap());
            assert!(error.contains("openssl rand") && !error.contains("PLANTED"), "{error}");
        }
    }
}
