//! People's sessions, in memory: a restart signs everybody out, and nothing about them is a fact of a ledger.
//!
//! Nonces need no memory until they are used: each carries its expiry and a MAC, so nobody can fill a table without an
//! authenticator. Both tables are bounded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::ids::{MemberId, TenantName};
use sealbook_ledger::policy::Role;
use sealbook_ledger::state::State;
use sealbook_ledger::timestamp::Timestamp;

use super::problem::Problem;
use super::token::{Token, TokenKind, same};

/// How long a nonce holds, in seconds: time to touch an authenticator.
pub const NONCE_LIFE_S: u32 = 2 * 60;

/// Longest session, in seconds: a working day.
pub const SESSION_LIFE_S: u32 = 12 * 60 * 60;

/// Longest pause within a session, in seconds.
pub const SESSION_IDLE_S: u32 = 60 * 60;

/// Most sessions of a server; some 200 bytes each.
const MAX_SESSIONS: usize = 10_000;

/// Most sessions of one person: the oldest ends when another begins.
const MAX_OF_MEMBER: usize = 16;

/// Most nonces that were used within their life: more sign-ins than this in two minutes are refused.
const MAX_SPENT: usize = 10_000;

/// Bytes of a nonce: expiry, randomness, MAC.
const NONCE_LEN: usize = 8 + 16 + 32;

/// Bytes of a session's public handle.
const HANDLE_LEN: usize = 16;

/// How a session's token travels: a token that goes one way is nothing on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// In the `Authorization` header: programs.
    Bearer,
    /// In the cookie: browsers.
    Cookie,
}

/// Who signs in, and by what; the caller has checked the assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// In which tenant's ledger.
    pub tenant: TenantName,
    /// Who.
    pub member: MemberId,
    /// By which authenticator.
    pub credential_id: B64,
    /// How the token travels.
    pub carrier: Carrier,
    /// What the member's program calls itself: bounded, printable.
    pub agent: String,
}

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names the session without giving it away.
    pub handle: B64,
    /// In which tenant's ledger.
    pub tenant: TenantName,
    /// Who.
    pub member: MemberId,
    /// By which authenticator: the session ends with it.
    pub credential_id: B64,
    /// How its token travels.
    pub carrier: Carrier,
    /// What the member's program calls itself.
    pub agent: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When the member last showed an authenticator for it.
    pub authenticated_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// First moment that it no longer holds.
    pub expires_at: Timestamp,
}

impl Session {
    fn is_of(&self, tenant: &TenantName, member: MemberId) -> bool {
        self.member == member && self.tenant == *tenant
    }

    /// The roles that its member holds now; none where member or authenticator are no longer in force.
    pub fn roles(&self, state: &State, at: Timestamp) -> Option<BTreeSet<Role>> {
        let member = state.founded().ok()?.active_member(self.member, at).ok()?;
        member.credential_at(&self.credential_id, at)?;
        Some(member.roles_at(at))
    }

    /// Whether the member has shown an authenticator for it within the last seconds.
    pub fn is_fresh(&self, within_s: u32, at: Timestamp) -> bool {
        at < self.authenticated_at.plus_seconds(within_s)
    }

    fn holds(&self, at: Timestamp) -> bool {
        at < self.expires_at && at < self.used_at.plus_seconds(SESSION_IDLE_S)
    }
}

/// Sessions and nonces of one server.
pub struct Sessions {
    key: hmac::Key,
    sessions: Mutex<HashMap<Hash, Session>>,
    spent: Mutex<BTreeMap<Hash, Timestamp>>,
}

