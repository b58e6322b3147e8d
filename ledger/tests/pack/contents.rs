//! Manifest and files belong to each other, and to the statement.

use sealbook_ledger::pack::{Kind, MAX_MEMBERS, Pack, Unsigned};
use serde_json::{Value, json};

use crate::parts::{PREDICATE_TYPE, Parts, entry, file, files, pack, predicate, refusal};

/// What a change is refused with, the statement being about the changed manifest.
fn changed(change: impl FnOnce(&mut Parts)) -> &'static str {
    let mut parts = Parts::new();
    change(&mut parts);
    parts.state();
    parts.code()
}

fn entries(parts: &mut Parts) -> &mut Vec<Value> {
    parts.manifest["files"].as_array_mut().unwrap()
}

#[test]
fn what_is_packed_is_found_again() {
    let bytes = pack();
    let pack = Pack::open(&bytes).unwrap();
    assert_eq!(pack.kind(), Kind::Rotation);
    for file in files() {
        assert_eq!(pack.file(file.name.as_str()), Some(file.bytes.as_slice()));
    }
    for other in ["manifest.json", "statement.dsse.json", "rep.pdf", "ledger"] {
        assert_eq!(pack.file(other), None, "{other}");
    }
    let names: Vec<_> = pack.files().map(|(entry, bytes)| (entry.name.as_str(), bytes.len())).collect();
    assert_eq!(names, [("REP.pdf", 9), ("empty", 0), ("ledger/receipts/7.tlog-proof", 6)]);
    assert_eq!(pack.statement().predicate_type(), PREDICATE_TYPE);
    assert_eq!(pack.predicate::<Value>(PREDICATE_TYPE).unwrap(), predicate());
    assert_eq!(pack.predicate::<Value>("https://other.example").unwrap_err().code(), "pack.predicate_type");
    assert_eq!(pack.predicate::<[u8; 2]>(PREDICATE_TYPE).unwrap_err().code(), "pack.predicate");
}

#[test]
fn every_file_is_listed_and_every_listed_file_is_there() {
    let add = |parts: &mut Parts| parts.files.insert(1, ("a.txt".to_owned(), b"more".to_vec()));
    assert_eq!(changed(add), "pack.unlisted_member");
    assert_eq!(changed(|parts| parts.files.push(("z".to_owned(), Vec::new()))), "pack.unlisted_member");
    assert_eq!(changed(|parts| drop(parts.files.remove(1))), "pack.missing_member");
    assert_eq!(changed(|parts| drop(parts.files.pop())), "pack.missing_member");
    assert_eq!(changed(|parts| parts.files[0].0 = "REQ.pdf".to_owned()), "pack.missing_member");
    assert_eq!(changed(|parts| parts.files[1].1.push(b'\n')), "pack.size");
    assert_eq!(changed(|parts| parts.files[0].1[0] ^= 1), "pack.digest");
    assert_eq!(changed(|parts| parts.manifest["files"] = json!([])), "pack.unlisted_member");
}

#[test]
fn a_refusal_names_the_member() {
    let told = |change: fn(&mut Parts)| {
        let mut parts = Parts::new();
        change(&mut parts);
        parts.state();
        refusal(&parts.zip().bytes()).unwrap().to_string()
    };
    assert_eq!(told(|parts| drop(parts.files.remove(1))), "`empty` is missing");
    let more = told(|parts| parts.files.push(("z".to_owned(), Vec::new())));
    assert_eq!(more, "`z` is not listed in manifest.json");
    let longer = told(|parts| parts.files[1].1.push(b'\n'));
    assert_eq!(longer, "`empty` has 1 bytes, manifest.json says 0");
    assert!(told(|parts| parts.files[0].1[0] ^= 1).starts_with("`REP.pdf` has the SHA-256 "));
}

