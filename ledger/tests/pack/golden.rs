//! The bytes of version 1: they stay what they are, whatever happens to the code.

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::pack::{Kind, Pack, PackFile, Unsigned};
use sealbook_ledger::public_key::PublicKey;
use serde_json::Value;

use crate::parts::{PREDICATE_TYPE, pack, unsigned};

/// Made by an implementation that shares no code with this one, signed by a P-256 key that is gone
/// (`testdata/README.md`).
const GOLDEN: &[u8] = include_bytes!("../../testdata/pack-v1.zip");
const GOLDEN_SHA256: &str = "0221369612105045668a7dac54cea6ea9fac53a026dc8743a61f9c2e4afa7827";
const GOLDEN_MANIFEST: &str = "60c1fbd16ecd14f462a028d58b0709db54803ab17b0d72514ea01684987cdf66";

fn golden_key() -> PublicKey {
    PublicKey::from_pem(include_str!("../../testdata/pack-v1.pem")).unwrap()
}

#[test]
fn the_pack_of_version_1_is_valid_for_ever() {
    assert_eq!(Hash::sha256(GOLDEN).to_string(), GOLDEN_SHA256);
    let pack = Pack::open(GOLDEN).unwrap();
    pack.verify(&golden_key()).unwrap();
    assert_eq!(pack.kind(), Kind::Rotation);
    assert_eq!(pack.statement().manifest().to_string(), GOLDEN_MANIFEST);
    assert_eq!(pack.file("events.jsonl"), Some(b"{\"seq\":3}\n{\"seq\":7}\n".as_slice()));
    assert_eq!(pack.file("receipts/7.tlog-proof"), Some(b"".as_slice()));
    let predicate: Value = pack.predicate(PREDICATE_TYPE).unwrap();
    assert_eq!(predicate["reason"], "yearly \u{2013} as planned");
}

#[test]
fn the_pack_of_version_1_is_made_again_from_what_it_holds() {
    let golden = Pack::open(GOLDEN).unwrap();
    let file = |name: &str| PackFile {
        name: name.parse().unwrap(),
        media_type: golden
            .files()
            .find(|(entry, _)| entry.name.as_str() == name)
            .unwrap()
            .0
            .media_type
            .clone(),
        bytes: golden.file(name).unwrap().to_vec(),
    };
    let files = ["receipts/7.tlog-proof", "keys/new.pem", "events.jsonl", "REP.pdf"].map(file).into();
    let predicate: Value = golden.predicate(PREDICATE_TYPE).unwrap();
    let unsigned = Unsigned::new(Kind::Rotation, files, PREDICATE_TYPE, &predicate).unwrap();
    let signature = golden.envelope().signatures()[0].sig.clone();
    assert_eq!(unsigned.sign(&golden_key(), signature).unwrap(), GOLDEN);
}

/// Ed25519 signs without chance: the whole pack of the tests has one digest.
#[test]
fn fixed_inputs_make_fixed_bytes() {
    let pae = Hash::sha256(&unsigned().pae()).to_string();
    let pack = Hash::sha256(&pack()).to_string();
    assert_eq!(
        (pae.as_str(), pack.as_str()),
        (
            "a90c6dd21ae5d9b820f883928a1c331d2906f8b5b193b95152da93b2aafc6df9",
            "1ea7556d4280ba2b937d7b0913a8d29fc3878d58765c1f10038a3c873427eb04"
        )
    );
}
