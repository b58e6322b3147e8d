//! Any files come back as they were, and no bytes make a reader stumble.

use proptest::prelude::*;
use sealbook_ledger::pack::{Kind, Pack, PackFile, Unsigned};
use serde_json::{Value, json};

use crate::parts::{PREDICATE_TYPE, code, file, key, pack, sign};
use crate::zip::{Zip, member};

fn files() -> impl Strategy<Value = Vec<PackFile>> {
    // One case, so that names differ as names; a part of a path is never a file.
    let name = "([a-z][a-z0-9]{0,3}/){0,3}[A-Z0-9][A-Z0-9_-]{0,8}[.][a-z]{1,3}";
    let content = prop::collection::vec(any::<u8>(), 0..300);
    prop::collection::btree_map(name, content, 0..12)
        .prop_map(|files| files.iter().map(|(name, bytes)| file(name, bytes)).collect())
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_packed_comes_back(files in files(), note in ".{0,20}") {
        let predicate = json!({"note": note});
        let unsigned = Unsigned::new(Kind::Period, files.clone(), PREDICATE_TYPE, &predicate);
        // Names that differ in case alone.
        let Ok(unsigned) = unsigned else { return Ok(()) };
        let bytes = unsigned.sign(&key(1), sign(1, &unsigned.pae())).unwrap();
        let pack = Pack::open(&bytes).unwrap();
        prop_assert!(pack.verify(&key(1)).is_ok());
        prop_assert_eq!(pack.files().len(), files.len());
        for file in &files {
            prop_assert_eq!(pack.file(file.name.as_str()), Some(file.bytes.as_slice()));
        }
        prop_assert_eq!(pack.predicate::<Value>(PREDICATE_TYPE).unwrap(), predicate.clone());
        let read = pack.files().map(|(entry, bytes)| PackFile {
            name: entry.name.clone(),
            media_type: entry.media_type.clone(),
            bytes: bytes.to_vec(),
        });
        let again = Unsigned::new(pack.kind(), read.collect(), PREDICATE_TYPE, &predicate).unwrap();
        prop_assert_eq!(again.sign(&key(1), sign(1, &again.pae())).unwrap(), bytes);
    }

    #[test]
    fn arbitrary_bytes_are_refused_in_words(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_ne!(code(&bytes), "sound");
        let begun = [b"PK\x03\x04\x0a\0\0\0\0\0\0\0\x21\0".as_slice(), &bytes].concat();
        prop_assert_ne!(code(&begun), "sound");
    }

    /// A pack that is cut and mended somewhere: most of it is genuine, so that every layer is reached.
    #[test]
    fn a_mangled_pack_is_refused(
        from in any::<prop::sample::Index>(),
        len in 0usize..40,
        put in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let sound = pack();
        let from = from.index(sound.len());
        let to = (from + len).min(sound.len());
        let mangled = [&sound[..from], &put, &sound[to..]].concat();
        prop_assert_eq!(code(&mangled) == "sound", mangled == sound);
    }

    /// Sound archives of unsound members.
    #[test]
    fn members_of_arbitrary_content_are_refused(
        manifest in prop::collection::vec(any::<u8>(), 0..40),
        envelope in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let zip = Zip::of(vec![member("manifest.json", &manifest), member("statement.dsse.json", &envelope)]);
        let refused = code(&zip.bytes());
        prop_assert!(["pack.not_canonical", "pack.manifest"].contains(&refused), "{refused}");
    }
}
