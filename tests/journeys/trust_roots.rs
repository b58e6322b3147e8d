//! Trust roots: which keys are to be believed, for anybody, from one file and the ledger's public key.

use std::fs;

use integration::programs::verify;
use integration::rotating::{KEEPERS, releases, root, shown, slot};
use integration::{Server, Tenant, waiting};
use serde_json::{Value, json};

fn path(tenant: &Tenant) -> String {
    format!("/.well-known/sealbook/{}/trust-root.json", tenant.name)
}

/// Waits until the trust root says something of a key.
fn saying(tenant: &Tenant, key: &Value, trust: &str) -> Value {
    waiting::until("the trust root", || {
        let answer = tenant.anonymous().get(&path(tenant));
        let root = (answer.status == 200).then(|| answer.json())?;
        let of = root["trust_root"]["keys"].as_array()?.iter().find(|row| row["key"] == *key)?;
        (of["trust"] == trust).then(|| root.clone())
    })
}

#[test]
fn a_trust_root_follows_every_key_and_is_believed_offline() {
    let server = Server::shared();
    let tenant = Tenant::founded_with(&server, &[KEEPERS; 4]);
    slot(&tenant, "root", "ecdsa-p256-sha256", root());
    slot(&tenant, "releases", "ecdsa-p256-sha256", releases());
    tenant.anonymous().get(&path(&tenant)).expect(404);
    tenant.executed("ledger.evidence_key_set", &json!({ "backend": "softhsm" }));
    let (slot, _) = shown(&tenant, "releases");
    let key = &slot["active_key"];
    let before = saying(&tenant, key, "active");

    tenant.executed("key.revoke", &json!({ "key": key, "reason": "key_compromise" }));
    let after = saying(&tenant, key, "revoked");
    let row = after["trust_root"]["keys"].as_array().unwrap().iter().find(|row| row["key"] == *key).unwrap();
    assert_eq!(row["revocation"]["reason"], "key_compromise");
    assert!(after["trust_root"]["size"].as_u64() > before["trust_root"]["size"].as_u64());
    assert_eq!(after["trust_root"]["ledger_keys"][0]["vkey"], json!(tenant.vkey));

    tenant.executed("key.destroy", &json!({ "key": key }));
    let kept = tenant.anonymous().get(&path(&tenant)).expect(200).body;
    assert_eq!(
        serde_json::from_slice::<Value>(&kept).unwrap()["trust_root"]["keys"],
        after["trust_root"]["keys"],
        "what a destroyed key was is not forgotten"
    );
    believed_only_whole(&tenant, &kept);
    tenant.verified();
}

/// With the ledger's key it holds; with another one, or a byte changed, it does not.
fn believed_only_whole(tenant: &Tenant, kept: &[u8]) {
    let out = tenant.folder().join("trust-root.json");
    fs::write(&out, kept).unwrap();
    let at = out.to_str().unwrap();
    let said = verify([at, "--vkey", &tenant.vkey]).expect(0);
    assert!(
        said.stdout.contains("trust root of ledger") && said.stdout.contains("1 are revoked"),
        "{said:?}"
    );
    verify([at]).expect(2);
    let changed = String::from_utf8(kept.to_vec()).unwrap().replace("\"revoked\"", "\"active\"");
    assert_ne!(changed.as_bytes(), kept);
    fs::write(&out, changed).unwrap();
    let said = verify([at, "--vkey", &tenant.vkey]).expect(1);
    assert!(said.stdout.contains("trust_root.statement"), "{said:?}");
    fs::write(&out, &kept[..kept.len() / 2]).unwrap();
    verify([at, "--vkey", &tenant.vkey]).expect(1);
}
