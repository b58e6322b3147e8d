//! Ledgers of rules version 2: slots with certificates, CAs, and rotations taken step by step.

use std::collections::BTreeSet;

use sealbook_ledger::action::{
    CertificateIssueParams, DeviceKeyParams, KeyRotateParams, Params, SlotCreateParams,
};
use sealbook_ledger::algorithm::Algorithm;
use sealbook_ledger::certificate::{SerialNumber, Usage};
use sealbook_ledger::command::{Command, OwnSignature, RotationCommand, SigningOutcome};
use sealbook_ledger::decide::Refusal;
use sealbook_ledger::encoding::{B64, Hash};
use sealbook_ledger::event::Event;
use sealbook_ledger::ids::{ActionId, CertificateId, KeyId, Seq};
use sealbook_ledger::rotation::{CertificatePolicy, IssuerPolicy, RotationPolicy};

use super::{CONFINED, DECIDING, Ledger, key_id, message, slot_name, spki};

pub const DAY: u32 = 24 * 60 * 60;

pub fn certificate_id(n: u128) -> CertificateId {
    CertificateId::from(super::uuid(0xe0000 + n))
}

/// What a certificate of a slot says.
pub fn certified(issuer: IssuerPolicy, usage: Usage, name: &str) -> CertificatePolicy {
    let issuing = matches!(usage, Usage::Issuing { .. });
    CertificatePolicy {
        crl_url: issuing.then(|| "https://sealbook.example.com/crl/acme.crl".parse().unwrap()),
        issuer,
        policies: BTreeSet::from(["1.3.6.1.4.1.32473.1".parse().unwrap()]),
        required: !issuing,
        subject: serde_json::from_value(serde_json::json!({"common_name": name, "organization": "Acme"}))
            .unwrap(),
        usage,
        validity_days: if issuing { 3650 } else { 397 },
    }
}

pub fn issuing(path_len: u8) -> Usage {
    Usage::Issuing { path_len: path_len.try_into().unwrap() }
}

impl Ledger {
    /// A ledger of version 2, founded by this many people who hold every deciding role.
    pub fn ageing(founders: u128) -> Self {
        Self::founded_under(2, "acme", (0..founders).map(|_| DECIDING.to_vec()).collect(), |_| {})
    }

    /// Parameters of a slot that has a rotation policy.
    pub fn rotating_params(&self, name: &str, rotation: RotationPolicy) -> SlotCreateParams {
        SlotCreateParams {
            rotation_days: rotation.rotation_days,
            overlap_days: rotation.overlap_days,
            rotation: Some(rotation),
            ..self.slot_params(name, Algorithm::EcdsaP256Sha256)
        }
    }

    /// A slot of a rotation policy, with its first key.
    pub fn rotating_slot(&mut self, name: &str, rotation: RotationPolicy) -> KeyId {
        let params = self.rotating_params(name, rotation);
        self.decree(Params::SlotCreate(params));
        let made =
            |key: &sealbook_ledger::slot::Key| key.slot.as_str() == name && key.state_name() == "generating";
        let key = *self.now().keys().iter().find(|(_, key)| made(key)).unwrap().0;
        self.key_made(key);
        key
    }

    pub fn key_made(&mut self, key: KeyId) {
        let (algorithm, seed) = (self.now().keys()[&key].algorithm, self.fresh());
        self.run(Command::KeyMade { key, spki: spki(algorithm, seed), attributes: CONFINED }).unwrap();
    }

    /// A root CA of this ledger, with its certificate.
    pub fn root_ca(&mut self, name: &str) -> KeyId {
        let certificate = certified(IssuerPolicy::SelfSigned, issuing(1), "Acme Root");
        let rotation = RotationPolicy { certificate: Some(certificate), ..RotationPolicy::of_days(1825, 90) };
        let key = self.rotating_slot(name, rotation);
        self.certify(name, key);
        key
    }

