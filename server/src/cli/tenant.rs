//! `sealbook tenant`: ledgers, for whoever runs the deployment.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Subcommand;
use sealbook_ledger::ids::{BackendName, TenantName};
use sealbook_ledger::policy::Role;
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::failure::Failure;
use super::output::{fields, printable, table};
use super::private_file;
use crate::client::answers::{OpenedTenant, Tenants};
use crate::client::{Call, Token, TokenKind};

/// Tenants, each with a ledger of its own
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Open a tenant's ledger and write its founders' tickets (takes the operator's token)
    Open {
        /// The tenant
        name: TenantName,
        /// A founder: NAME, or NAME:role,role; give it for each of 2 to 16
        #[arg(long = "founder", required = true, value_name = "NAME[:ROLES]")]
        founders: Vec<Founder>,
        /// The device that keeps the ledger key
        #[arg(long)]
        backend: Option<BackendName>,
        /// The folder that the tickets are written to
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// List the tenants (takes the operator's token)
    List,
    /// Show the tenant named with --tenant
    Show,
}

/// A founder to be: a name, and roles where the default ones don't fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Founder {
    display_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<Role>,
}

impl FromStr for Founder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, roles) = text.rsplit_once(':').unwrap_or((text, ""));
        if name.is_empty() {
            return Err("a founder needs a name".to_owned());
        }
        let roles = roles.split(',').filter(|role| !role.is_empty()).map(str::parse);
        let roles = roles.collect::<Result<Vec<Role>, _>>().map_err(|error| error.to_string())?;
        Ok(Self { display_name: name.to_owned(), roles })
    }
}

#[derive(Serialize)]
struct OpenRequest<'a> {
    tenant: &'a TenantName,
    founders: &'a [Founder],
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<&'a BackendName>,
}

/// Runs the command.
pub fn run(command: &TenantCommand, context: &Context) -> Result<(), Failure> {
    match command {
        TenantCommand::Open { name, founders, backend, out } => {
            open(context, &OpenRequest { tenant: name, founders, backend: backend.as_ref() }, out)
        }
        TenantCommand::List => {
            let tenants: Tenants = context.operator()?.json(&Call::get("/v1/tenants"))?;
            let rows: Vec<Vec<String>> = tenants
                .tenants
                .iter()
                .map(|tenant| {
                    let founded = if tenant.founded { "founded" } else { "founding" };
                    let sealed = format!("{}/{}", tenant.sealed_size, tenant.size);
                    vec![tenant.tenant.to_string(), founded.to_owned(), sealed, tenant.origin.to_string()]
                })
                .collect();
            context.out.show(&tenants, || table(&["TENANT", "STATE", "SEALED", "ORIGIN"], &rows))
        }
        TenantCommand::Show => show(context),
    }
}

fn open(context: &Context, request: &OpenRequest<'_>, out: &std::path::Path) -> Result<(), Failure> {
    std::fs::create_dir_all(out).map_err(Failure::file("create", out))?;
    let opened: OpenedTenant = context.operator()?.json(&Call::post("/v1/tenants", request)?)?;
    let mut written = Vec::new();
    for entry in &opened.tickets {
        let path = out.join(format!("{}-founder-{}.ticket", opened.tenant, entry.founder));
        let ticket = Token::parse(TokenKind::Ticket, &entry.ticket);
        let ticket = ticket.map_err(|source| Failure::Token { path: path.clone(), source })?;
        private_file::write(&path, ticket.expose())?;
        written.push((entry, path));
    }
    let tickets: Vec<_> = written
        .iter()
        .map(|(entry, path)| json!({"founder": entry.founder, "file": path, "expires_at": entry.expires_at}))
        .collect();
    let result = json!({
        "tenant": opened.tenant, "origin": opened.origin, "vkey": opened.vkey, "tickets": tickets,
    });
    context.out.show(&result, || {
        let mut text = fields(&[
            ("tenant", opened.tenant.to_string()),
            ("origin", opened.origin.to_string()),
            ("vkey", opened.vkey.to_string()),
        ]);
        text.push_str("tickets, one for each founder, to be handed over privately:\n");
        for (entry, path) in &written {
            let file = printable(&path.display().to_string());
            text.push_str(&format!("  {file}  (until {})\n", entry.expires_at));
        }
        text
    })
}

fn show(context: &Context) -> Result<(), Failure> {
    let ledger = context.ledger(&context.caller()?)?;
    context.out.show(&ledger, || {
        let unfounded = || "not yet".to_owned();
        fields(&[
            ("tenant", ledger.tenant.to_string()),
            ("origin", ledger.origin.to_string()),
            ("vkey", ledger.vkey.to_string()),
            ("founding", ledger.founding_digest.map_or_else(unfounded, |digest| digest.to_string())),
            ("events", format!("{} ({} sealed)", ledger.size, ledger.sealed_size)),
            ("rules", ledger.rules.to_string()),
            ("policy", ledger.policy_digest.map_or_else(unfounded, |digest| digest.to_string())),
        ])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_founder_is_a_name_and_perhaps_roles() {
        let plain: Founder = "Ada".parse().unwrap();
        assert!(plain.roles.is_empty());
        let roled: Founder = "Ada: the first:approver,auditor".parse().unwrap();
        assert_eq!(roled.display_name, "Ada: the first");
        assert_eq!(roled.roles, [Role::Approver, Role::Auditor]);
        assert!("Ada:king".parse::<Founder>().is_err());
        assert!(":approver".parse::<Founder>().is_err());
    }
}