impl Sessions {
    /// Empty tables, with a key for nonces of their own.
    pub fn new() -> Result<Self, Problem> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        rand::fill(key.as_mut()).map_err(|_| Problem::fault("no random bytes"))?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            sessions: Mutex::default(),
            spent: Mutex::default(),
        })
    }

    /// Makes a nonce for a tenant, and says when it ends. Whether there is such a tenant does not matter here.
    pub fn issue_nonce(&self, tenant: &TenantName, at: Timestamp) -> Result<(B64, Timestamp), Problem> {
        let expires_at = at.plus_seconds(NONCE_LIFE_S);
        let mut nonce = expires_at.unix_micros().to_be_bytes().to_vec();
        let mut random = [0; 16];
        rand::fill(&mut random).map_err(|_| Problem::fault("no random bytes"))?;
        nonce.extend_from_slice(&random);
        let tag = hmac::sign(&self.key, &tagged(tenant, &nonce));
        nonce.extend_from_slice(tag.as_ref());
        Ok((nonce.into(), expires_at))
    }

    /// Whether a nonce was made here for this tenant and still holds; it may have been used.
    pub fn knows_nonce(&self, tenant: &TenantName, nonce: &B64, at: Timestamp) -> bool {
        let Ok(bytes) = <&[u8; NONCE_LEN]>::try_from(nonce.as_bytes()) else { return false };
        let (stamped, tag) = bytes.split_at(NONCE_LEN - 32);
        let genuine = hmac::verify(&self.key, &tagged(tenant, stamped), tag).is_ok();
        genuine && expiry(stamped).is_some_and(|end| at < end)
    }

    /// Uses a nonce up and begins a session. The caller has checked the assertion over the nonce.
    pub fn begin(&self, nonce: &B64, who: SignIn, at: Timestamp) -> Result<(Token, Session), Problem> {
        if !self.knows_nonce(&who.tenant, nonce, at) {
            return Err(Problem::of("session.nonce"));
        }
        self.spend(nonce, at)?;
        self.open(who, at)
    }

    /// Begins a session, under a token that was never used before.
    pub fn open(&self, who: SignIn, at: Timestamp) -> Result<(Token, Session), Problem> {
        let token = Token::draw(TokenKind::Session)?;
        let hash = token.sha256();
        let SignIn { tenant, member, credential_id, carrier, agent } = who;
        let session = Session {
            handle: self.handle(&hash),
            tenant,
            member,
            credential_id,
            carrier,
            agent,
            began_at: at,
            authenticated_at: at,
            used_at: at,
            expires_at: at.plus_seconds(SESSION_LIFE_S),
        };
        let mut sessions = lock(&self.sessions);
        make_room(&mut sessions, &session, at)?;
        sessions.insert(hash, session.clone());
        Ok((token, session))
    }

    /// Goes on with a session whose member has shown an authenticator again: under a token that was never used before,
    /// until the same end as ever. The token from before is worth nothing from then on; `None` where it was already.
    pub fn renew(
        &self,
        token_sha256: &Hash,
        credential_id: B64,
        at: Timestamp,
    ) -> Result<Option<(Token, Session)>, Problem> {
        let token = Token::draw(TokenKind::Session)?;
        let hash = token.sha256();
        let mut sessions = lock(&self.sessions);
        if look_up(&mut sessions, token_sha256, at).is_none() {
            return Ok(None);
        }
        let Some(before) = sessions.remove(token_sha256) else { return Ok(None) };
        let handle = self.handle(&hash);
        let session = Session { handle, credential_id, authenticated_at: at, used_at: at, ..before };
        sessions.insert(hash, session.clone());
        Ok(Some((token, session)))
    }

    fn handle(&self, token_sha256: &Hash) -> B64 {
        let tag = self.derived(b"sealbook session handle v1\0", token_sha256);
        tag.as_ref().iter().copied().take(HANDLE_LEN).collect::<Vec<_>>().into()
    }

    /// What pages of a session send along with whatever changes something; other sites can't read it.
    pub fn csrf(&self, token_sha256: &Hash) -> B64 {
        self.derived(b"sealbook csrf v1\0", token_sha256).as_ref().into()
    }

    fn derived(&self, context: &[u8], token_sha256: &Hash) -> hmac::Tag {
        hmac::sign(&self.key, &[context, &token_sha256.0].concat())
    }

    fn spend(&self, nonce: &B64, at: Timestamp) -> Result<(), Problem> {
        let mut spent = lock(&self.spent);
        spent.retain(|_, end| at < *end);
        let id = Hash::sha256(nonce.as_bytes());
        if spent.contains_key(&id) {
            return Err(Problem::of("session.nonce"));
        }
        if spent.len() >= MAX_SPENT {
            return Err(Problem::of("session.full"));
        }
        spent.insert(id, at.plus_seconds(NONCE_LIFE_S));
        Ok(())
    }

    /// The session of a token, if it still holds; notes that it is in use.
    pub fn find(&self, token_sha256: &Hash, at: Timestamp) -> Option<Session> {
        let mut sessions = lock(&self.sessions);
        let session = look_up(&mut sessions, token_sha256, at)?;
        session.used_at = session.used_at.max(at);
        Some(session.clone())
    }

    /// The session of a token, if it still holds. Nobody's hand is behind the question, so it does not count as use.
    pub fn peek(&self, token_sha256: &Hash, at: Timestamp) -> Option<Session> {
        look_up(&mut lock(&self.sessions), token_sha256, at).cloned()
    }

    /// The sessions of a person, the youngest first.
    pub fn of_member(&self, tenant: &TenantName, member: MemberId, at: Timestamp) -> Vec<Session> {
        let sessions = lock(&self.sessions);
        let own = |session: &&Session| session.is_of(tenant, member) && session.holds(at);
        let mut own: Vec<Session> = sessions.values().filter(own).cloned().collect();
        own.sort_by_key(|session| std::cmp::Reverse(session.began_at));
        own
    }

    /// Ends a person's session by its handle; says whether there was one.
    pub fn end_of_member(&self, tenant: &TenantName, member: MemberId, handle: &B64) -> bool {
        let mut sessions = lock(&self.sessions);
        let before = sessions.len();
        sessions.retain(|_, session| !(session.is_of(tenant, member) && session.handle == *handle));
        sessions.len() < before
    }

    /// Ends a session.
    pub fn end(&self, token_sha256: &Hash) {
        lock(&self.sessions).remove(token_sha256);
    }
}