    /// The policy of a slot whose certificates a CA of this ledger issues.
    pub fn certified_by(ca: &str) -> RotationPolicy {
        let certificate =
            certified(IssuerPolicy::Slot { slot: slot_name(ca) }, Usage::CodeSigning, "Acme Releases");
        RotationPolicy {
            certificate: Some(certificate),
            channels: BTreeSet::from(["stable".parse().unwrap()]),
            revoke_superseded: true,
            ..RotationPolicy::of_days(90, 7)
        }
    }

    /// Gives a slot's key a certificate, by quorum.
    pub fn certify(&mut self, name: &str, key: KeyId) -> CertificateId {
        let action = self.approved(Params::CertificateIssue(self.issue_params(name, key)));
        self.begin(action).unwrap();
        let id = CertificateId::from(action.uuid());
        self.request_of(id);
        self.issue(id);
        id
    }

    /// A certificate for a slot's key, ordered by quorum.
    pub fn ordered(&mut self, name: &str, key: KeyId) -> CertificateId {
        let action = self.approved(Params::CertificateIssue(self.issue_params(name, key)));
        self.begin(action).unwrap();
        CertificateId::from(action.uuid())
    }

    pub fn issue_params(&self, name: &str, key: KeyId) -> CertificateIssueParams {
        let policy = self.now().slot(&slot_name(name)).unwrap().rotation.digest().unwrap();
        CertificateIssueParams { key, policy, slot: slot_name(name) }
    }

    /// Signs a certificate's request and records it.
    pub fn request_of(&mut self, id: CertificateId) -> Event {
        self.sign_own(OwnSignature::Request(id)).unwrap();
        self.step(RotationCommand::Record(id)).unwrap().remove(0)
    }

    /// Signs a certificate and records it.
    pub fn issue(&mut self, id: CertificateId) -> Event {
        let own = self.certificate_own(id);
        self.sign_own(own).unwrap();
        self.step(RotationCommand::Record(id)).unwrap().remove(0)
    }

    /// A certificate that begins now, of another serial number each time.
    pub fn certificate_own(&mut self, id: CertificateId) -> OwnSignature {
        let serial = self.serial();
        self.certificate_of_serial(id, serial)
    }

    pub fn certificate_of_serial(&self, id: CertificateId, serial: SerialNumber) -> OwnSignature {
        let founded = self.now();
        let at = self.state.time_at(self.clock);
        let terms = founded.terms(founded.issuance(id).unwrap(), serial, at).unwrap();
        OwnSignature::Certificate { certificate: id, terms }
    }

    pub fn serial(&mut self) -> SerialNumber {
        let random = Hash::sha256(&self.fresh().to_be_bytes()).0;
        SerialNumber::from_random(random[..16].try_into().unwrap())
    }

    pub fn step(&mut self, command: RotationCommand) -> Result<Vec<Event>, Refusal> {
        self.run(Command::Rotate(command))
    }

    /// Authorises a signature of the server's own, and has it made.
    pub fn sign_own(&mut self, own: OwnSignature) -> Result<Seq, Refusal> {
        let authorization = self.authorize_own(own)?;
        self.settle(authorization)?;
        Ok(authorization)
    }

    pub fn authorize_own(&mut self, own: OwnSignature) -> Result<Seq, Refusal> {
        let command = RotationCommand::Authorize { own, message: None, life_s: 60 };
        self.step(command).map(|events| events[0].seq)
    }

    /// An approved rotation of a slot's key, as far as its start.
    pub fn rotation_started(&mut self, name: &str) -> ActionId {
        let params = self.rotate_params(name);
        let action = self.approved_by(Params::KeyRotate(params));
        self.begin(action).unwrap();
        action
    }

    pub fn rotate_params(&self, name: &str) -> KeyRotateParams {
        let slot = self.now().slot(&slot_name(name)).unwrap();
        let policy = slot.rotation.digest().unwrap();
        KeyRotateParams { old_key: slot.active.unwrap(), policy, slot: slot_name(name) }
    }

