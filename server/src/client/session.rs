//! A person's session: begun by an assertion over the server's nonce, kept in a private file, renewed when refused.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sealbook_ledger::canonical;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::ids::{MemberId, Origin, TenantName};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{Assertion, Purpose};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{BaseUrl, Call, Client, ClientError, Token, TokenKind};
use crate::authenticator::SoftAuthenticator;
use crate::relying_parties::Use;

/// Longest cache file in bytes; one is some 200.
const MAX_CACHE: u64 = 4096;

/// A person at a server: an authenticator, the member that it belongs to, and the session, if one was begun.
pub struct PersonSession {
    authenticator: SoftAuthenticator,
    /// The one that signs in, where it is another.
    sign_in: Option<SoftAuthenticator>,
    web_origin: String,
    tenant: TenantName,
    member: Option<MemberId>,
    cache: PathBuf,
    token: Mutex<Option<Token>>,
}

/// Where a person is: a server, a tenant of it, and the folder that remembers sessions between runs.
pub struct SessionPlace<'a> {
    /// The server.
    pub base: &'a BaseUrl,
    /// The tenant.
    pub tenant: TenantName,
    /// The folder; it is made when it is needed.
    pub state: PathBuf,
}

/// What is kept between runs.
#[derive(Serialize, Deserialize)]
struct Kept {
    member: MemberId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
struct Challenge {
    nonce: String,
    origin: Origin,
}

/// What the challenge of a sign-in is made from.
#[derive(Serialize)]
struct Nonce<'a> {
    nonce: &'a str,
    origin: &'a Origin,
    v: u8,
}

#[derive(Serialize)]
struct Begin<'a> {
    member: MemberId,
    nonce: &'a str,
    #[serde(flatten)]
    assertion: &'a Assertion,
}

#[derive(Deserialize)]
struct Begun {
    token: Zeroizing<String>,
    // Read so that an answer without it is refused; the server is who ends a session.
    #[serde(rename = "expires_at")]
    _expires_at: Timestamp,
}

impl PersonSession {
    /// A person with this authenticator, at this place. What earlier runs kept is read; `member` and `web_origin`
    /// outrank it and the URL.
    pub fn open(
        authenticator: SoftAuthenticator,
        place: SessionPlace<'_>,
        member: Option<MemberId>,
        web_origin: Option<String>,
    ) -> Self {
        let cache = cache_path(&place, &authenticator);
        let kept = read(&cache).filter(|kept| member.is_none_or(|member| member == kept.member));
        let token = kept.as_ref().and_then(|kept| kept.token.as_ref());
        let token = token.and_then(|text| Token::parse(TokenKind::Session, text).ok());
        Self {
            authenticator,
            sign_in: None,
            web_origin: web_origin.unwrap_or_else(|| place.base.web_origin().to_owned()),
            tenant: place.tenant,
            member: member.or(kept.map(|kept| kept.member)),
            cache,
            token: Mutex::new(token),
        }
    }

    /// The same person, who signs in by another authenticator than the one that approves.
    pub fn signing_in_by(self, sign_in: Option<SoftAuthenticator>) -> Self {
        Self { sign_in, ..self }
    }

    /// The authenticator for a use, if there is one.
    pub fn authenticator_for(&self, wanted: Use) -> Option<&SoftAuthenticator> {
        match wanted {
            Use::Approve => Some(&self.authenticator),
            Use::SignIn => self.sign_in.as_ref(),
        }
    }

    /// The authenticator.
    pub fn authenticator(&self) -> &SoftAuthenticator {
        &self.authenticator
    }

    /// The web origin that its assertions name.
    pub fn web_origin(&self) -> &str {
        &self.web_origin
    }

    /// The member that the authenticator belongs to.
    pub fn member(&self) -> Result<MemberId, ClientError> {
        self.member.ok_or(ClientError::MemberUnknown)
    }

    /// Remembers, for later runs, whose the authenticator is.
    pub fn remember(&self, member: MemberId) -> Result<(), ClientError> {
        self.keep(&Kept { member, token: None })
    }

    /// Answers a challenge as the person.
    pub fn assert(&self, challenge: Hash) -> Result<Assertion, ClientError> {
        Ok(self.authenticator.assert(challenge, &self.web_origin)?)
    }

    pub(super) fn token(&self, client: &Client) -> Result<Token, ClientError> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        match token.as_ref() {
            Some(token) => Ok(token.clone()),
            None => self.begin(&client.anonymous()).inspect(|begun| *token = Some(begun.clone())),
        }
    }

    /// Begins another session where this token was refused, unless another thread has done so already.
    pub(super) fn renew(&self, client: &Client, refused: &Token) -> Result<Token, ClientError> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        match token.as_ref() {
            Some(other) if other.sha256() != refused.sha256() => Ok(other.clone()),
            _ => {
                self.begin(&client.with_token(refused.clone())).inspect(|begun| *token = Some(begun.clone()))
            }
        }
    }

    /// Begins a session; the one that `anyone` shows, if any, is left for it.
    fn begin(&self, anyone: &Client) -> Result<Token, ClientError> {
        let member = self.member()?;
        let path = format!("/v1/tenants/{}/session", self.tenant);
        let empty = serde_json::Map::new();
        let challenge: Challenge = anyone.json(&Call::post(format!("{path}/challenge"), &empty)?)?;
        let nonce = Nonce { nonce: &challenge.nonce, origin: &challenge.origin, v: 1 };
        // Text, an origin and an integer always have a canonical form.
        let bytes = canonical::to_vec(&nonce).unwrap_or_default();
        let by = self.sign_in.as_ref().unwrap_or(&self.authenticator);
        let assertion = by.assert(Purpose::Session.challenge(&bytes), &self.web_origin)?;
        let begin = Begin { member, nonce: &challenge.nonce, assertion: &assertion };
        let begun: Begun = anyone.json(&Call::post(path, &begin)?)?;
        let token = Token::parse(TokenKind::Session, &begun.token)?;
        self.keep(&Kept { member, token: Some(begun.token) })?;
        Ok(token)
    }

    /// Written beside and renamed, so that a run in parallel never reads half a file.
    fn keep(&self, kept: &Kept) -> Result<(), ClientError> {
        let failed = |source| ClientError::Cache { path: self.cache.clone(), source };
        let text = Zeroizing::new(serde_json::to_vec(kept).map_err(ClientError::Request)?);
        let write = || -> io::Result<()> {
            if let Some(folder) = self.cache.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            let beside = self.cache.with_extension(format!("{}.new", std::process::id()));
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&text)?;
            fs::rename(&beside, &self.cache)
        };
        write().map_err(failed)
    }
}

/// A cache that can't be read is as good as none: the session begins anew.
fn read(path: &Path) -> Option<Kept> {
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_CACHE as usize));
    fs::File::open(path).ok()?.take(MAX_CACHE).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// One file for each server, tenant and authenticator.
fn cache_path(place: &SessionPlace<'_>, authenticator: &SoftAuthenticator) -> PathBuf {
    let who = format!("{}\n{}\n{}", place.base, place.tenant, authenticator.credential().credential_id);
    place.state.join(format!("{}.session", &Hash::sha256(who.as_bytes()).to_string()[..32]))
}