fn look_up<'a>(
    sessions: &'a mut HashMap<Hash, Session>,
    token_sha256: &Hash,
    at: Timestamp,
) -> Option<&'a mut Session> {
    // The map compares hashes of secrets, which nobody can steer; the answer is confirmed without a telling time.
    let (kept, session) = sessions.get_key_value(token_sha256)?;
    if !same(kept, token_sha256) {
        return None;
    }
    if !session.holds(at) {
        sessions.remove(token_sha256);
        return None;
    }
    sessions.get_mut(token_sha256)
}

/// A poisoned table is still a table: every change to it is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tagged(tenant: &TenantName, stamped: &[u8]) -> Vec<u8> {
    [b"sealbook session nonce v1\0", tenant.as_str().as_bytes(), b"\0", stamped].concat()
}

fn expiry(stamped: &[u8]) -> Option<Timestamp> {
    let micros = stamped.first_chunk::<8>()?;
    Timestamp::from_unix_micros(i64::from_be_bytes(*micros))
}

/// Lets go of what no longer holds, and of the oldest session of somebody who has too many.
fn make_room(sessions: &mut HashMap<Hash, Session>, new: &Session, at: Timestamp) -> Result<(), Problem> {
    let own = |session: &Session| session.is_of(&new.tenant, new.member);
    if sessions.values().filter(|session| own(session)).count() >= MAX_OF_MEMBER {
        let oldest =
            sessions.iter().filter(|(_, s)| own(s)).min_by_key(|(_, s)| s.used_at).map(|(id, _)| *id);
        oldest.map(|id| sessions.remove(&id));
    }
    if sessions.len() >= MAX_SESSIONS {
        sessions.retain(|_, session| session.holds(at));
    }
    if sessions.len() >= MAX_SESSIONS { Err(Problem::of("session.full")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32) -> Timestamp {
        "2026-11-22T00:00:00.000000Z".parse::<Timestamp>().unwrap().plus_seconds(second)
    }

    fn acme() -> TenantName {
        "acme".parse().unwrap()
    }

    fn somebody(n: u128) -> MemberId {
        uuid::Uuid::from_u128(n).into()
    }

    fn sign_in(sessions: &Sessions, second: u32) -> Token {
        let (nonce, _) = sessions.issue_nonce(&acme(), at(second)).unwrap();
        sessions.begin(&nonce, somebody_signs_in(Carrier::Bearer), at(second)).unwrap().0
    }

    fn somebody_signs_in(carrier: Carrier) -> SignIn {
        let (tenant, member) = (acme(), somebody(1));
        SignIn { tenant, member, credential_id: B64(vec![1]), carrier, agent: "a test".into() }
    }

    #[test]
    fn a_nonce_is_used_once() {
        let sessions = Sessions::new().unwrap();
        let (nonce, _) = sessions.issue_nonce(&acme(), at(0)).unwrap();
        let begin = || sessions.begin(&nonce, somebody_signs_in(Carrier::Bearer), at(1));
        assert!(begin().is_ok());
        assert_eq!(begin().err().unwrap().code(), "session.nonce");
    }

    #[test]
    fn a_nonce_is_of_one_server_one_tenant_and_two_minutes() {
        let (sessions, other) = (Sessions::new().unwrap(), Sessions::new().unwrap());
        let (nonce, end) = sessions.issue_nonce(&acme(), at(0)).unwrap();
        assert_eq!(end, at(NONCE_LIFE_S));
        assert!(sessions.knows_nonce(&acme(), &nonce, at(NONCE_LIFE_S - 1)));
        assert!(!sessions.knows_nonce(&acme(), &nonce, at(NONCE_LIFE_S)));
        assert!(!sessions.knows_nonce(&"other".parse().unwrap(), &nonce, at(0)));
        assert!(!other.knows_nonce(&acme(), &nonce, at(0)));
        let mut longer = nonce.clone();
        longer.0[3] ^= 1;
        assert!(!sessions.knows_nonce(&acme(), &longer, at(0)));
        assert!(!sessions.knows_nonce(&acme(), &B64(vec![]), at(0)));
    }

    #[test]
    fn a_session_ends_when_it_is_idle_when_it_is_old_and_when_it_is_revoked() {
        let sessions = Sessions::new().unwrap();
        let idle = sign_in(&sessions, 0).sha256();
        assert!(sessions.find(&idle, at(SESSION_IDLE_S - 1)).is_some());
        assert!(sessions.find(&idle, at(2 * SESSION_IDLE_S - 1)).is_none());

        let old = sign_in(&sessions, 0).sha256();
        for hour in 1..24 {
            assert!(sessions.find(&old, at(hour * 1800)).is_some());
        }
        assert!(sessions.find(&old, at(SESSION_LIFE_S)).is_none());

        let revoked = sign_in(&sessions, 0).sha256();
        sessions.end(&revoked);
        assert!(sessions.find(&revoked, at(1)).is_none());
    }

    #[test]
    fn a_renewed_session_is_fresh_under_another_token_and_ends_when_it_would_have() {
        let sessions = Sessions::new().unwrap();
        let first = sign_in(&sessions, 0).sha256();
        let before = sessions.peek(&first, at(300)).unwrap();
        assert!(before.is_fresh(300, at(299)) && !before.is_fresh(300, at(300)));
        let (token, after) = sessions.renew(&first, B64(vec![2]), at(400)).unwrap().unwrap();
        assert!(sessions.find(&first, at(401)).is_none());
        assert_ne!((&after.handle, sessions.csrf(&token.sha256())), (&before.handle, sessions.csrf(&first)));
        assert!(after.is_fresh(300, at(699)) && !after.is_fresh(300, at(700)));
        assert_eq!((after.expires_at, after.began_at), (before.expires_at, before.began_at));
        assert_eq!(
            after.credential_id,
            B64(vec![2]),
            "the session ends with the authenticator of its last sign-in"
        );
        // Neither an old token nor one that has ended is good for another.
        assert!(sessions.renew(&first, B64(vec![2]), at(402)).unwrap().is_none());
        assert!(sessions.renew(&token.sha256(), B64(vec![2]), at(400 + SESSION_IDLE_S)).unwrap().is_none());
    }

    #[test]
    fn a_question_that_nobody_asked_does_not_keep_a_session_alive() {
        let sessions = Sessions::new().unwrap();
        let token = sign_in(&sessions, 0).sha256();
        assert!(sessions.peek(&token, at(SESSION_IDLE_S - 1)).is_some());
        assert!(sessions.peek(&token, at(SESSION_IDLE_S)).is_none());
    }

    #[test]
    fn a_person_sees_and_ends_own_sessions_by_handles_that_give_nothing_away() {
        let sessions = Sessions::new().unwrap();
        let (first, second) = (sign_in(&sessions, 0), sign_in(&sessions, 1));
        let own = sessions.of_member(&acme(), somebody(1), at(2));
        assert_eq!(own.iter().map(|s| s.began_at).collect::<Vec<_>>(), [at(1), at(0)]);
        assert_ne!(own[0].handle, own[1].handle);
        assert!(sessions.of_member(&acme(), somebody(2), at(2)).is_empty());
        assert!(!sessions.end_of_member(&acme(), somebody(2), &own[0].handle));
        assert!(sessions.end_of_member(&acme(), somebody(1), &own[0].handle));
        assert!(sessions.find(&second.sha256(), at(2)).is_none());
        assert!(sessions.find(&first.sha256(), at(2)).is_some());
    }

    #[test]
    fn every_session_of_every_server_has_a_csrf_token_of_its_own() {
        let (sessions, other) = (Sessions::new().unwrap(), Sessions::new().unwrap());
        let (one, two) = (Hash::sha256(b"1"), Hash::sha256(b"2"));
        assert_eq!(sessions.csrf(&one), sessions.csrf(&one));
        assert_ne!(sessions.csrf(&one), sessions.csrf(&two));
        assert_ne!(sessions.csrf(&one), other.csrf(&one));
    }

    #[test]
    fn somebody_with_many_sessions_loses_the_one_that_rested_longest() {
        let sessions = Sessions::new().unwrap();
        let tokens: Vec<Hash> = (0..17).map(|n| sign_in(&sessions, n).sha256()).collect();
        assert!(sessions.find(&tokens[0], at(20)).is_none());
        assert!(tokens[1..].iter().all(|token| sessions.find(token, at(20)).is_some()));
    }
}
