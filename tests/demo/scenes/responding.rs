//! An incident, from one person's suspicion to the statement that customers get.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::failure::Failure;
use crate::scenes::compromise::{OFFERED, STOLEN};
use crate::scenes::rotation::NEW_VKEY;
use crate::stage::{Stage, Who, number, text};

/// By what name customers find the advisory.
pub(crate) const ADVISORY: &str = "https://acme.example/advisories/1";

/// What it says.
const TOLD: &str = "A copy of our release key may be in other hands. Packages 1.0 are not to be installed any more: use 1.1, \
                    which is signed by another key, and refuse the old key.";

/// The statement: with its proofs, for people, and for programs.
pub(crate) const STATEMENT: &str = "incident/statement.zip";
pub(crate) const STATEMENT_PDF: &str = "incident/statement.pdf";
const STATEMENT_JSON: &str = "incident/statement.json";

/// What the key may have signed.
const BLAST_RADIUS: &str = "incident/blast-radius.csv";

/// A file that is to be signed meanwhile.
const FILE: &str = "/usr/bin/env";

/// The incident, and the key that it is about.
#[derive(Debug)]
pub(crate) struct Incident {
    id: String,
    pub(crate) key: String,
}

/// Alan alone stops the key; the next signature is refused.
pub(crate) fn open(stage: &Stage) -> Result<(String, Incident), Failure> {
    let open = ["incident", "open", "--slot", STOLEN, "--acknowledge-within", "15"];
    let why = ["--target", "contained=5", "--target", "revoked=60", "--reason"];
    let words = open.into_iter().chain(why).chain(["A signature that no build asked for"]);
    let began = Instant::now();
    let opened = stage.ask(Who::Alan, words)?;
    let out = stage.place().public("after-suspicion");
    let sign = ["sign", "--slot", STOLEN, FILE, "--out"].map(PathBuf::from).into_iter().chain([out]);
    let refused = stage.run(Who::Service, sign)?.with_code(4)?.json()?;
    let took = began.elapsed();
    let code = text(refused.get(0).unwrap_or_default(), "code")?;
    if code != "slot.suspended" {
        return Err(Failure::Unexpected(format!("a signature was refused for another reason: {code}")));
    }
    let incident = Incident { id: text(&opened, "incident")?, key: text(&opened, "key")? };
    for who in [Who::Ada, Who::Grace] {
        stage.ask(who, ["incident", "acknowledge", &incident.id])?;
    }
    let said = format!("Alan opened an incident: {:.1} s later a signature was refused", took.as_secs_f64());
    Ok((said, incident))
}

/// Everything that the key may have signed: on record, and listed for whoever has to look after it.
pub(crate) fn scope(stage: &Stage, incident: &Incident) -> Result<(String, ()), Failure> {
    let scoped = stage.ask(Who::Alan, ["incident", "scope", &incident.id])?;
    let size = number(&scoped["scope"], "size")?.to_string();
    let folder = stage.place().public("incident");
    fs::create_dir_all(&folder).map_err(Failure::file("create", &folder))?;
    let list =
        ["key", "blast-radius", &incident.key, "--size", &size, "--csv"].map(PathBuf::from).into_iter();
    let told = stage.ask(Who::Alan, list.chain([stage.place().public(BLAST_RADIUS)]))?;
    let count = number(&scoped["scope"], "count")?;
    if number(&told, "count")? != count {
        return Err(Failure::Unexpected(format!("the list has other rows than the scope's {count}: {told}")));
    }
    stage.ask(Who::Alan, ["incident", "withdraw", &incident.id, OFFERED])?;
    Ok((format!("it may have signed {count} times: all listed, packages withdrawn"), ()))
}

/// The slot signs again, by its new key.
pub(crate) fn resume(stage: &Stage) -> Result<(String, ()), Failure> {
    let resume = ["slot", "resume", STOLEN, "--role", "security_reviewer"];
    stage.by_quorum(Who::Grace, resume, "It has another key")?;
    Ok((format!("{STOLEN} signs again, what the change board approves"), ()))
}

/// Customers are told, and the incident ends in a statement.
pub(crate) fn close(stage: &Stage, incident: &Incident) -> Result<(String, ()), Failure> {
    let id = incident.id.as_str();
    let shown = stage.ask(Who::Alan, ["incident", "show", id])?;
    let count = number(&shown["scope"], "count")?;
    let dropped = count.saturating_sub(signed_again(stage, &shown)?).to_string();
    let refused = stage.run(Who::Alan, ["incident", "close", id])?.with_code(4)?.error_json()?;
    let code = text(&refused, "code")?;
    if code != "incident.open" {
        return Err(Failure::Unexpected(format!("an open incident was refused its end by {code}")));
    }
    stage.ask(Who::Alan, ["incident", "resign", id, "--dropped", &dropped])?;
    stage.ask(Who::Alan, ["incident", "reinstate", id, OFFERED])?;
    stage.ask(Who::Alan, ["incident", "advise", id, "--reference", ADVISORY, "--text", TOLD])?;
    stage.ask(Who::Alan, ["incident", "close", id])?;
    statement(stage, id, (STATEMENT, STATEMENT_PDF, STATEMENT_JSON))?;
    Ok(("every step was taken: the incident is closed, its statement signed".to_owned(), ()))
}

/// How often the replacement has signed for callers.
fn signed_again(stage: &Stage, incident: &Value) -> Result<u64, Failure> {
    let key = text(incident, "replacement")?;
    let told = stage.ask(Who::Alan, ["key", "blast-radius", &key])?;
    let groups = told["environments"]["groups"].as_array().into_iter().flatten();
    let asked = groups.filter(|group| group.get("environment").is_some());
    Ok(asked.filter_map(|group| group["count"]["count"].as_u64().or(group["count"].as_u64())).sum())
}

/// Fetches the statement of a closed incident once the server has made it.
pub(crate) fn statement(stage: &Stage, id: &str, files: (&str, &str, &str)) -> Result<(), Failure> {
    let made = |shown: &Value| shown["reported"] == true;
    stage.ask_until(Who::Alan, &["incident", "show", id], "the statement", made)?;
    let at = |file| stage.place().public(file);
    if let Some(folder) = at(files.0).parent() {
        fs::create_dir_all(folder).map_err(Failure::file("create", folder))?;
    }
    let words = [
        "incident".into(),
        "statement".into(),
        id.into(),
        "--out".into(),
        at(files.0),
        "--pdf".into(),
        at(files.1),
        "--evidence".into(),
        at(files.2),
    ];
    stage.ask(Who::Alan, words).map(|_| ())
}

/// Both statements hold without the server.
pub(crate) fn verify(stage: &Stage, statements: [&str; 2]) -> Result<(String, ()), Failure> {
    let vkey = format!("@{}", stage.place().public(NEW_VKEY).display());
    for statement in statements {
        stage.verify([stage.place().public(statement), "--vkey".into(), vkey.clone().into()], 0)?;
    }
    Ok(("both statements are valid offline: receipts, list, signature".to_owned(), ()))
}
