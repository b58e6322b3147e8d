//! A key that somebody else may hold: what it takes to have nobody believe it any more, and how others learn of it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::index::Certificates;
use crate::scenes::certifying::{self, AUTHORITY};
use crate::scenes::responding::Incident;
use crate::scenes::rotation::NEW_VKEY;
use crate::stage::{Stage, Who, number, text};

/// The slot whose key was stolen.
pub(crate) const STOLEN: &str = "release-p256";

/// Where its artifacts are offered.
pub(crate) const OFFERED: &str = "downloads";

/// The revocation list of the authority, and the same as PEM.
pub(crate) const LIST: &str = "pki/acme.crl";
const LIST_PEM: &str = "pki/acme.crl.pem";

/// The certificate of the stolen key.
const REVOKED: &str = "pki/revoked.pem";

/// Which keys are to be believed.
pub(crate) const TRUST_ROOT: &str = "trust-root.json";

/// Gives the slot's key a certificate; until it is revoked, openssl follows it.
pub(crate) fn certify(stage: &Stage) -> Result<(String, ()), Failure> {
    let policy = certifying::policy_of(stage, STOLEN, "Acme Releases", &[OFFERED])?;
    let set = ["slot", "rotation", STOLEN].map(PathBuf::from).into_iter().chain([policy]);
    stage.by_quorum(Who::Ada, set, "Who fetches a release checks a certificate")?;
    certifying::certified(stage, Who::Ada, STOLEN, "The first one of this key")?;
    let listed = stage.ask(Who::Alan, ["certificate", "list", "--slot", STOLEN])?;
    let id = text(&listed["certificates"][0], "certificate")?;
    let chain = stage.tell(Who::Alan, ["certificate", "chain", &id])?;
    let end = "-----END CERTIFICATE-----\n";
    let (leaf, above) = chain.split_at(chain.find(end).map_or(0, |at| at + end.len()));
    stage.write(REVOKED, leaf)?;
    stage.write(Certificates::FILES.above, above)?;
    fetch_list(stage, 0)?;
    let said = match follow(stage)? {
        None => "no openssl here",
        Some(true) => "openssl accepts it",
        Some(false) => return Err(Failure::Unexpected("openssl refuses a certificate in force".to_owned())),
    };
    Ok((format!("{STOLEN} is certified too, on no list: {said}"), ()))
}

/// Two people revoke the key by break-glass: its authority says so to everybody.
pub(crate) fn revoke(stage: &Stage, incident: &Incident) -> Result<(String, ()), Failure> {
    let key = &incident.key;
    let revoke =
        ["key", "revoke", key, "--because", "key-compromise", "--emergency", "--role", "security_reviewer"];
    let action = stage.propose(Who::Grace, revoke, "A copy of it may be for sale")?;
    let ended = stage.ask(Who::Ada, ["action", "approve", &action, "--yes", "--wait"])?;
    if text(&ended, "status")? != "executed" {
        return Err(Failure::Unexpected(format!("the revocation was not executed: {ended}")));
    }
    Ok((format!("2 people revoked the key of {STOLEN} by break-glass"), ()))
}

/// The authority's list names the certificate, and openssl refuses it.
pub(crate) fn listed(stage: &Stage) -> Result<(String, ()), Failure> {
    let list = fetch_list(stage, 1)?;
    let number = number(&list, "number")?;
    let said = match follow(stage)? {
        None => "no openssl here to ask",
        Some(false) => "openssl refuses it",
        Some(true) => {
            return Err(Failure::Unexpected("openssl accepts a revoked certificate".to_owned()));
        }
    };
    Ok((format!("revocation list {number} names its certificate: {said}"), ()))
}

/// The trust root says so too, of every key, and holds without the server.
pub(crate) fn trust_root(stage: &Stage) -> Result<(String, ()), Failure> {
    let out = stage.place().public(TRUST_ROOT);
    let fetch = ["revocation", "trust-root", "--out"].map(PathBuf::from).into_iter().chain([out.clone()]);
    stage.until("a trust root that names the revocation", || {
        stage.ask(Who::Alan, fetch.clone())?;
        let bytes = fs::read(&out).map_err(Failure::file("read", &out))?;
        let file: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let mut keys = file["trust_root"]["keys"].as_array().into_iter().flatten();
        Ok(keys.any(|key| key["slot"] == STOLEN && key["trust"] == "revoked").then_some(()))
    })?;
    let vkey = stage.place().public(NEW_VKEY);
    stage.verify([out, "--vkey".into(), format!("@{}", vkey.display()).into()], 0)?;
    Ok(("the trust root says which keys to believe, and is valid offline".to_owned(), ()))
}

/// Fetches the authority's newest list, once it names so many certificates.
fn fetch_list(stage: &Stage, entries: u64) -> Result<Value, Failure> {
    let newest = |lists: &Value| {
        let mut lists = lists.as_array().into_iter().flatten();
        lists.find(|list| list["slot"] == AUTHORITY).cloned()
    };
    let named = |lists: &Value| {
        newest(lists).is_some_and(|list| list["entries"] == entries && list["complete"] == true)
    };
    let lists = stage.ask_until(Who::Alan, &["revocation", "lists"], "a revocation list", named)?;
    for (file, pem) in [(LIST, None), (LIST_PEM, Some("--pem"))] {
        let words = ["revocation", "crl", AUTHORITY].into_iter().chain(pem).chain(["--out"]);
        let words = words.map(PathBuf::from).chain([stage.place().public(file)]);
        stage.ask(Who::Alan, words)?;
    }
    Ok(newest(&lists).unwrap_or_default())
}

/// Whether openssl accepts the certificate, given the list; none where there is no openssl.
fn follow(stage: &Stage) -> Result<Option<bool>, Failure> {
    let at = |name: &str| stage.place().public(name);
    let mut words = ["verify", "-x509_strict", "-crl_check", "-purpose", "any"].map(PathBuf::from).to_vec();
    words.extend([
        "-CRLfile".into(),
        at(LIST_PEM),
        "-CAfile".into(),
        at(Certificates::FILES.above),
        at(REVOKED),
    ]);
    let Some(ended) = stage.openssl(words)? else { return Ok(None) };
    match (ended.code(), ended.stderr.contains("certificate revoked")) {
        (Some(0), _) => Ok(Some(true)),
        (_, true) => Ok(Some(false)),
        _ => Err(Failure::Unexpected(format!("openssl refuses it for another reason: {}", ended.stderr))),
    }
}
