//! `sealbook rebuild | backup | restore`: what an operator does with a ledger's storage.

use std::path::PathBuf;

use clap::Args;
use sealbook_ledger::note::Vkey;
use serde_json::json;

use super::context::Context;
use super::failure::Failure;
use super::operate::{self, Deployment, Logs};
use super::output::table;
use crate::rebuilding;
use crate::restoring;

/// Makes the read tables again from the events, and says whether they were right
#[derive(Debug, Args)]
pub struct RebuildCommand {
    #[command(flatten)]
    deployment: Deployment,
}

/// Writes every tenant's bundle and the places of its ledger keys into a folder
#[derive(Debug, Args)]
pub struct BackupCommand {
    #[command(flatten)]
    deployment: Deployment,
    /// Where to write
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Puts a lost tail back from a bundle, byte for byte
#[derive(Debug, Args)]
pub struct RestoreCommand {
    #[command(flatten)]
    deployment: Deployment,
    /// The bundle: an export or a backup
    bundle: PathBuf,
    /// The ledger key to believe the bundle by: the vkey itself or @FILE
    #[arg(long, value_name = "VKEY|@FILE", required = true)]
    vkey: Vec<String>,
    /// The backup's *.keys.json, where the database lost the places of the ledger keys too
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

/// Runs `sealbook rebuild`.
pub fn rebuild(command: &RebuildCommand, context: &Context) -> Result<(), Failure> {
    operate::log(Logs::Text, "warn");
    let results = operate::block_on(async {
        let opened = command.deployment.open().await?;
        let mut results = Vec::new();
        let ledgers = opened.store.ledgers().await;
        for row in ledgers.map_err(|error| Failure::operate("the ledgers can't be listed", error))? {
            let rebuilt = rebuilding::rebuild(&opened.store, &row).await;
            results
                .push((row, rebuilt.map_err(|error| Failure::operate("a ledger can't be rebuilt", error))?));
        }
        opened.close().await?;
        Ok(results)
    })?;
    let list: Vec<_> = results
        .iter()
        .map(|(row, r)| json!({ "tenant": row.tenant, "events": r.events, "rows": r.rows, "signatures": r.signatures, "agreed": r.agreed }))
        .collect();
    context.out.show(&json!({ "ledgers": list }), || {
        let rows: Vec<Vec<String>> = results
            .iter()
            .map(|(row, r)| {
                let verdict = if r.agreed { "as the events say" } else { "differed, rebuilt" };
                vec![
                    row.tenant.to_string(),
                    r.events.to_string(),
                    (r.rows as u64 + r.signatures).to_string(),
                    verdict.to_owned(),
                ]
            })
            .collect();
        table(&["TENANT", "EVENTS", "ROWS", "READ TABLES"], &rows)
    })
}

/// Runs `sealbook backup`.
pub fn backup(command: &BackupCommand, context: &Context) -> Result<(), Failure> {
    operate::log(Logs::Text, "warn");
    std::fs::create_dir_all(&command.out)
        .map_err(|error| Failure::operate("the folder can't be made", error))?;
    let written = operate::block_on(async {
        let opened = command.deployment.open().await?;
        let mut written = Vec::new();
        let ledgers = opened.store.ledgers().await;
        for row in ledgers.map_err(|error| Failure::operate("the ledgers can't be listed", error))? {
            let one = restoring::back_up(&opened.store, &row, &command.out).await;
            written.extend(one.map_err(|error| Failure::operate("a ledger can't be backed up", error))?);
        }
        opened.close().await?;
        Ok(written)
    })?;
    let list: Vec<_> = written
        .iter()
        .map(|one| json!({ "bundle": one.bundle, "keys": one.keys, "events": one.events }))
        .collect();
    context.out.show(&json!({ "written": list }), || {
        let row = |one: &restoring::BackedUp| vec![one.bundle.display().to_string(), one.events.to_string()];
        table(&["BUNDLE", "EVENTS"], &written.iter().map(row).collect::<Vec<_>>())
    })
}

/// Runs `sealbook restore`.
pub fn restore(command: &RestoreCommand, context: &Context) -> Result<(), Failure> {
    operate::log(Logs::Text, "warn");
    let vkeys = command.vkey.iter().map(|text| pinned(text)).collect::<Result<Vec<_>, _>>()?;
    let restored = operate::block_on(async {
        let opened = command.deployment.open().await?;
        let keys = command.keys.as_deref();
        let restored = restoring::restore(&opened.store, &command.bundle, keys, vkeys).await;
        let restored = restored.map_err(|error| Failure::operate("the ledger can't be restored", error))?;
        let ledgers = opened.store.ledgers().await;
        let ledgers = ledgers.map_err(|error| Failure::operate("the ledgers can't be listed", error))?;
        for row in ledgers.iter().filter(|row| row.origin == restored.origin) {
            let rebuilt = rebuilding::rebuild(&opened.store, row).await;
            rebuilt.map_err(|error| Failure::operate("the read tables can't be rebuilt", error))?;
        }
        opened.close().await?;
        Ok(restored)
    })?;
    let (had, has) = (restored.had, restored.has);
    context.out.show(&json!({ "origin": restored.origin, "had": had, "has": has }), || {
        format!("{}: {} events put back, {has} in all\n", restored.origin, has - had)
    })
}

fn pinned(text: &str) -> Result<Vkey, Failure> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::operate("the vkey's file can't be read", error))?,
        None => text.to_owned(),
    };
    text.trim().parse().map_err(|error| Failure::operate("that is no vkey", error))
}
