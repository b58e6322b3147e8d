//! The client half of the `sealbook` binary: one subcommand a file.

mod action;
mod audit;
mod authenticator;
mod calendar;
mod certificate;
mod context;
mod credential;
mod dev;
mod doctor;
mod document;
mod download;
mod drill;
mod events;
mod evidence;
mod export;
pub mod failure;
mod founding;
mod governance;
mod hsm;
mod incident;
mod json_file;
mod key;
mod listed;
mod maintenance;
mod member;
mod operate;
mod output;
mod private_file;
mod proposal;
mod receipt;
mod release;
mod report;
mod revocation;
mod rotation;
pub mod sentence;
mod serve;
mod service;
mod short_id;
mod sign;
mod slot;
pub mod tenant;
mod verify;

#[cfg(test)]
mod tests;

use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::json;

use crate::client::Call;
use crate::client::answers::Suspended;
use context::{Context, Globals};
use failure::{Exit, Failure};
use output::fields;

/// Keeps signing keys in HSMs, and the proof of everything that was done with them in ledgers
#[derive(Debug, Parser)]
#[command(name = "sealbook", version, max_term_width = 80, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What the binary does, for a server's operator and for everybody who asks one.
#[derive(Debug, Subcommand)]
enum Command {
    /// Serve everything from one folder, with nothing to configure
    Dev(dev::DevCommand),
    /// Serve a production deployment from a configuration file
    Serve(serve::ServeCommand),
    /// Bring a production database's schema up to date
    Migrate(serve::MigrateCommand),
    /// Make the read tables again from the events
    Rebuild(maintenance::RebuildCommand),
    /// Write every tenant's bundle and key places into a folder
    Backup(maintenance::BackupCommand),
    /// Put a lost tail back from a bundle, byte for byte
    Restore(maintenance::RestoreCommand),
    /// Verify offline: runs sealbook-verify with the same arguments
    Verify(verify::VerifyCommand),
    #[command(flatten)]
    Client(ClientCommand),
}

/// What asks a server.
#[derive(Debug, Subcommand)]
enum ClientCommand {
    #[command(subcommand)]
    /// Tenants, each with a ledger of its own
    Tenant(tenant::TenantCommand),
    #[command(subcommand)]
    /// Software authenticators: recorded as `software`, for a file can be copied
    Authenticator(authenticator::AuthenticatorCommand),
    #[command(subcommand)]
    /// The founding of a ledger
    Founding(founding::FoundingCommand),
    #[command(subcommand)]
    /// People: enrolment, roles, suspension
    Member(member::MemberCommand),
    #[command(subcommand)]
    /// Authenticators of people who are enrolled
    Credential(credential::CredentialCommand),
    #[command(subcommand)]
    /// Machine clients and their tokens
    Service(service::ServiceCommand),
    #[command(subcommand)]
    /// Signing slots
    Slot(slot::SlotCommand),
    #[command(subcommand)]
    /// Keys and their revocation
    Key(key::KeyCommand),
    #[command(subcommand)]
    /// Rotations: a new key in a slot's old one's place
    Rotation(rotation::RotationCommand),
    #[command(subcommand)]
    /// Certificates of slots' keys
    Certificate(certificate::CertificateCommand),
    #[command(subcommand)]
    /// What is not to be believed any more, and the lists in which CAs say so
    Revocation(revocation::RevocationCommand),
    #[command(subcommand)]
    /// Incidents: a key that somebody else may hold
    Incident(incident::IncidentCommand),
    #[command(subcommand)]
    /// Drills: incidents on keys that were made to be practised on
    Drill(drill::DrillCommand),
    #[command(subcommand)]
    /// Devices, and who can reach them
    Hsm(hsm::HsmCommand),
    #[command(subcommand)]
    /// The key that signs checkpoints
    LedgerKey(governance::LedgerKeyCommand),
    #[command(subcommand)]
    /// The key that signs documents
    EvidenceKey(governance::EvidenceKeyCommand),
    #[command(subcommand)]
    /// Who may propose and approve what
    Policy(governance::PolicyCommand),
    #[command(subcommand)]
    /// Dual-control actions
    Action(action::ActionCommand),
    /// Sign files: writes FILE.sig, FILE.tlog-proof and FILE.VERIFY.txt
    Sign(sign::SignCommand),
    #[command(subcommand)]
    /// Releases: their papers, and the evidence of revoked keys
    Release(release::ReleaseCommand),
    /// Fetch the receipt of an event: a C2SP tlog-proof that stands alone
    Receipt(receipt::ReceiptCommand),
    #[command(subcommand)]
    /// Outside evidence
    Evidence(evidence::EvidenceCommand),
    /// What must come round, and when: what is late first
    Calendar,
    #[command(subcommand)]
    /// How a ledger stood at a date, and random samples
    Audit(audit::AuditCommand),
    /// Evidence packs: what was issued, the packs themselves, and packs of a period
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Export the ledger as a bundle for offline verification
    Export(export::ExportCommand),
    /// Tell what happened, one readable line an event
    Events(events::EventsCommand),
    /// Check the server, the clocks and the tools from here
    Doctor(doctor::DoctorCommand),
}

