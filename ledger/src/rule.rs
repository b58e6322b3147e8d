//! Every rule that can refuse, by a stable code and a sentence that says what would satisfy it.

use std::fmt;

/// What kind of refusal a rule makes; borders translate it, e.g. to HTTP statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// The request can't be right in any state.
    Invalid,
    /// What it names doesn't exist here.
    NotFound,
    /// Whoever asks may not.
    Forbidden,
    /// It doesn't fit the state that things are in.
    Conflict,
}

macro_rules! rules {
    ($($variant:ident $kind:ident $code:literal $sentence:literal;)+) => {
        /// A rule, of every version. Codes are stable; docs/spec lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each variant's sentence is its documentation")]
        pub enum Rule {
            $(#[doc = $sentence] $variant,)+
        }

        impl Rule {
            /// Every rule, for documentation and tests.
            pub const ALL: [Self; [$($code),+].len()] = [$(Self::$variant),+];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What the rule demands, as a sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }

            /// What kind of refusal it makes.
            pub const fn kind(self) -> RefusalKind {
                match self { $(Self::$variant => RefusalKind::$kind,)+ }
            }
        }
    };
}

rules! {
    AccessReview Conflict "access.review" "A review of who can reach a device names at least one, and a FIPS 140 certificate by number and level where it names any.";
    ActionClosed Conflict "action.closed" "The action has ended; propose it again if it is still wanted.";
    ActionDocument Invalid "action.document" "The document must name this ledger, the action's own proposer, a life of at most 30 days that has begun, and list exactly its private digests.";
    ActionDuplicate Conflict "action.duplicate" "An action of this id exists already; draw up a new document.";
    ActionEffect Conflict "action.effect" "Only an executing action takes effect, once, before it expires, and exactly as its document says.";
    ActionExpired Conflict "action.expired" "The action has expired; propose it again.";
    ActionHead Invalid "action.head" "The document's head must be an earlier event of this ledger that is not a signature, evidence or refusal.";
    ActionNotExpired Conflict "action.not_expired" "The action has not expired yet.";
    ActionNotVoid Conflict "action.not_void" "The ledger policy that the action refers to is still in force.";
    ActionPremature Conflict "action.premature" "The action was approved for a later time.";
    ActionStage Conflict "action.stage" "The action is not at the stage that this step needs.";
    ActionUnfinished Conflict "action.unfinished" "The action's effects are not complete.";
    ActionUnknown NotFound "action.unknown" "There is no such action.";
    ActionVoided Conflict "action.voided" "The ledger policy has changed since the action was proposed, or an incident about its slot was opened; propose it again.";
    Actor Invalid "actor.kind" "This type of event has another kind of actor.";
    ApprovalDuplicate Conflict "approval.duplicate" "This member has approved the action in this role already.";
    ApprovalOwn Forbidden "approval.own" "Nobody approves their own proposal.";
    ApprovalSeat Forbidden "approval.seat" "The action's quorum has no seat for this role.";
    AssertionInvalid Forbidden "assertion.invalid" "The authenticator's signature does not hold for this document, purpose and relying party.";
    CertificateBusy Conflict "certificate.busy" "The key has its certificate, or one is on its way.";
    CertificateChain Invalid "certificate.chain" "The chain must lead from the key's certificate to an anchor that the slot's policy names, each valid now and for its use.";
    CertificateContent Invalid "certificate.content" "A request or certificate says exactly what the slot's policy, the key and its terms make.";
    CertificateDates Invalid "certificate.dates" "A certificate begins when it is signed, at most an hour before, and ends after the policy's days and no later than its issuer's.";
    CertificateExpired Conflict "certificate.expired" "The key's certificate is not valid at this moment.";
    CertificateIssuer Conflict "certificate.issuer" "The issuer must be a CA of this ledger with an active certificate, or, where the policy says so, one outside.";
    CertificateKey Invalid "certificate.key" "The certificate is for another key.";
    CertificateMissing Conflict "certificate.missing" "The slot's policy demands a certificate, and the key has none.";
    CertificateNone Conflict "certificate.none" "The slot's rotation policy says nothing of certificates.";
    CertificateRevoked Conflict "certificate.revoked" "The key's certificate is revoked.";
    CertificateSerial Conflict "certificate.serial" "A serial number has at least 64 bits, and is no other certificate's.";
    CertificateStep Conflict "certificate.step" "The certificate is not at the point that this step needs.";
    CertificateUnknown NotFound "certificate.unknown" "There is no such certificate.";
    ChannelUnknown NotFound "channel.unknown" "The slot's rotation policy names no such channel.";
    ContainmentHolder Forbidden "containment.holder" "Suspending takes an incident commander, security reviewer, platform admin, or the slot's owner.";
    CredentialDuplicate Conflict "credential.duplicate" "A public key belongs to one member for ever, and a credential is enrolled once.";
    CredentialForm Invalid "credential.form" "One to eight credentials, sorted by id and distinct, with the ledger's relying party id and a public key that can be read.";
    CredentialPolicy Forbidden "credential.policy" "The ledger policy does not accept this kind of authenticator.";
    CredentialUnknown Forbidden "credential.unknown" "The member has no such credential in force.";
    CrlBusy Conflict "crl.busy" "A revocation list of this key is being signed.";
    CrlContent Invalid "crl.content" "A revocation list names every certificate of its key that is revoked, and says nothing else.";
    CrlDates Invalid "crl.dates" "A revocation list is followed by the next within 7 days; only the last of a key that is destroyed never is.";
    CrlIssuer Conflict "crl.issuer" "A revocation list is signed by a CA's key that has a certificate for it, is kept, and is not compromised.";
    CrlLast Conflict "crl.last" "A CA's key is destroyed after its last revocation list, when nothing that it signed is in force; one that was compromised once the list of the CA above it says so.";
    DigestLength Invalid "digest.length" "The digest must have the length that the slot's algorithm fixes.";
    EvidenceKey Conflict "evidence_key.other" "Documents are signed by the ledger's evidence key, and there must be one.";
    EvidenceSubject NotFound "evidence.subject" "What the evidence is about does not exist in this ledger.";
    ExecutionLife Invalid "execution.life" "An execution lasts at most an hour.";
    FoundingDocument Invalid "founding.document" "The document must repeat the ledger's origin, key, rules and founders exactly, with a complete policy and two to sixteen founders.";
    FoundingDone Conflict "founding.done" "The ledger is founded already.";
    FoundingMissing Conflict "founding.missing" "The ledger is not founded yet.";
    FoundingSignatures Forbidden "founding.signatures" "Every founder, and nobody else, signs the founding document.";
    GenerationExpired Conflict "generation.expired" "The key's generation has expired.";
    GenerationNotExpired Conflict "generation.not_expired" "The key's generation may still end by itself.";
    GenerationUnknown Conflict "generation.unknown" "No such key is being generated.";
    HighWaterSize Invalid "high_water.size" "An accepted high-water mark names the size that the ledger has at its own place.";
    IncidentBusy Conflict "incident.busy" "Another incident about the key has not been closed.";
    IncidentClosed Conflict "incident.closed" "The incident is closed; open another one.";
    IncidentDrill Forbidden "incident.drill" "A drill is about a slot that was created for drills, and an incident about any other.";
    IncidentForm Invalid "incident.form" "An incident has an id of its own, times within their bounds, and numbers that add up.";
    IncidentOpen Conflict "incident.open" "An incident is resolved once every step is done, given up once its slot signs nothing and others know, a false alarm once a quorum lets the slot sign again with the same key.";
    IncidentStep Conflict "incident.step" "The incident is not at the point that this step needs, or the step is done.";
    IncidentUnknown NotFound "incident.unknown" "There is no such incident.";
    KeyAttributes Forbidden "key.attributes" "A key must have been made in the device, and never be extractable.";
    KeyBytes Invalid "key.bytes" "The public key must be of the algorithm's type and hash to its digest.";
    KeyDestroyed Conflict "key.destroyed" "The key is destroyed.";
    KeyInUse Conflict "key.in_use" "Only a key that is retired or revoked, and signs nothing any more, is destroyed.";
    KeyOverdue Conflict "key.overdue" "The key is past its rotation interval; rotate it.";
    KeyRevoked Conflict "key.revoked" "The key is revoked.";
    KeyUnknown NotFound "key.unknown" "There is no such key.";
    LedgerKeyNext Forbidden "ledger_key.next" "Only the standby key whose digest was sealed may take over.";
    LedgerKeySame Conflict "ledger_key.same" "The new ledger key must be another one, with this ledger's origin as its name.";
    LedgerOpen Conflict "ledger.open" "A ledger is opened once, by its first event.";
    MemberDuplicate Conflict "member.duplicate" "The member is enrolled already.";
    MemberInactive Forbidden "member.inactive" "The member is suspended or removed.";
    MemberUnknown NotFound "member.unknown" "There is no such member.";
    MessageForm Invalid "message.form" "Pure Ed25519 needs the message itself, at most 64 KiB; other algorithms take a digest alone.";
    PolicyForm Invalid "policy.form" "A policy covers every action type, each with proposers and one to eight seats.";
    QuorumOpen Conflict "quorum.open" "Not every seat of the quorum is filled by an approval that still holds.";
    QuorumUnreachable Conflict "quorum.unreachable" "The change would leave an action that one of its permitted proposers could never get approved.";
    RefusalForm Invalid "refusal.form" "A refusal counts at least one request of a known caller in a minute that has begun.";
    ReleaseBarred Conflict "signature.barred" "The signature may not be released: its slot or caller is suspended, its key revoked, or its authorisation has run out.";
    ReleaseNotBarred Conflict "signature.not_barred" "Nothing bars the signature's release, or something else does.";
    ReportForm Invalid "report.form" "A document is about one rotation that has ended and has none yet, or about a period that is over.";
    ReportStatement Invalid "report.statement" "The evidence key signs the statement that a document's kind, subject and manifest make, and nothing else.";
    RevocationForm Invalid "revocation.form" "A compromise is suspected since a moment in the past, and only where the reason is key_compromise.";
    RoleDuplicate Conflict "role.duplicate" "The member holds this role for this time already.";
    RoleMissing Forbidden "role.missing" "This takes a role that the caller does not hold now.";
    RoleSeparation Conflict "role.separation" "Who packages does not approve, review or sit on the change board.";
    RoleTimes Invalid "role.times" "A grant must end after it begins, and not in the past.";
    RoleUnknown Conflict "role.unknown" "The member does not hold this role.";
    RotationBusy Conflict "rotation.busy" "Another rotation of the slot has not ended.";
    RotationCanary Conflict "rotation.canary" "A canary signs what the slot signed last, each digest once, and every signature verifies.";
    RotationChannels Conflict "rotation.channels" "Not every channel of the slot has moved to the new key.";
    RotationEarly Conflict "rotation.early" "The key is not due yet, or its lateness is recorded already.";
    RotationInterval Forbidden "rotation.interval" "The interval is longer than the ledger policy lets a slot go on with one key: 90 days, unless it says more.";
    RotationKey Conflict "rotation.key" "A rotation names the slot's active key as the one to replace, and a certificate or rotation the rotation policy in force.";
    RotationOverlap Conflict "rotation.overlap" "The old key stays beside the new one for the days of the slot's policy.";
    RotationStep Conflict "rotation.step" "The rotation is not at the point that this step needs.";
    RotationUnconfirmed Conflict "rotation.unconfirmed" "No client of the slot has confirmed that the new key works.";
    RotationUnknown NotFound "rotation.unknown" "There is no such rotation.";
    RulesUnknown Invalid "rules.unknown" "This rules version is not known here.";
    ServiceDuplicate Conflict "service.duplicate" "The service is enrolled already.";
    ServiceInactive Forbidden "service.inactive" "The service is suspended or removed.";
    ServiceSlot NotFound "service.slot" "The service may not use this slot.";
    ServiceToken Invalid "service.token" "A token expires in the future, within two years, and is used by one service.";
    ServiceUnknown NotFound "service.unknown" "There is no such service.";
    SignatureAlgorithm Invalid "signature.algorithm" "The signature repeats the slot's key, algorithm and policy, and its authorisation's digest.";
    SignatureEnvironment Forbidden "signature.environment" "The slot's policy does not sign for this environment.";
    SignatureLife Invalid "signature.life" "An authorisation lasts at most ten minutes.";
    SignatureNotExpired Conflict "signature.not_expired" "The authorisation may still end by itself.";
    SignatureUnknown Conflict "signature.unknown" "No such authorisation waits for its outcome.";
    SigningApproval Conflict "signing.approval" "The slot's policy asks for people's approval of this very digest, for this environment, before it is signed.";
    SigningApprovalNeedless Conflict "signing.approval_needless" "The slot's policy asks for no approval in this environment.";
    SigningList Invalid "signing.list" "A list of digests to approve has 1 to 10,000 of them.";
    SigningUsed Conflict "signing.used" "What was approved is signed once, and this was.";
    SlotDuplicate Conflict "slot.duplicate" "A slot of this name exists already.";
    SlotForm Invalid "slot.form" "A slot rotates within 1 to 3650 days, overlaps at least 7, and has a policy that lets somebody sign.";
    SlotKeyless Conflict "slot.keyless" "The slot has no active key.";
    SlotNotSuspended Conflict "slot.not_suspended" "The slot is not suspended.";
    SlotPurpose Forbidden "slot.purpose" "A CA signs certificates, a slot for drills samples, and neither what a caller asks for.";
    SlotSuspended Conflict "slot.suspended" "The slot is suspended; resuming it takes a quorum.";
    SlotUnknown NotFound "slot.unknown" "There is no such slot.";
    SuspensionDuplicate Conflict "suspension.duplicate" "It is suspended already.";
    SuspensionLapse Invalid "suspension.lapse" "A suspension lapses after 72 hours exactly where nobody could get it lifted.";
    SuspensionMissing Conflict "suspension.missing" "It is not suspended.";
    TimeBackwards Invalid "time.backwards" "An event is never earlier than the one before it.";
    TypeUnknown Invalid "type.unknown" "The rules version in force does not know this type, or a member of it.";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.sentence(), self.code())
    }
}

impl std::error::Error for Rule {}
