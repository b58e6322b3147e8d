use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::merkle::Tree;

const ORIGIN: &str = "a.example/x";

fn event(origin: &str, seq: u64) -> Vec<u8> {
    format!(r#"{{"origin":"{origin}","seq":{seq}}}"#).into_bytes()
}

fn signer(seed: u8, origin: &str) -> (SigningKey, Vkey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let vkey = Vkey::from_ed25519(origin.parse().unwrap(), key.verifying_key().to_bytes()).unwrap();
    (key, vkey)
}

/// A ledger of these leaves, sealed by key 1, and the receipt of the one at `index`.
fn receipt(leaves: &[Vec<u8>], index: u64) -> Receipt {
    let mut tree = Tree::new();
    for leaf in leaves {
        tree.append(merkle::leaf_hash(leaf));
    }
    let (key, vkey) = signer(1, ORIGIN);
    let checkpoint = Checkpoint {
        origin: vkey.origin().clone(),
        size: tree.size(),
        root: tree.root_at(tree.size()).unwrap(),
    };
    let signature = key.sign(&checkpoint.to_signable()).to_bytes();
    let checkpoint = SignedCheckpoint::assemble(checkpoint, &[(vkey, signature)]).unwrap();
    let path = tree.inclusion_proof(index, tree.size()).unwrap();
    Receipt::new(leaves[index as usize].clone(), index, path, checkpoint).unwrap()
}

fn code(receipt: &Receipt) -> &'static str {
    receipt.verify(&[signer(1, ORIGIN).1]).unwrap_err().code()
}

#[test]
fn every_event_of_a_ledger_has_a_receipt_that_reads_back_and_holds() {
    for size in 1..12 {
        let leaves: Vec<_> = (0..size).map(|seq| event(ORIGIN, seq)).collect();
        for index in 0..size {
            let receipt = receipt(&leaves, index);
            let read = Receipt::parse(receipt.to_string().as_bytes()).unwrap();
            assert_eq!(read, receipt);
            let (stranger, own) = (signer(2, ORIGIN).1, signer(1, ORIGIN).1);
            let elsewhere = signer(1, "a.example/y").1;
            let verified = read.verify(&[stranger, elsewhere, own.clone()]).unwrap();
            assert_eq!((verified.seq.get(), verified.checkpoint.size), (index, size));
            assert_eq!(verified.signer, own);
        }
    }
}

#[test]
fn an_event_out_of_place_proves_nothing() {
    let leaves = [event(ORIGIN, 1), event(ORIGIN, 1)];
    assert_eq!(code(&receipt(&leaves, 0)), "receipt.other_place");
    assert!(receipt(&leaves, 1).verify(&[signer(1, ORIGIN).1]).is_ok());
    assert_eq!(code(&receipt(&[event("a.example/y", 0)], 0)), "receipt.other_origin");
    assert_eq!(code(&receipt(&[b"{\"seq\":0}".to_vec()], 0)), "receipt.envelope");
    assert_eq!(code(&receipt(&[b"{ }".to_vec()], 0)), "receipt.not_canonical");
}

#[test]
fn a_swapped_event_or_another_place_is_not_in_the_tree() {
    let leaves: Vec<_> = (0..7).map(|seq| event(ORIGIN, seq)).collect();
    let honest = receipt(&leaves, 3);
    let swapped =
        Receipt { event_bytes: b"{\"a\":1,\"origin\":\"a.example/x\",\"seq\":3}".to_vec(), ..honest.clone() };
    assert_eq!(code(&swapped), "proof.other_root");
    let moved = Receipt { event_bytes: event(ORIGIN, 4), index: 4, ..honest.clone() };
    assert_eq!(code(&moved), "proof.other_root");
    let beyond = Receipt { event_bytes: event(ORIGIN, 7), index: 7, ..honest.clone() };
    assert_eq!(code(&beyond), "proof.no_such_leaf");
    let short = Receipt { path: Vec::new(), ..honest };
    assert_eq!(code(&short), "proof.wrong_length");
}

#[test]
fn a_receipt_needs_a_key_that_was_given_and_no_false_signature() {
    let honest = receipt(&[event(ORIGIN, 0)], 0);
    assert_eq!(honest.verify(&[]).unwrap_err().code(), "receipt.unknown_signer");
    let stranger = signer(2, ORIGIN).1;
    assert_eq!(honest.verify(&[stranger]).unwrap_err().code(), "receipt.unknown_signer");
    let altered = honest.to_string().replace("a.example/x\n1\n", "a.example/x\n2\n");
    assert_eq!(code(&Receipt::parse(altered.as_bytes()).unwrap()), "signature.invalid");
}

#[test]
fn events_of_the_greatest_length_fit_and_longer_ones_do_not() {
    let honest = receipt(&[event(ORIGIN, 0)], 0);
    let sized = |len| Receipt::new(vec![b'a'; len], 0, vec![Hash::ZERO; 64], honest.checkpoint.clone());
    let longest = sized(MAX_EVENT).unwrap().to_string();
    assert!(longest.len() <= MAX_RECEIPT);
    assert!(Receipt::parse(longest.as_bytes()).is_ok());
    assert_eq!(sized(MAX_EVENT + 1).unwrap_err().code(), "receipt.malformed");
    assert_eq!(sized(0).unwrap_err().code(), "receipt.malformed");
    assert!(Receipt::parse(&vec![b'a'; MAX_RECEIPT + 1]).is_err());
}

#[test]
fn a_receipt_has_one_spelling() {
    let leaves: Vec<_> = (0..3).map(|seq| event(ORIGIN, seq)).collect();
    let good = receipt(&leaves, 1).to_string();
    let long_path =
        good.replace("\n\n", &format!("{}\n\n", format!("\n{}", "A".repeat(43) + "=").repeat(70)));
    let without_extra = good.lines().filter(|line| !line.starts_with("extra")).collect::<Vec<_>>().join("\n");
    for bad in [
        good.replace("@v1", "@v2"),
        good.replace("extra ", "extra  "),
        good.replace("index 1", "index 01"),
        good.replace("index 1", "index -1"),
        good.replace("index 1", "index 18446744073709551616"),
        good.replace("index 1\n", "index 1\n\n"),
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("\n{good}"),
        long_path.replacen("\n\n\n", "\n\n", 1),
        without_extra + "\n",
    ] {
        assert!(Receipt::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}