#[test]
fn a_manifest_has_one_form() {
    assert_eq!(changed(|parts| parts.manifest["v"] = json!(2)), "pack.version");
    assert_eq!(changed(|parts| parts.manifest = json!({"more": 1, "v": 2})), "pack.version");
    assert_eq!(changed(|parts| parts.manifest["v"] = json!("1")), "pack.manifest");
    assert_eq!(changed(|parts| parts.manifest["kind"] = json!("drill")), "pack.kind");
    assert_eq!(changed(|parts| parts.manifest["kind"] = json!("Rotation")), "pack.kind");
    assert_eq!(changed(|parts| parts.manifest["note"] = json!("x")), "pack.manifest");
    assert_eq!(changed(|parts| parts.manifest = json!([])), "pack.manifest");
    assert_eq!(changed(|parts| drop(entries(parts).remove(0))), "pack.unlisted_member");
    assert_eq!(changed(|parts| entries(parts)[0]["note"] = json!("x")), "pack.manifest");
    assert_eq!(changed(|parts| entries(parts)[0]["size"] = json!(-1)), "pack.manifest");
    assert_eq!(changed(|parts| entries(parts)[0]["media_type"] = json!("Text")), "pack.manifest");
    assert_eq!(changed(|parts| entries(parts)[0]["name"] = json!("../REP.pdf")), "pack.manifest");
    assert_eq!(changed(|parts| entries(parts)[0]["name"] = json!("manifest.json")), "pack.manifest");
    assert_eq!(changed(|parts| entries(parts).swap(0, 1)), "pack.order");
    let twice = |parts: &mut Parts| entries(parts).insert(1, entry("REP.pdf", b"%PDF-1.7\n"));
    assert_eq!(changed(twice), "pack.duplicate");
}

#[test]
fn names_are_in_the_order_of_their_bytes() {
    let names = ["a", "B", "b.c", "b-c", "b/x", "b0"];
    let files = names.map(|name| file(name, name.as_bytes())).into();
    let unsigned = Unsigned::new(Kind::Period, files, PREDICATE_TYPE, &json!({}));
    // `B` and the folder `b`.
    assert_eq!(unsigned.unwrap_err().code(), "pack.name_clash");
    let files =
        names.map(|name| file(name, name.as_bytes())).into_iter().filter(|file| file.name.as_str() != "B");
    let unsigned = Unsigned::new(Kind::Period, files.collect(), PREDICATE_TYPE, &json!({})).unwrap();
    let bytes = unsigned.sign(&crate::parts::key(1), crate::parts::sign(1, &unsigned.pae())).unwrap();
    let pack = Pack::open(&bytes).unwrap();
    let order: Vec<_> = pack.files().map(|(entry, _)| entry.name.as_str()).collect();
    assert_eq!(order, ["a", "b-c", "b.c", "b/x", "b0"]);
}

#[test]
fn what_no_pack_holds_is_refused_before_anything_is_signed() {
    let refused = |files, predicate_type: &str, predicate: Value| {
        Unsigned::new(Kind::Rotation, files, predicate_type, &predicate).unwrap_err().code()
    };
    let twice = vec![file("a", b"1"), file("a", b"2")];
    assert_eq!(refused(twice, PREDICATE_TYPE, json!({})), "pack.duplicate");
    let clashing = vec![file("a", b"1"), file("A", b"2")];
    assert_eq!(refused(clashing, PREDICATE_TYPE, json!({})), "pack.name_clash");
    let many = (0..MAX_MEMBERS - 1).map(|at| file(&format!("f{at}"), b"")).collect();
    assert_eq!(refused(many, PREDICATE_TYPE, json!({})), "pack.too_many_members");
    let large = vec![file("a", &vec![0; 256 << 20])];
    assert_eq!(refused(large, PREDICATE_TYPE, json!({})), "pack.too_large");
    let long = "https://".repeat(26);
    for bad in ["", "rotation", ":x", "https:", "https://a b", "https://caf\u{e9}", &long] {
        assert_eq!(refused(files(), bad, json!({})), "pack.predicate_type", "{bad}");
    }
    for bad in [json!(1), json!([]), Value::Null, json!({"a": 0.5}), json!({"a": 1u64 << 60})] {
        assert_eq!(refused(files(), PREDICATE_TYPE, bad.clone()), "pack.predicate", "{bad}");
    }
    let long = json!({"a": "x".repeat(1 << 20)});
    assert_eq!(refused(files(), PREDICATE_TYPE, long), "pack.too_large");
}

#[test]
fn as_many_files_as_a_pack_has_are_packed() {
    let longest = |at: usize| format!("{at:04}{}", "x".repeat(196));
    let files: Vec<_> = (0..MAX_MEMBERS - 2)
        .map(|at| {
            let mut file = file(&longest(at), b"x");
            file.media_type = format!("application/{}", "y".repeat(115)).parse().unwrap();
            file
        })
        .collect();
    let unsigned = Unsigned::new(Kind::Period, files, PREDICATE_TYPE, &json!({})).unwrap();
    let bytes = unsigned.sign(&crate::parts::key(1), crate::parts::sign(1, &unsigned.pae())).unwrap();
    assert_eq!(Pack::open(&bytes).unwrap().files().len(), MAX_MEMBERS - 2);
}
