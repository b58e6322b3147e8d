//! The one table from error code to kind, status and sentence.

use sealbook_ledger::rule::{RefusalKind, Rule};
use serde::Serialize;
use utoipa::ToSchema;

use super::kind::Kind;

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Entry {
    /// Stable for ever.
    pub code: &'static str,
    /// What a caller can make of it.
    pub kind: Kind,
    /// What would satisfy it.
    pub sentence: &'static str,
}

pub(super) const fn entry(code: &'static str, kind: Kind, sentence: &'static str) -> Entry {
    Entry { code, kind, sentence }
}

/// The codes that no rule brings, sorted.
pub const BORDER: &[Entry] = &[
    entry(
        "advisory.markup",
        Kind::Invalid,
        "What a statement quotes is plain text: no angle brackets, backticks, character references or links in brackets.",
    ),
    entry(
        "artifact.fields",
        Kind::Invalid,
        "The slot's policy demands more about the artifact: name, version or ticket is missing.",
    ),
    entry("assertion.authenticator_data", Kind::Forbidden, "The authenticator data is malformed."),
    entry(
        "assertion.backup_eligibility",
        Kind::Forbidden,
        "The credential's backup eligibility is not as enrolled.",
    ),
    entry(
        "assertion.backup_state",
        Kind::Forbidden,
        "The credential claims a backup that it is not eligible for.",
    ),
    entry("assertion.ceremony_type", Kind::Forbidden, "The client data must be of type webauthn.get."),
    entry(
        "assertion.challenge",
        Kind::Forbidden,
        "The assertion answers another challenge: sign exactly this document for this purpose.",
    ),
    entry(
        "assertion.client_data",
        Kind::Forbidden,
        "The client data must be a JSON object with type, challenge and origin.",
    ),
    entry("assertion.credential", Kind::Forbidden, "The assertion is of another credential."),
    entry("assertion.cross_origin", Kind::Forbidden, "The assertion was made in a frame of another origin."),
    entry(
        "assertion.origin",
        Kind::Forbidden,
        "The assertion was made at an origin that approvals don't come from.",
    ),
    entry(
        "assertion.relying_party",
        Kind::Forbidden,
        "The assertion or its credential is of another relying party.",
    ),
    entry("assertion.signature", Kind::Forbidden, "The assertion's signature does not hold."),
    entry(
        "assertion.too_long",
        Kind::Invalid,
        "A member of the assertion is longer than authenticators make it.",
    ),
    entry(
        "assertion.user_presence",
        Kind::Forbidden,
        "The authenticator must report that the user was present.",
    ),
    entry("assertion.user_verification", Kind::Forbidden, "The authenticator must verify its user."),
    entry(
        "attachment.mismatch",
        Kind::Invalid,
        "Send exactly the attachments that the document names; a list's digests must be what its root stands for.",
    ),
    entry("audit.busy", Kind::Unavailable, "Others are asking about the past; try again shortly."),
    entry("audit.slow", Kind::Unavailable, "The past could not be read in time; ask again."),
    entry(
        "audit.too_long",
        Kind::Conflict,
        "There are more than 50,000 entries; ask for a shorter time with `from`.",
    ),
    entry(
        "auth.token",
        Kind::Unauthenticated,
        "Send a valid token: it is missing, wrong, expired, revoked, or not meant for this.",
    ),
    entry(
        "checkpoint.unknown",
        Kind::NotFound,
        "No checkpoint has this size; take the size that an earlier sample names.",
    ),
    entry(
        "clock.skew",
        Kind::Unavailable,
        "The clocks of server and database differ by more than 2 s; containment alone is recorded until they agree.",
    ),
    entry(
        "credential.unregistered",
        Kind::Conflict,
        "Only an authenticator that was registered here by invitation, for this member, can be proposed.",
    ),
    entry(
        "crl.lost",
        Kind::Unavailable,
        "A later revocation list of this key was handed out and is lost; the next one is signed once its number is higher.",
    ),
    entry(
        "crl.note",
        Kind::Unavailable,
        "The number of a revocation list can't be noted outside the database, so it is not handed out.",
    ),
    entry(
        "custody.already_exists",
        Kind::Unavailable,
        "The device holds a key of this label already; its operator looks.",
    ),
    entry(
        "custody.ambiguous",
        Kind::Unavailable,
        "The device holds several keys of one label; its operator looks.",
    ),
    entry(
        "custody.bad_signature",
        Kind::Unavailable,
        "The device's signature does not verify, so it was not released.",
    ),
    entry("custody.busy", Kind::Unavailable, "Every session of the device is taken; try again shortly."),
    entry("custody.deadline_exceeded", Kind::Unavailable, "The device did not answer in time."),
    entry("custody.generating", Kind::Unavailable, "The device is still making this key."),
    entry("custody.hung", Kind::Unavailable, "Calls to the device hang; see /readyz."),
    entry(
        "custody.interrupted",
        Kind::Unavailable,
        "The device was interrupted; nobody knows yet what it did.",
    ),
    entry("custody.library_unavailable", Kind::Unavailable, "The device's module can't be loaded."),
    entry("custody.malformed", Kind::Unavailable, "The device answered what can't be read."),
    entry("custody.not_found", Kind::Unavailable, "The device has no key of this label."),
    entry("custody.pin_locked", Kind::Unavailable, "The device's PIN is locked; its operator unlocks it."),
    entry("custody.pin_missing", Kind::Unavailable, "The device's PIN is not configured."),
    entry("custody.pin_refused", Kind::Unavailable, "The device refuses its PIN."),
    entry("custody.refused", Kind::Unavailable, "The device refused."),
    entry("custody.token_ambiguous", Kind::Unavailable, "Several tokens have the configured label."),
    entry("custody.token_unavailable", Kind::Unavailable, "The device's token is not there."),
    entry(
        "custody.unavailable",
        Kind::Unavailable,
        "The device that holds the key does not answer; nothing was signed.",
    ),
    entry("custody.unknown", Kind::Unavailable, "No custody backend of this name is configured."),
    entry(
        "disclosure.mismatch",
        Kind::Invalid,
        "Send exactly the disclosures whose digests the document lists, `reason` among them.",
    ),
    entry("event.disclosures", Kind::Invalid, "The disclosures must be those whose digests the events list."),
    entry("event.too_long", Kind::Invalid, "The event would be longer than 65,535 bytes; send less."),
    entry("event.unknown", Kind::NotFound, "There is no such event, or it is not this caller's to read."),
    entry("event.unrepresentable", Kind::Invalid, "The event would have no canonical form."),
    entry("export.abandoned", Kind::Unavailable, "The export was cut off; start it again."),
    entry("export.nothing", Kind::Conflict, "No sealed event fits; widen the selection."),
    entry(
        "export.too_large",
        Kind::Conflict,
        "More than 20,000 events fit; narrow the selection, or export the whole ledger.",
    ),
    entry(
        "founding.incomplete",
        Kind::Conflict,
        "Not every founder has registered yet; the document comes with the last.",
    ),
    entry(
        "high_water.missing",
        Kind::Unavailable,
        "The ledger's high-water file is missing; the operator puts it back or accepts the loss.",
    ),
    entry(
        "high_water.write",
        Kind::Unavailable,
        "The ledger's high-water file can't be written; nothing was acknowledged.",
    ),
    entry("idempotency.key", Kind::Invalid, "An Idempotency-Key is 1 to 255 printable ASCII characters."),
    entry(
        "idempotency.other_content",
        Kind::Conflict,
        "This idempotency key was used for another request; use a new key.",
    ),
    entry(
        "invitation.ledger_full",
        Kind::Conflict,
        "Two hundred invitations of this ledger hold still, used ones among them; wait until some of them expire, a week \
         after they were made.",
    ),
    entry(
        "invitation.member_full",
        Kind::Conflict,
        "Eight invitations of this member hold still; use one of those links, or wait until one expires, a week after it \
         was made.",
    ),
    entry(
        "ledger.corrupt",
        Kind::Corrupt,
        "What is stored does not verify; the ledger is frozen until its operator has run `sealbook doctor`.",
    ),
    entry(
        "ledger.unknown",
        Kind::Unavailable,
        "The ledger is not served here at the moment; try again shortly.",
    ),
    entry("live.full", Kind::Rate, "You follow this ledger in too many places already; close one of them."),
    entry("method.unknown", Kind::Method, "The path exists but takes other methods."),
    entry("path.unknown", Kind::NotFound, "There is nothing at this path."),
    entry("rate.exceeded", Kind::Rate, "The slot's policy allows fewer signatures a minute."),
    entry(
        "registration.algorithm",
        Kind::Invalid,
        "The passkey's public key must be of ES256, EdDSA or RS256, in canonical form.",
    ),
    entry(
        "registration.attestation",
        Kind::Invalid,
        "The authenticator's attestation does not verify; take another authenticator.",
    ),
    entry(
        "registration.attestation_object",
        Kind::Invalid,
        "The attestation object must be as authenticators make it.",
    ),
    entry(
        "registration.backup_state",
        Kind::Invalid,
        "The passkey claims a backup that it is not eligible for.",
    ),
    entry("registration.ceremony_type", Kind::Invalid, "The client data must be of type webauthn.create."),
    entry("registration.challenge", Kind::Invalid, "The registration must answer the ticket's challenge."),
    entry(
        "registration.client_data",
        Kind::Invalid,
        "The client data must be a JSON object with type, challenge and origin.",
    ),
    entry(
        "registration.expired",
        Kind::Invalid,
        "No registration waits for this answer: ask for the options and answer within five minutes.",
    ),
    entry("registration.form", Kind::Invalid, "Send either `registration` or `passkey`."),
    entry(
        "registration.kind",
        Kind::Invalid,
        "The form `registration` is for credentials of kind software only.",
    ),
    entry(
        "registration.origin",
        Kind::Invalid,
        "The registration must come from an origin that approvals come from.",
    ),
    entry(
        "registration.relying_party",
        Kind::Invalid,
        "The credential must be made for the ledger's relying party.",
    ),
    entry(
        "registration.too_long",
        Kind::Invalid,
        "Client data or credential id is longer than authenticators make it.",
    ),
    entry(
        "registration.user_verification",
        Kind::Invalid,
        "The authenticator must verify its user by PIN, fingerprint or face.",
    ),
    entry(
        "report.too_large",
        Kind::Conflict,
        "More than 4,000 events belong to it; report a shorter period, or export the ledger.",
    ),
    entry("report.unknown", Kind::NotFound, "No evidence pack of this ledger has this digest."),
    entry(
        "request.json",
        Kind::Invalid,
        "The body must be JSON of the documented form, without members that are unknown.",
    ),
    entry("request.malformed", Kind::Invalid, "The request can't be read."),
    entry("request.media_type", Kind::MediaType, "Send the body as application/json."),
    entry("request.query", Kind::Invalid, "The query holds an unknown name or a value of the wrong form."),
    entry("request.timeout", Kind::Timeout, "The body did not arrive within 10 seconds."),
    entry("request.too_large", Kind::TooLarge, "A body has at most 1 MiB."),
    entry("role.values", Kind::Invalid, "Name at least one role, each a role of the catalogue."),
    entry(
        "seal.behind",
        Kind::Unavailable,
        "Sealing is behind; new signatures and keys wait until it has caught up.",
    ),
    entry(
        "seal.pending",
        Kind::Unavailable,
        "No checkpoint covers this yet; try again shortly, or wait with `wait_ms`.",
    ),
    entry("server.busy", Kind::Unavailable, "The ledger's queue is full; try again shortly."),
    entry(
        "server.fault",
        Kind::Fault,
        "The server failed; its operator finds the cause in the log under the correlation id.",
    ),
    entry(
        "server.slow",
        Kind::Unavailable,
        "The ledger did not answer in time; what was asked may still happen: look before asking again.",
    ),
    entry(
        "server.stopping",
        Kind::Unavailable,
        "The server is stopping; ask another one, or try again shortly.",
    ),
    entry(
        "session.cross_site",
        Kind::Forbidden,
        "Another site's page asked in your browser, so nothing was done. Ask from this server's own pages.",
    ),
    entry(
        "session.csrf",
        Kind::Forbidden,
        "The page is of an earlier session; load it again. What a browser asks carries the page's token as well.",
    ),
    entry("session.full", Kind::Unavailable, "Too many people are signed in; try again later."),
    entry(
        "session.nonce",
        Kind::Unauthenticated,
        "The nonce is unknown, used or older than two minutes; ask for another.",
    ),
    entry(
        "session.none_left",
        Kind::Conflict,
        "Some members hold no passkey of this server's that only signs in, and could not sign in any more.",
    ),
    entry(
        "session.not_shared",
        Kind::Forbidden,
        "This ledger's approval credentials don't sign in: its founders did not share them.",
    ),
    entry("session.rate", Kind::Rate, "Too many attempts to sign in from this address; wait a little."),
    entry(
        "session.refused",
        Kind::Unauthenticated,
        "Member, credential and assertion don't belong together, or no longer hold: the authenticator may be suspended, \
         removed, or of another server. A platform admin or security reviewer can say which, and invite another.",
    ),
    entry(
        "session.shared",
        Kind::Conflict,
        "This ledger's approval passkeys sign in as well, so none is made for signing in alone.",
    ),
    entry(
        "session.stale",
        Kind::Forbidden,
        "This takes a sign-in of a few minutes ago at most; show your passkey again, then it goes on.",
    ),
    entry("session.unknown", Kind::NotFound, "None of your sessions is called so; it may have ended."),
    entry("sign.input", Kind::Invalid, "Send either a digest or a message."),
    entry("signature.abandoned", Kind::Unavailable, "Nobody knows whether the device signed; ask again."),
    entry("signature.failed", Kind::Unavailable, "The device did not sign."),
    entry(
        "signature.pending",
        Kind::Unavailable,
        "The first request with this idempotency key is still under way; ask again.",
    ),
    entry(
        "signing.ended",
        Kind::Conflict,
        "What was asked for with this idempotency key has been decided; ask again with a new key.",
    ),
    entry(
        "signing.names",
        Kind::Invalid,
        "The names of one list have at most 65,535 bytes together; split it into several.",
    ),
    entry(
        "signing.waiting",
        Kind::Rate,
        "A hundred requests of this service wait for approval; ask for several artifacts in one list.",
    ),
    entry(
        "store.commit_unknown",
        Kind::Unavailable,
        "The database went away during a commit; ask again with the same idempotency key to learn its outcome.",
    ),
    entry("store.conflict", Kind::Unavailable, "Other writers were faster again and again; try again."),
    entry(
        "store.corruption",
        Kind::Corrupt,
        "What is stored can't be true; the operator runs `sealbook doctor`.",
    ),
    entry("store.disk_full", Kind::Unavailable, "The database's disk is full; nothing was written."),
    entry(
        "store.fault",
        Kind::Fault,
        "The database is not set up as it should be; its operator finds the cause in the log.",
    ),
    entry("store.unavailable", Kind::Unavailable, "The database does not answer; nothing was written."),
    entry("tenant.exists", Kind::Conflict, "A tenant of this name exists already."),
    entry("tenant.founders", Kind::Invalid, "A ledger is founded by 2 to 16 people."),
    entry(
        "tenant.sign_in",
        Kind::Conflict,
        "This server has no domain for passkeys that only sign in; its operator sets `rp.sign_in_id`.",
    ),
    entry("tenant.unknown", Kind::NotFound, "There is no such tenant for this token."),
    entry(
        "text.characters",
        Kind::Invalid,
        "Control characters and direction marks are refused in texts; only the `text` of an advisory or note may have line feeds.",
    ),
    entry(
        "text.length",
        Kind::Invalid,
        "Names have 1 to 200 bytes, other texts 1 to 1,000, the `text` of an advisory or note 1 to 4,000.",
    ),
    entry("ticket.invalid", Kind::Conflict, "The ticket is unknown, used or expired; ask for another."),
];

/// Every code there is, rules first.
pub fn table() -> impl Iterator<Item = Entry> {
    Rule::ALL.into_iter().map(of_rule).chain(BORDER.iter().copied())
}

fn of_rule(rule: Rule) -> Entry {
    let kind = match rule.kind() {
        RefusalKind::Invalid => Kind::Invalid,
        RefusalKind::NotFound => Kind::NotFound,
        RefusalKind::Forbidden => Kind::Forbidden,
        RefusalKind::Conflict => Kind::Conflict,
    };
    entry(rule.code(), kind, rule.sentence())
}

pub(super) fn lookup(code: &str) -> Option<Entry> {
    table().find(|entry| entry.code == code)
}
