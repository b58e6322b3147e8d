//! A certificate authority of the company's own, and the certificate that it issues for a slot's key.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::scenes::slots::CERTIFIED;
use crate::stage::{Stage, TENANT, Who, text};

/// The slot whose key is the authority.
pub(crate) const AUTHORITY: &str = "acme-root-p384";

/// The channel that has to have moved before an old key is retired.
pub(crate) const CHANNEL: &str = "apt-stable";

/// Makes a slot that issues certificates and signs nothing else, and has it certify itself.
pub(crate) fn found_authority(stage: &Stage) -> Result<(String, ()), Failure> {
    let mut root = certificate("Acme Root", &json!({ "kind": "self" }));
    // Where those look who check what it issued; behind it is the server's `/crl/`.
    root["crl_url"] = json!(format!("http://pki.acme.example/crl/{TENANT}/{AUTHORITY}"));
    let policy = rotation(1825, 90, &[], &root);
    let file = kept(stage, AUTHORITY, &policy)?;
    let create = ["slot", "create", AUTHORITY, "--algorithm", "ecdsa-p384-sha384", "--rotation"];
    let create = create.map(PathBuf::from).into_iter().chain([file]);
    stage.by_quorum(Who::Ada, create, "Keys of ours get certificates")?;
    certified(stage, Who::Ada, AUTHORITY, "The root that the others lead to")?;
    Ok((format!("{AUTHORITY} is a certificate authority, and certifies itself"), ()))
}

/// The options with which the slot is created whose key the authority certifies.
pub(crate) fn policy_of_the_certified(stage: &Stage) -> Result<[PathBuf; 2], Failure> {
    Ok(["--rotation".into(), policy_of(stage, CERTIFIED, "Acme Packages", &[CHANNEL])?])
}

/// The file of the policy of a slot whose keys the authority certifies.
pub(crate) fn policy_of(
    stage: &Stage,
    slot: &str,
    name: &str,
    channels: &[&str],
) -> Result<PathBuf, Failure> {
    let issuer = json!({ "kind": "slot", "slot": AUTHORITY });
    kept(stage, slot, &rotation(90, 7, channels, &certificate(name, &issuer)))
}

/// The files of the policies of an authority for drills and of the slot under it.
pub(crate) fn policies_for_drills(
    stage: &Stage,
    authority: &str,
    slot: &str,
) -> Result<[PathBuf; 2], Failure> {
    let root = certificate("DRILL Acme Root", &json!({ "kind": "self" }));
    let leaf = certificate("DRILL Acme Releases", &json!({ "kind": "slot", "slot": authority }));
    Ok([
        kept(stage, authority, &rotation(1825, 90, &[], &root))?,
        kept(stage, slot, &rotation(90, 7, &["drill-downloads"], &leaf))?,
    ])
}

/// Has the authority issue the certificate without which the slot does not sign.
pub(crate) fn certify(stage: &Stage) -> Result<(String, ()), Failure> {
    certified(stage, Who::Grace, CERTIFIED, "Clients check the key's certificate")?;
    Ok((format!("{CERTIFIED} is certified by it, after 2 approvals"), ()))
}

/// Proposes a certificate, has it approved, and waits until it is there.
pub(crate) fn certified(stage: &Stage, proposer: Who, slot: &str, reason: &str) -> Result<(), Failure> {
    stage.by_quorum(proposer, ["certificate", "propose", slot], reason)?;
    let list = ["certificate", "list", "--slot", slot];
    let listed = stage.ask_until(proposer, &list, "a certificate", |listed| {
        matches!(listed["certificates"][0]["state"].as_str(), Some("active" | "failed"))
    })?;
    match text(&listed["certificates"][0], "state")?.as_str() {
        "active" => Ok(()),
        state => Err(Failure::Unexpected(format!("the certificate of {slot} is {state}: {listed}"))),
    }
}

/// A certificate policy: of an authority where it issues to itself, else for signing code.
fn certificate(name: &str, issuer: &Value) -> Value {
    let issuing = issuer["kind"] == "self";
    let usage =
        if issuing { json!({ "kind": "issuing", "path_len": 0 }) } else { json!({ "kind": "code_signing" }) };
    json!({
        "issuer": issuer, "policies": [], "required": !issuing, "usage": usage,
        "subject": { "common_name": name, "country": "CH", "organization": "Acme" },
        "validity_days": if issuing { 3650 } else { 397 },
    })
}

fn rotation(days: u16, overlap: u16, channels: &[&str], certificate: &Value) -> Value {
    json!({
        "certificate": certificate, "channels": channels, "old_key_signs": false, "overlap_days": overlap,
        "propose_days": 14, "revoke_superseded": certificate["usage"]["kind"] != "issuing",
        "rotation_days": days, "v": 1,
    })
}

/// The file of a rotation policy.
fn kept(stage: &Stage, slot: &str, policy: &Value) -> Result<PathBuf, Failure> {
    let file = stage.place().private(format!("{slot}.rotation.json"));
    fs::write(&file, policy.to_string()).map_err(Failure::file("write", &file))?;
    Ok(file)
}
