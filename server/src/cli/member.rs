//! `sealbook member`: the people of a ledger.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use sealbook_ledger::action::{
    ActionType, MemberEnrollParams, MemberParams, MemberRestoreParams, RoleGrantParams, RoleRevokeParams,
};
use sealbook_ledger::encoding::B64;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;
use serde_json::json;

use super::context::Context;
use super::document::Asked;
use super::failure::Failure;
use super::founding::RegistrationRequest;
use super::output::{fields, printable, table};
use super::private_file;
use super::proposal::Terms;
use super::sentence::join;
use super::short_id::IdArg;
use crate::client::answers::{Candidates, Invitation, Invited, Member, Members, RegisteredCandidate};
use crate::client::{Call, Token, TokenKind};
use crate::relying_parties::Use;

/// People: enrolment, roles, suspension
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// List everybody who was ever enrolled
    List,
    /// Show one person
    Show {
        /// Who
        member: IdArg,
    },
    /// Invite somebody: writes a one-time ticket to hand over privately
    Invite {
        /// The person's name
        name: String,
        /// A role to begin with; give it for each
        #[arg(long = "role", required = true)]
        roles: Vec<Role>,
        /// The file that the ticket is written to
        #[arg(long, value_name = "FILE")]
        ticket_out: PathBuf,
    },
    /// List those who were invited
    Candidates,
    /// Register the authenticator given with --as under an invitation's ticket
    Register {
        /// The file that holds the ticket
        #[arg(long, value_name = "FILE")]
        ticket_file: PathBuf,
    },
    /// Propose to enrol a candidate who registered
    Enroll {
        /// The candidate, as `member candidates` lists it
        candidate: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to remove somebody
    Remove {
        /// Who
        member: IdArg,
        #[command(flatten)]
        terms: Terms,
    },
    /// Suspend somebody at once: containment needs one person
    Suspend {
        /// Who
        member: IdArg,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Propose to lift a suspension
    Restore {
        /// Who
        member: IdArg,
        /// Lift that of this authenticator alone
        #[arg(long, allow_hyphen_values = true)]
        credential: Option<B64>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to give somebody a role
    Grant {
        /// To whom
        member: IdArg,
        /// Which
        #[arg(value_name = "ROLE")]
        granted: Role,
        /// First moment that it holds
        #[arg(long)]
        not_before: Option<Timestamp>,
        /// First moment that it no longer holds
        #[arg(long)]
        not_after: Option<Timestamp>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Propose to take a role from somebody
    Revoke {
        /// From whom
        member: IdArg,
        /// Which
        #[arg(value_name = "ROLE")]
        revoked: Role,
        #[command(flatten)]
        terms: Terms,
    },
}

/// Runs the command.
pub fn run(command: &MemberCommand, context: &Context) -> Result<(), Failure> {
    match command {
        MemberCommand::List => list(context),
        MemberCommand::Show { member } => show(context, context.member_id(member)?),
        MemberCommand::Invite { name, roles, ticket_out } => invite(context, name, roles, ticket_out),
        MemberCommand::Candidates => candidates(context),
        MemberCommand::Register { ticket_file } => register(context, ticket_file),
        MemberCommand::Enroll { candidate, terms } => enroll(context, candidate, terms),
        MemberCommand::Remove { member, terms } => context.propose_params(
            ActionType::MemberRemove,
            &MemberParams { member: context.member_id(member)? },
            terms,
        ),
        MemberCommand::Suspend { member, reason } => {
            super::suspend(context, &format!("/members/{}", context.member_id(member)?), reason.as_deref())
        }
        MemberCommand::Restore { member, credential, terms } => {
            let params =
                MemberRestoreParams { credential_id: credential.clone(), member: context.member_id(member)? };
            context.propose_params(ActionType::MemberRestore, &params, terms)
        }
        MemberCommand::Grant { member, granted, not_before, not_after, terms } => {
            let params = RoleGrantParams {
                member: context.member_id(member)?,
                not_after: *not_after,
                not_before: *not_before,
                role: *granted,
            };
            context.propose_params(ActionType::RoleGrant, &params, terms)
        }
        MemberCommand::Revoke { member, revoked, terms } => context.propose_params(
            ActionType::RoleRevoke,
            &RoleRevokeParams { member: context.member_id(member)?, role: *revoked },
            terms,
        ),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let members: Members = context.caller()?.json(&Call::get(context.path("/members")?))?;
    let row = |member: &Member| {
        let name = member.display_name.clone().unwrap_or_else(|| "-".to_owned());
        let roles = join(member.roles.iter().map(|grant| grant.role));
        vec![member.member.to_string(), member.status.clone(), name, roles]
    };
    let rows: Vec<_> = members.members.iter().map(row).collect();
    context.out.show(&members, || table(&["MEMBER", "STATUS", "NAME", "ROLES"], &rows))
}

fn show(context: &Context, member: MemberId) -> Result<(), Failure> {
    let member: Member = context.caller()?.json(&Call::get(context.path(&format!("/members/{member}"))?))?;
    context.out.show(&member, || {
        let mut pairs = vec![
            ("member", member.member.to_string()),
            ("name", member.display_name.clone().unwrap_or_else(|| "-".to_owned())),
            ("status", member.status.clone()),
        ];
        for grant in &member.roles {
            let from = grant.not_before.map(|at| format!(" from {at}")).unwrap_or_default();
            let until = grant.not_after.map(|at| format!(" until {at}")).unwrap_or_default();
            pairs.push(("role", format!("{}{from}{until}", grant.role)));
        }
        for held in &member.credentials {
            pairs.push(("credential", format!("{} ({}, {})", held.credential_id, held.kind, held.status)));
        }
        fields(&pairs)
    })
}

fn invite(context: &Context, name: &str, roles: &[Role], ticket_out: &Path) -> Result<(), Failure> {
    let request = json!({"display_name": name, "roles": roles});
    issue(context, "/candidates", &request, ticket_out)
}

/// Has an invitation made and writes its ticket; the link is shown to a person alone.
pub(super) fn issue(
    context: &Context,
    path: &str,
    request: &serde_json::Value,
    ticket_out: &Path,
) -> Result<(), Failure> {
    let person = context.person()?;
    let invited: Invited = person.client.json(&Call::post(context.path(path)?, request)?)?;
    let ticket = Token::parse(TokenKind::Ticket, &invited.ticket);
    let ticket = ticket.map_err(|source| Failure::Token { path: ticket_out.to_owned(), source })?;
    private_file::write(ticket_out, ticket.expose())?;
    let result =
        json!({"candidate": invited.candidate, "expires_at": invited.expires_at, "ticket_file": ticket_out});
    context.out.show(&result, || {
        let mut pairs = vec![
            ("candidate", invited.candidate.clone()),
            ("ticket", printable(&ticket_out.display().to_string())),
            ("until", invited.expires_at.to_string()),
        ];
        if context.out.is_seen() {
            pairs.push(("link", super::tenant::link(&invited.page_url, &invited.ticket)));
        }
        fields(&pairs)
    })
}

fn candidates(context: &Context) -> Result<(), Failure> {
    let all: Candidates = context.person()?.client.json(&Call::get(context.path("/candidates")?))?;
    let rows: Vec<Vec<String>> = all
        .candidates
        .iter()
        .map(|candidate| {
            let registered = if candidate.credential.is_some() { "yes" } else { "no" };
            let name = candidate.display_name.clone().unwrap_or_else(|| "-".to_owned());
            vec![candidate.candidate.clone(), registered.to_owned(), name, join(candidate.roles.iter())]
        })
        .collect();
    context.out.show(&all, || table(&["CANDIDATE", "REGISTERED", "NAME", "ROLES"], &rows))
}

fn register(context: &Context, ticket_file: &Path) -> Result<(), Failure> {
    let ticket = private_file::read_token(TokenKind::Ticket, ticket_file)?;
    let session = context.session()?;
    let client = context.anonymous()?.with_token(ticket.clone());
    let path = context.path("/candidates/register")?;
    let invitation: Invitation = client.json(&Call::get(context.path("/invitation")?))?;
    let register = |wanted| -> Result<RegisteredCandidate, Failure> {
        let request = RegistrationRequest::new(&session, wanted, &ticket, None)?;
        Ok(client.json(&Call::post(path.clone(), &request)?)?)
    };
    let mut registered = register(invitation.next.unwrap_or(Use::Approve))?;
    if let Some(next) = registered.next {
        registered = register(next)?;
    }
    session.remember(registered.member)?;
    context.out.show(&registered, || {
        fields(&[
            ("candidate", registered.candidate.clone()),
            ("registered as", registered.member.to_string()),
        ])
    })
}

fn enroll(context: &Context, wanted: &str, terms: &Terms) -> Result<(), Failure> {
    let person = context.person()?;
    let all: Candidates = person.client.json(&Call::get(context.path("/candidates")?))?;
    let hint = "`sealbook member candidates` lists them; the person has to register first.";
    let candidate = all.candidates.into_iter().find(|candidate| candidate.candidate == wanted);
    let candidate = candidate.ok_or_else(|| Failure::usage("there is no such candidate", hint))?;
    if candidate.purpose != "enrolment" {
        let hint = "`sealbook credential add --candidate` proposes it.";
        return Err(Failure::usage("this is another authenticator of somebody who is enrolled", hint));
    }
    let (Some(member), [_, ..]) = (candidate.member, &*candidate.credentials) else {
        return Err(Failure::usage("the candidate has not registered an authenticator yet", hint));
    };
    let params = MemberEnrollParams {
        credentials: candidate.credentials,
        display_name_digest: None,
        member,
        roles: candidate.roles,
    };
    let asked = Asked::new(ActionType::MemberEnroll, &params)?.with_display_name(candidate.display_name);
    context.propose(&person, &asked, terms)
}
