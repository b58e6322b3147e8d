//! The statement of an incident: what people outside are shown, with its proofs.

use std::path::Path;

use sealbook_ledger::encoding::Hash;
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

/// Has a statement made, and writes it; its report for people too, where that is wanted.
pub(super) fn fetch(
    context: &Context,
    incident: &IdArg,
    out: &Path,
    pdf: Option<&Path>,
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
    let told = json!({
        "incident": id, "drill": about.drill, "file": out, "pdf": pdf,
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
        lines.extend(pdf.map(|pdf| ("PDF", printable(&pdf.display().to_string()))));
        fields(&lines)
    })
}
