//! The signature by which a receiver knows that a notice is this server's and fresh.

use aws_lc_rs::hmac;

/// The header's name.
pub(crate) const HEADER: &str = "Sealbook-Signature";

/// The header's value: `t=<unix seconds>,v1=<hex of HMAC-SHA-256 over "<t>.<body>">`. The time is under the signature, so
/// that a receiver can refuse what is old.
pub fn sign(key: &hmac::Key, unix_seconds: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{unix_seconds}.").as_bytes());
    context.update(body);
    format!("t={unix_seconds},v1={}", hex::encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_an_hmac_over_time_and_body() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret of a receiver, 32 bytes+");
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'a secret of a receiver, 32 bytes+'
        let expected = "c3458b9f26996865d8e50c3887de9dfd5c9abdbcc20338dd73fdd52084ddea84";
        assert_eq!(sign(&key, 1_700_000_000, br#"{"a":1}"#), format!("t=1700000000,v1={expected}"));
    }

    #[test]
    fn another_time_body_or_key_is_another_signature() {
        let key = |text: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, text);
        let signed = sign(&key(b"one"), 1, b"body");
        assert_ne!(signed, sign(&key(b"two"), 1, b"body"));
        assert_ne!(signed, sign(&key(b"one"), 1, b"bode"));
        assert_ne!(
            signed.split_once(',').unwrap().1,
            sign(&key(b"one"), 2, b"body").split_once(',').unwrap().1
        );
    }
}
