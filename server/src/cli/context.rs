//! What every command shares: the server, the tenant, and in whose name the command acts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use sealbook_ledger::ids::{MemberId, TenantName};
use sealbook_ledger::policy::Role;
use sealbook_ledger::timestamp::Timestamp;

use super::failure::Failure;
use super::output::Output;
use super::private_file;
use crate::authenticator::SoftAuthenticator;
use crate::client::answers::{Member, Members, Services, Tenant};
use crate::client::{BaseUrl, Call, Client, PersonSession, SessionPlace, Token, TokenKind};
use crate::views::story::Names;

/// The variable that holds a service's token.
const TOKEN_VARIABLE: &str = "SEALBOOK_TOKEN";

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where, and in whose name")]
pub struct Globals {
    /// The server
    #[arg(
        long,
        global = true,
        env = "SEALBOOK_URL",
        default_value = "http://localhost:7420",
        value_name = "URL"
    )]
    pub url: BaseUrl,
    /// The tenant
    #[arg(long, global = true, env = "SEALBOOK_TENANT", value_name = "NAME")]
    pub tenant: Option<TenantName>,
    /// Act as the person whose authenticator this file is
    #[arg(long = "as", global = true, env = "SEALBOOK_AUTHENTICATOR", value_name = "FILE")]
    pub authenticator: Option<PathBuf>,
    /// Sign in by this authenticator, where the tenant keeps sign-ins apart from approvals
    #[arg(long = "sign-in-as", global = true, env = "SEALBOOK_SIGN_IN_AUTHENTICATOR", value_name = "FILE")]
    pub sign_in_authenticator: Option<PathBuf>,
    /// The member that the authenticator belongs to, where no earlier run has learnt it
    // Its id is its own: commands about a member name theirs `member`, and are not to change who acts.
    #[arg(id = "acting_member", long = "member", global = true, env = "SEALBOOK_MEMBER", value_name = "ID")]
    pub member: Option<MemberId>,
    /// The web origin that assertions name, where it is not the server's URL
    #[arg(long, global = true, env = "SEALBOOK_WEB_ORIGIN", value_name = "ORIGIN")]
    pub web_origin: Option<String>,
    /// Act as the service whose token this file holds; or set SEALBOOK_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Act as the operator whose token this file holds
    #[arg(long, global = true, env = "SEALBOOK_OPERATOR_TOKEN_FILE", value_name = "FILE")]
    pub operator_token_file: Option<PathBuf>,
    /// The folder that remembers sessions; the user's state folder, if absent
    #[arg(long, global = true, env = "SEALBOOK_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Show results as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// A person who is about to act.
pub(super) struct Person {
    /// Asks the server in the person's name.
    pub(super) client: Client,
    /// Signs in the person's name.
    pub(super) session: Arc<PersonSession>,
}

/// What the options come to.
pub struct Context {
    globals: Globals,
    /// Where results go.
    pub(super) out: Output,
}

impl Context {
    /// Nothing is read or sent yet.
    pub fn new(globals: Globals) -> Self {
        let out = Output::new(globals.json);
        Self { globals, out }
    }

