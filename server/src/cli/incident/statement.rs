//! The statement of an incident: what people outside are shown, with its proofs.

use std::path::Path;

use sealbook_ledger::encoding::Hash;
use sealbook_ledger::evidence::EVIDENCE;
use sealbook_ledger::pack::Pack;
use serde::Deserialize;
use serde_json::json;

use super::{PATIENCE, console, one};
use crate::cli::context::Context;
use crate::cli::download;
use crate::cli::failure::Failure;
use crate::cli::output::{fields, printable};
use crate::cli::short_id::IdArg;
use crate::client::Call;

/// `POST …/incidents/{incident}/statement`.
#[derive(Deserialize)]
struct Made {
    sha256: Hash,
    size: u64,
    seq: u64,
}

/// Has a statement made, and writes it; its report for people and what the events say too, where these are wanted.
pub(super) fn fetch(
    context: &Context,
    incident: &IdArg,
    out: &Path,
    (pdf, evidence): (Option<&Path>, Option<&Path>),
) -> Result<(), Failure> {
    let client = context.person()?.client;
    let id = context.incident_id(&client, incident)?;
    let about = one(context, &client, id)?;
    let call = Call::post(context.path(&format!("/incidents/{id}/statement"))?, &json!({}))?;
    let made: Made = client.json(&call.within(PATIENCE))?;
    let pack = context.path(&format!("/reports/{}", made.sha256))?;
    download::save(context, &pack, out)?;
    if let Some(pdf) = pdf {
        download::save(context, &format!("{pack}/REP.pdf"), pdf)?;
    }
    if let Some(evidence) = evidence {
        extract(out, evidence)?;
    }
    let told = json!({
        "incident": id, "drill": about.drill, "file": out, "pdf": pdf, "evidence": evidence,
        "sha256": made.sha256, "size": made.size, "seq": made.seq,
    });
    context.out.show(&told, || {
        let mut lines = vec![
            ("statement of", console::head(&about)),
            ("wrote", printable(&out.display().to_string())),
            ("pack", made.sha256.to_string()),
            ("recorded", format!("event {}", made.seq)),
            ("check it", "sealbook-verify FILE --vkey @PINNED.vkey".to_owned()),
        ];
        let shown = |file: &Path| printable(&file.display().to_string());
        lines.extend(pdf.map(|file| ("PDF", shown(file))));
        lines.extend(evidence.map(|file| ("JSON", shown(file))));
        fields(&lines)
    })
}

/// Writes a pack's `evidence.json` beside it.
fn extract(pack: &Path, out: &Path) -> Result<(), Failure> {
    let file = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Failure::File { doing, path, source }
    };
    let bytes = std::fs::read(pack).map_err(file("read", pack))?;
    let unreadable = || Failure::Distrust { what: "the server's statement is no evidence pack".to_owned() };
    let pack = Pack::open(&bytes).map_err(|_| unreadable())?;
    let evidence = pack.file(EVIDENCE).ok_or_else(unreadable)?;
    std::fs::write(out, evidence).map_err(file("write", out))
}