    /// Proposed by the first as the slots' owner, approved by the others.
    pub fn approved_by(&mut self, params: Params) -> ActionId {
        let action = self.propose_as(0, sealbook_ledger::policy::Role::KeyOwner, params).unwrap();
        let quorum = self.now().action(action).unwrap().document().quorum.clone();
        let seats = quorum.iter().flat_map(|clause| std::iter::repeat_n(clause.role, clause.count.into()));
        for (seat, role) in seats.collect::<Vec<_>>().into_iter().enumerate() {
            self.approve(seat + 1, role, action).unwrap();
        }
        action
    }

    /// The new key of a rotation, made.
    pub fn generated(&mut self, action: ActionId) -> KeyId {
        let key = key_id(self.fresh());
        self.step(RotationCommand::Generate { action, key, life_s: 600 }).unwrap();
        self.key_made(key);
        key
    }

    /// The new key's certificate.
    pub fn certificate_ordered(&mut self, action: ActionId) -> CertificateId {
        let certificate = certificate_id(self.fresh());
        self.step(RotationCommand::Order { action, certificate }).unwrap();
        certificate
    }

    /// A canary of everything that is due, recorded.
    pub fn canary(&mut self, action: ActionId) {
        for due in self.now().rotations()[&action].due.clone() {
            self.sign_own(OwnSignature::Canary { action, digest: due.digest }).unwrap();
        }
        self.step(RotationCommand::Canary { action, results: message(b"[]") }).unwrap();
    }

    /// Everything up to the cutover.
    pub fn cut_over(&mut self, action: ActionId) -> KeyId {
        let key = self.generated(action);
        let slot = self.now().rotations()[&action].slot.clone();
        if self.now().slot(&slot).unwrap().rotation.certificate.is_some() {
            let id = self.certificate_ordered(action);
            self.request_of(id);
            self.issue(id);
        }
        self.canary(action);
        self.step(RotationCommand::CutOver(action)).unwrap();
        key
    }

    /// An evidence key.
    pub fn evidence_key(&mut self) {
        let backend = DeviceKeyParams { backend: "softhsm".parse().unwrap() };
        let action = self.approved(Params::LedgerEvidenceKeySet(backend));
        self.begin(action).unwrap();
        let spki = spki(Algorithm::EcdsaP256Sha256, 0);
        self.run(Command::EvidenceKeyMade { action, key: key_id(777), spki }).unwrap();
    }

    /// The device answers a signature with a failure.
    pub fn failed(&mut self, authorization: Seq, code: &str) {
        let outcome = SigningOutcome::Failed(code.parse().unwrap());
        self.run(Command::Settle { authorization, outcome }).unwrap();
    }
}

/// A CA that is nobody's in the ledger.
pub struct Outside {
    root: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Outside {
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "Outside Root");
        (params.not_before, params.not_after) = (date(2020), date(2040));
        let key = rcgen::KeyPair::generate().unwrap();
        Self { root: rcgen::CertifiedIssuer::self_signed(params, key).unwrap() }
    }

    pub fn sha256(&self) -> Hash {
        Hash::sha256(self.root.der())
    }

    /// A certificate for a key of the ledger, of so many days, and the root.
    pub fn chain(&self, ledger: &Ledger, key: KeyId, days: i64) -> Vec<B64> {
        let material = ledger.now().keys()[&key].material().unwrap().spki.clone();
        // What ends a P-256 SubjectPublicKeyInfo is the point, uncompressed.
        let point = Point(material.as_bytes()[material.as_bytes().len() - 65..].to_vec());
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Acme");
        params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning];
        let seconds = ledger.clock.unix_micros() / 1_000_000;
        params.not_before = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        params.not_after = params.not_before + time::Duration::days(days);
        let leaf = params.signed_by(&point, &self.root).unwrap();
        vec![leaf.der().as_ref().into(), self.root.der().as_ref().into()]
    }
}

/// A P-256 key, by its point.
struct Point(Vec<u8>);

impl rcgen::PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

fn date(year: i32) -> time::OffsetDateTime {
    rcgen::date_time_ymd(year, 1, 1)
}