    /// The server, asked in nobody's name.
    pub(super) fn anonymous(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.globals.url.clone())?)
    }

    pub(super) fn url(&self) -> &BaseUrl {
        &self.globals.url
    }

    pub(super) fn tenant(&self) -> Result<&TenantName, Failure> {
        let hint = "Name it with --tenant or SEALBOOK_TENANT.";
        self.globals.tenant.as_ref().ok_or_else(|| Failure::usage("no tenant was named", hint))
    }

    /// A path below the tenant's; `rest` begins with a slash or is empty.
    pub(super) fn path(&self, rest: &str) -> Result<String, Failure> {
        Ok(format!("/v1/tenants/{}{rest}", self.tenant()?))
    }

    /// The server, asked by its operator.
    pub(super) fn operator(&self) -> Result<Client, Failure> {
        let hint = "Give --operator-token-file or SEALBOOK_OPERATOR_TOKEN_FILE.";
        let file = self.globals.operator_token_file.as_ref();
        let file = file.ok_or_else(|| Failure::usage("this takes the operator's token", hint))?;
        Ok(self.anonymous()?.with_token(private_file::read_token(TokenKind::Operator, file)?))
    }

    /// A person's session, without a server yet: what registration needs.
    pub(super) fn session(&self) -> Result<PersonSession, Failure> {
        let hint = "Give the authenticator's file with --as or SEALBOOK_AUTHENTICATOR.";
        let file = self.globals.authenticator.as_ref();
        let file = file.ok_or_else(|| Failure::usage("this takes a person", hint))?;
        let authenticator = SoftAuthenticator::open(file)?;
        let place = SessionPlace {
            base: &self.globals.url,
            tenant: self.tenant()?.clone(),
            state: self.globals.state.clone().unwrap_or_else(|| state_folder(file)),
        };
        let sign_in = self.globals.sign_in_authenticator.as_deref();
        let sign_in = sign_in.map(SoftAuthenticator::open).transpose()?;
        let (member, web_origin) = (self.globals.member, self.globals.web_origin.clone());
        Ok(PersonSession::open(authenticator, place, member, web_origin).signing_in_by(sign_in))
    }

    /// The server, asked by a person.
    pub(super) fn person(&self) -> Result<Person, Failure> {
        let session = Arc::new(self.session()?);
        Ok(Person { client: self.anonymous()?.with_person(Arc::clone(&session)), session })
    }

    /// Whether a person was named to ask as.
    pub(super) fn is_person(&self) -> bool {
        self.globals.authenticator.is_some()
    }

    /// The server, asked by whoever was named: a person, else a service.
    pub(super) fn caller(&self) -> Result<Client, Failure> {
        if self.globals.authenticator.is_some() {
            return Ok(self.person()?.client);
        }
        let token = match &self.globals.token_file {
            Some(file) => private_file::read_token(TokenKind::Service, file)?,
            None => {
                let hint = "Give --as FILE for a person, or --token-file or SEALBOOK_TOKEN for a service.";
                let text = std::env::var(TOKEN_VARIABLE).map(zeroize::Zeroizing::new);
                let text = text.map_err(|_| Failure::usage("nobody was named to ask as", hint))?;
                Token::parse(TokenKind::Service, text.trim())
                    .map_err(|source| Failure::Token { path: TOKEN_VARIABLE.into(), source })?
            }
        };
        Ok(self.anonymous()?.with_token(token))
    }

    /// The ledger, as whoever asks may see it.
    pub(super) fn ledger(&self, client: &Client) -> Result<Tenant, Failure> {
        Ok(client.json(&Call::get(self.path("")?))?)
    }

    /// What people and services are called; a caller who may not know gets ids.
    pub(super) fn names(&self, client: &Client) -> Result<Names, Failure> {
        let mut names = Names::default();
        let members: Members = client.json(&Call::get(self.path("/members")?))?;
        for member in &members.members {
            member.display_name.iter().for_each(|name| names.name_member(member.member, name));
        }
        let services: Services = client.json(&Call::get(self.path("/services")?))?;
        for service in &services.services {
            service.display_name.iter().for_each(|name| names.name_service(service.service, name));
        }
        Ok(names)
    }

    /// The roles that the person holds at this moment, in the order of their names.
    pub(super) fn own_roles(&self, person: &Person) -> Result<Vec<Role>, Failure> {
        let path = self.path(&format!("/members/{}", person.session.member()?))?;
        let member: Member = person.client.json(&Call::get(path))?;
        let at = now()?;
        let holds = |from: Option<Timestamp>, until: Option<Timestamp>| {
            from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
        };
        let held = member.roles.iter().filter(|grant| holds(grant.not_before, grant.not_after));
        let mut roles: Vec<Role> = held.map(|grant| grant.role).collect();
        roles.sort_unstable();
        Ok(roles)
    }
}

/// Under the user's state folder (XDG Base Directory Specification), else beside the authenticator.
fn state_folder(authenticator: &Path) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    let beside =
        || authenticator.parent().map(|folder| folder.join(".sealbook-sessions")).unwrap_or_default();
    state.map_or_else(beside, |state| state.join("sealbook"))
}

/// This machine's clock.
pub(super) fn now() -> Result<Timestamp, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Failure::Clock)?;
    let micros = i64::try_from(since.as_micros()).ok();
    micros.and_then(Timestamp::from_unix_micros).ok_or(Failure::Clock)
}
