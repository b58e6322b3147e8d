//! `sealbook tenant`: ledgers, for whoever runs the deployment.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Subcommand;
use sealbook_ledger::ids::{Aaguid, BackendName, TenantName};
use sealbook_ledger::policy::{CredentialRules, LedgerPolicy, Role};
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
    /// Open a tenant's ledger and write its founders' tickets and links (takes the operator's token)
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
        /// The ledger policy that the founders sign, as JSON; the defaults, if absent
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Accept only attested hardware authenticators
        #[arg(long)]
        hardware_only: bool,
        /// Have everybody sign in by a passkey of its own, which never approves (takes a server with `rp.sign_in_id`)
        #[arg(long)]
        separate_sign_in: bool,
        /// Accept only authenticators of this make; give it for each
        #[arg(long = "aaguid", value_name = "AAGUID")]
        aaguids: Vec<Aaguid>,
    },
    /// Write new tickets for the founders who have not signed; their earlier ones are void (takes the operator's token)
    Tickets {
        /// The tenant
        name: TenantName,
        /// The folder that the tickets are written to
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// List the tenants (takes the operator's token)
    List,
    /// Show the tenant named with --tenant
    Show,
    /// Write the ledger birth certificate of the tenant named with --tenant, as PDF
    Certificate {
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
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
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<LedgerPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<CredentialRules>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    separate_sign_in: bool,
}

/// Runs the command.
pub fn run(command: &TenantCommand, context: &Context) -> Result<(), Failure> {
    match command {
        TenantCommand::Open {
            name,
            founders,
            backend,
            out,
            policy,
            hardware_only,
            separate_sign_in,
            aaguids,
        } => {
            let policy = policy.as_deref().map(read_policy).transpose()?;
            let credentials = credential_rules(policy.as_ref(), *hardware_only, aaguids);
            let backend = backend.as_ref();
            let separate_sign_in = *separate_sign_in;
            let request =
                OpenRequest { tenant: name, founders, backend, policy, credentials, separate_sign_in };
            let call = Call::post("/v1/tenants", &request)?;
            write_tickets(context, &call, out)
        }
        TenantCommand::Tickets { name, out } => {
            write_tickets(context, &Call::post(format!("/v1/tenants/{name}/tickets"), &json!({}))?, out)
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
        TenantCommand::Certificate { out } => certificate(context, out),
    }
}

fn read_policy(path: &Path) -> Result<LedgerPolicy, Failure> {
    let text = std::fs::read(path).map_err(Failure::file("read", path))?;
    serde_json::from_slice(&text).map_err(|error| {
        let what = format!("{} holds no ledger policy: {error}", path.display());
        Failure::usage(what, "Write it as `policy` in a founding document; `GET …/policy` shows one.")
    })
}

/// The rules that options give, on top of a policy's own; `None` where no option does.
fn credential_rules(
    policy: Option<&LedgerPolicy>,
    hardware_only: bool,
    aaguids: &[Aaguid],
) -> Option<CredentialRules> {
    if !hardware_only && aaguids.is_empty() {
        return None;
    }
    let own = policy.map(|policy| policy.credentials.clone());
    let mut rules = own.unwrap_or(CredentialRules { aaguids: None, hardware_only: false });
    rules.hardware_only |= hardware_only;
    if !aaguids.is_empty() {
        rules.aaguids = Some(aaguids.iter().copied().collect());
    }
    Some(rules)
}

fn write_tickets(context: &Context, call: &Call, out: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(out).map_err(Failure::file("create", out))?;
    let opened: OpenedTenant = context.operator()?.json(call)?;
    let mut written = Vec::new();
    for entry in &opened.tickets {
        let path = out.join(format!("{}-founder-{}.ticket", opened.tenant, entry.founder));
        let ticket = Token::parse(TokenKind::Ticket, &entry.ticket);
        let ticket = ticket.map_err(|source| Failure::Token { path: path.clone(), source })?;
        private_file::write(&path, ticket.expose())?;
        let beside = path.with_extension("link");
        private_file::write(&beside, &link(&opened.page_url, &entry.ticket))?;
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
        if context.out.is_seen() {
            text.push_str("their links, to open in a browser:\n");
            for entry in &opened.tickets {
                text.push_str(&format!("  {}\n", link(&opened.page_url, &entry.ticket)));
            }
        }
        text
    })
}

/// The page, with the ticket in the fragment, which browsers keep to themselves.
pub(super) fn link(page: &str, ticket: &str) -> String {
    format!("{page}#{ticket}")
}

/// The PDF goes to a file; what it says is no secret.
fn certificate(context: &Context, out: &std::path::Path) -> Result<(), Failure> {
    let (_, bytes) = context.caller()?.bytes(&Call::get(context.path("/birth-certificate")?))?;
    std::fs::write(out, bytes).map_err(Failure::file("write", out))?;
    let file = printable(&out.display().to_string());
    context.out.show(&json!({ "file": out }), || fields(&[("wrote", file)]))
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