impl Cli {
    /// Runs the command; what failed is told on stderr, or as JSON where that was asked for.
    pub fn run(self) -> Exit {
        let as_json = self.globals.json;
        let context = Context::new(self.globals);
        let outcome = match &self.command {
            Command::Dev(command) => dev::run(command, &context),
            Command::Serve(command) => serve::run(command, &context),
            Command::Migrate(command) => serve::migrate(command, &context),
            Command::Rebuild(command) => maintenance::rebuild(command, &context),
            Command::Backup(command) => maintenance::backup(command, &context),
            Command::Restore(command) => maintenance::restore(command, &context),
            Command::Verify(command) => verify::run(command),
            Command::Client(command) => command.run(&context),
        };
        match outcome {
            Ok(()) => Exit::Done,
            Err(failure) => {
                tell(&failure, as_json);
                failure.exit()
            }
        }
    }
}

impl ClientCommand {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Tenant(command) => tenant::run(command, context),
            Self::Authenticator(command) => authenticator::run(command, context),
            Self::Founding(command) => founding::run(command, context),
            Self::Member(command) => member::run(command, context),
            Self::Credential(command) => credential::run(command, context),
            Self::Service(command) => service::run(command, context),
            Self::Slot(command) => slot::run(command, context),
            Self::Key(command) => key::run(command, context),
            Self::Rotation(command) => rotation::run(command, context),
            Self::Certificate(command) => certificate::run(command, context),
            Self::Revocation(command) => revocation::run(command, context),
            Self::Incident(command) => incident::run(command, context),
            Self::Drill(command) => drill::run(command, context),
            Self::Hsm(command) => hsm::run(command, context),
            Self::LedgerKey(command) => governance::ledger_key(command, context),
            Self::EvidenceKey(command) => governance::evidence_key(command, context),
            Self::Policy(command) => governance::policy(command, context),
            Self::Action(command) => action::run(command, context),
            Self::Sign(command) => sign::run(command, context),
            Self::Release(command) => release::run(command, context),
            Self::Receipt(command) => receipt::run(command, context),
            Self::Evidence(command) => evidence::run(command, context),
            Self::Calendar => calendar::run(context),
            Self::Audit(command) => audit::run(command, context),
            Self::Report(command) => report::run(command, context),
            Self::Export(command) => export::run(command, context),
            Self::Events(command) => events::run(command, context),
            Self::Doctor(command) => doctor::run(command, context),
        }
    }
}

fn tell(failure: &Failure, as_json: bool) {
    use std::io::Write as _;
    let text = if as_json {
        let problem = json!({
            "error": failure.to_string(), "code": failure.code(), "to_do": failure.hint(),
        });
        format!("{problem}\n")
    } else {
        failure.report()
    };
    // Where stderr is closed there is nobody left to tell.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Asks for containment at a path below the tenant's and shows when it ends.
fn suspend(context: &Context, what: &str, reason: Option<&str>) -> Result<(), Failure> {
    let body = reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}));
    let path = context.path(&format!("{what}/suspend"))?;
    let suspended: Suspended = context.person()?.client.json(&Call::post(path, &body)?)?;
    context.out.show(&suspended, || {
        let until = suspended.lapses_at.map_or_else(|| "a quorum lifts it".to_owned(), |at| at.to_string());
        fields(&[("suspended", format!("event {}", suspended.seq)), ("until", until)])
    })
}

/// A word that may stand in a query as it is: types and statuses are letters, dots and underscores.
fn query_word<'a>(name: &str, text: &'a str) -> Result<&'a str, Failure> {
    let clean = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(clean) {
        Ok(text)
    } else {
        Err(Failure::usage(format!("not a {name}: letters, dots and underscores"), "Correct the option."))
    }
}

/// The command line's definition, for documents and tests.
pub fn definition() -> clap::Command {
    Cli::command()
}
