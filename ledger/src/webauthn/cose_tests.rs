//! Passkeys' public keys: one encoding each, and only the three algorithms.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;

use super::*;

fn es256() -> CosePublicKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    CosePublicKey::from_p256_point(pair.public_key().as_ref()).unwrap()
}

#[test]
fn a_cose_key_has_one_encoding() {
    let cbor = es256().as_bytes().to_vec();
    assert_eq!(CosePublicKey::parse(&cbor).unwrap().as_bytes(), cbor);
    // a5 01 02 03 26 20 01 21 58 20 x 22 58 20 y
    let (x, y) = (&cbor[10..42], &cbor[45..77]);
    let map = |parts: &[&[u8]]| CosePublicKey::parse(&parts.concat());
    assert!(map(&[&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y]).is_ok());
    let not_canonical: [&[&[u8]]; 6] = [
        // bytes after it
        &[&cbor, &[0]],
        // an indefinite map
        &[&[0xbf, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y, &[0xff]],
        // a length, and a number, in a longer form than they need
        &[&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x59, 0, 0x20], x, &[0x22, 0x58, 0x20], y],
        &[&[0xa5, 1, 0x18, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y],
        // alg before kty
        &[&[0xa5, 3, 0x26, 1, 2, 0x20, 1, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y],
        // a further label: key_ops
        &[&[0xa6, 1, 2, 3, 0x26, 4, 0x81, 2, 0x20, 1, 0x21, 0x58, 0x20], x, &[0x22, 0x58, 0x20], y],
    ];
    for parts in not_canonical {
        assert_eq!(
            map(parts).unwrap_err(),
            CoseError::NotCanonical,
            "{}",
            base16ct::lower::encode_string(&parts.concat())
        );
    }
    // ES384, and ES256 on another curve
    assert_eq!(
        map(&[&[0xa5, 1, 2, 3, 0x38, 0x22, 0x20, 2, 0x21, 0x40, 0x22, 0x40]]).unwrap_err(),
        CoseError::Algorithm
    );
    assert_eq!(
        map(&[&[0xa5, 1, 2, 3, 0x26, 0x20, 2, 0x21, 0x40, 0x22, 0x40]]).unwrap_err(),
        CoseError::Algorithm
    );
    // a point off the curve, and x and y of uneven lengths that add up
    assert_eq!(map(&[&cbor[..45], &[7; 32]]).unwrap_err(), CoseError::Key);
    let uneven =
        [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x21], x, &y[..1], &[0x22, 0x58, 0x1f], &y[1..]];
    assert_eq!(map(&uneven).unwrap_err(), CoseError::Key);
}

#[test]
fn ed25519_passkeys_hold_and_refuse() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let head: &[u8] = &[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 0x20];
    let key = CosePublicKey::parse(&[head, pair.public_key().as_ref()].concat()).unwrap();
    let signature = pair.sign(b"message");
    assert!(key.holds(b"message", signature.as_ref()));
    assert!(!key.holds(b"massage", signature.as_ref()));
    assert!(!key.holds(b"message", &signature.as_ref()[1..]));
    assert_eq!(CosePublicKey::parse(&[head, &[0; 32]].concat()).unwrap_err(), CoseError::Key);
}

#[test]
fn rsa_passkeys_hold_and_refuse() {
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::RSA_PKCS1_SHA256;
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pkcs1::RsaPublicKeyRef::try_from(pair.public_key().as_ref()).unwrap();
    let modulus = public.modulus.as_bytes().to_vec();
    // a4 01 03 03 39 0100 20 59 0100 n 21 43 010001
    let head: &[u8] = &[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59];
    let cbor = [head, &[1, 0], &modulus, &[0x21, 0x43, 1, 0, 1]].concat();
    let key = CosePublicKey::parse(&cbor).unwrap();
    let mut signature = vec![0; 256];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
    assert!(key.holds(b"message", &signature));
    assert!(!key.holds(b"massage", &signature));
    let padded = [head, &[1, 1, 0], &modulus, &[0x21, 0x43, 1, 0, 1]].concat();
    let cubic = [head, &[1, 0], &modulus, &[0x21, 0x41, 3]].concat();
    for wrong in [padded, cubic] {
        assert_eq!(CosePublicKey::parse(&wrong).unwrap_err(), CoseError::Key);
    }
}

proptest! {
    #[test]
    fn a_cose_key_with_one_flipped_bit_is_refused_or_another_key(at in 0usize..77, bit in 0u8..8) {
        let good = es256();
        let mut cbor = good.as_bytes().to_vec();
        cbor[at] ^= 1 << bit;
        if let Ok(other) = CosePublicKey::parse(&cbor) {
            prop_assert_eq!(other.as_bytes(), &cbor);
            prop_assert_ne!(other, good);
        }
    }
}
