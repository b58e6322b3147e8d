//! The ledger birth certificate: the record of a founding ceremony, made from the ledger's first events.

use sealbook_ledger::attributes::KeyAttributes;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Event;
use sealbook_ledger::founding::founding_digest;
use sealbook_ledger::ids::MemberId;
use sealbook_ledger::payload::{LedgerFounded, LedgerOpened, MemberEnrolled, NextVkey, Payload};
use sealbook_ledger::timestamp::Timestamp;
use sealbook_ledger::webauthn::{Credential, CredentialKind};

use super::document::{Block, Code, Column, Document, Foot, Signature, Table, Value};

/// What a ledger's first events say about its beginning.
#[derive(Debug, Clone)]
pub struct BirthCertificate {
    opened: LedgerOpened,
    opened_at: Timestamp,
    founders: Vec<Founder>,
    founded: LedgerFounded,
    founded_at: Timestamp,
    digest: Hash,
}

#[derive(Debug, Clone)]
struct Founder {
    name: String,
    enrolled: MemberEnrolled,
}

impl BirthCertificate {
    /// Reads a ledger's events from its first; `None` while it is not founded.
    ///
    /// `name` says how a person is called, where that is disclosed.
    pub fn from_events(events: &[Event], name: impl Fn(MemberId) -> Option<String>) -> Option<Self> {
        let first = events.first()?;
        let Payload::LedgerOpened(opened) = &first.payload else { return None };
        let mut founders = Vec::new();
        for event in events.iter().skip(1) {
            match &event.payload {
                Payload::MemberEnrolled(enrolled) => founders.push(Founder {
                    name: name(enrolled.member).unwrap_or_else(|| format!("Member {}", enrolled.member)),
                    enrolled: enrolled.as_ref().clone(),
                }),
                Payload::LedgerFounded(founded) => {
                    return Some(Self {
                        opened: opened.as_ref().clone(),
                        opened_at: first.time,
                        founders,
                        founded_at: event.time,
                        digest: founding_digest(&founded.document).ok()?,
                        founded: founded.as_ref().clone(),
                    });
                }
                _ => return None,
            }
        }
        None
    }

    /// The certificate as it is printed for a tenant.
    pub fn document(&self, tenant: &str) -> Document {
        let mut blocks = vec![Block::Facts(self.facts())];
        blocks.push(Block::Heading("The founders".to_owned()));
        blocks.push(Block::Table(self.founders()));
        blocks.push(Block::Text(
            "An authenticator of kind hardware has proved to this server, by a certificate of its maker, that its key can't \
             leave it. Synced passkeys are copied by their provider; for unattested ones nobody vouches; software keys lie in \
             files."
                .to_owned(),
        ));
        blocks.extend([Block::NewPage, Block::Heading("The device and its key".to_owned())]);
        blocks.push(Block::Table(attributes(&self.opened.attributes)));
        blocks.push(Block::Text(format!(
            "Read back from the custody backend {} after the key was made there, and recorded in the ledger's first event \
             on {}.",
            self.opened.custody,
            date(self.opened_at)
        )));
        blocks.push(Block::Heading("Signed by the founders".to_owned()));
        blocks.push(Block::Text(
            "Each founder compared this ledger key and this founding digest with what the own screen showed."
                .to_owned(),
        ));
        let signs = |founder: &Founder| Signature {
            name: founder.name.clone(),
            role: words(founder.enrolled.roles.iter().map(|role| role.to_string().replace('_', " "))),
        };
        blocks.push(Block::Signatures(self.founders.iter().map(signs).collect()));
        blocks.extend([Block::NewPage, Block::Heading("How to verify".to_owned())]);
        blocks.extend(self.verification(tenant));
        Document {
            title: "Ledger birth certificate".to_owned(),
            subtitle: self.sentence(),
            status: None,
            banner: None,
            origin: self.founded.document.origin.to_string(),
            made: None,
            blocks,
            verification: None,
            foot: Foot { tenant: tenant.to_owned(), id: format!("birth {}", &self.digest.to_string()[..16]) },
        }
    }

    fn sentence(&self) -> String {
        format!(
            "The ledger {} was founded on {} by {}; each signed its founding document with an authenticator of their own.",
            self.founded.document.origin,
            // Kept together: a date that breaks is hard to read.
            date(self.founded_at).replace(' ', "\u{a0}"),
            words(self.founders.iter().map(|founder| founder.name.clone())),
        )
    }

    fn facts(&self) -> Vec<(String, Value)> {
        let document = &self.founded.document;
        let standby = match &self.opened.next_vkey_digest {
            NextVkey::None => Value::Words("None: a lost ledger key means pinning anew".to_owned()),
            other => Value::Exact(other.to_string()),
        };
        let rules = &document.policy.credentials;
        let accepted = match (&rules.aaguids, rules.hardware_only) {
            (None, false) => "Of any kind".to_owned(),
            (None, true) => "Attested hardware only".to_owned(),
            (Some(makes), hardware) => {
                let kind = if hardware { "Attested hardware" } else { "Authenticators" };
                format!("{kind} of {} makes only", makes.len())
            }
        };
        let rp = &document.approval_rp;
        let shared = if rp.shared { "; the same passkeys sign in" } else { "; these passkeys never sign in" };
        let policy = document.policy.digest().map_or_else(|_| String::new(), |digest| digest.to_string());
        let words = |name: &str, text: String| (name.to_owned(), Value::Words(text));
        let exact = |name: &str, text: String| (name.to_owned(), Value::Exact(text));
        vec![
            exact("Ledger", document.origin.to_string()),
            words("Opened", date(self.opened_at)),
            words("Founded", date(self.founded_at)),
            exact("Ledger key (vkey)", document.vkey.to_string()),
            exact("Founding digest", self.digest.to_string()),
            words("Kept in", format!("Custody backend {}", self.opened.custody)),
            ("Standby key".to_owned(), standby),
            words(
                "Approvals",
                format!("For {} from {}{shared}", rp.id, self::words(rp.origins.iter().cloned())),
            ),
            words("Authenticators", accepted),
            exact("Policy digest", policy),
            words("Rules", format!("Version {}", document.rules)),
        ]
    }

    fn founders(&self) -> Table {
        let mut rows = Vec::new();
        for founder in &self.founders {
            for credential in &founder.enrolled.credentials {
                rows.push(vec![
                    Value::Words(founder.name.clone()),
                    Value::Words(words(
                        founder.enrolled.roles.iter().map(|r| r.to_string().replace('_', " ")),
                    )),
                    Value::Words(kind(credential).to_owned()),
                    Value::Exact(fingerprint(credential)),
                ]);
            }
        }
        Table {
            columns: vec![
                Column::new("Founder", 25),
                Column::new("Roles", 33),
                Column::new("Authenticator", 17),
                Column::new("Key, SHA-256", 25),
            ],
            rows,
        }
    }

    fn verification(&self, tenant: &str) -> Vec<Block> {
        let (vkey, digest) = (self.founded.document.vkey.to_string(), self.digest.to_string());
        vec![
            Block::Text(
                "Whoever keeps this sheet can check, without trusting the server, that an export is this very ledger and \
                 that it began as stated here:"
                    .to_owned(),
            ),
            Block::Commands(vec![
                format!("sealbook export --tenant {tenant} --out {tenant}.tar"),
                format!("printf '%s\\n' '{vkey}' > {tenant}.vkey"),
                format!("sealbook-verify {tenant}.tar --vkey @{tenant}.vkey --founding {digest}"),
            ]),
            Block::Text("Exit status 0 says that all of it holds.".to_owned()),
            Block::Codes(vec![
                Code { name: "Ledger key (vkey)".to_owned(), text: vkey },
                Code { name: "Founding digest".to_owned(), text: digest },
            ]),
            Block::Heading("What this certificate can't prove".to_owned()),
            Block::Text(
                "That the people named are who they say: only those who were in the room know. That a name belongs to an \
                 authenticator: the founding digest covers keys and roles, and of names only salted digests. That the device \
                 told the truth about its key. And nothing about what happened to the ledger after its founding: that is \
                 what an export and its checkpoints are for."
                    .to_owned(),
            ),
            Block::Text(
                "The paper proves nothing by itself either. It is a place to keep two values that the founders compared; \
                 the handwritten lines say who did."
                    .to_owned(),
            ),
        ]
    }
}

/// What the device says about the ledger key, and what it means.
fn attributes(read: &KeyAttributes) -> Table {
    let row = |name: &str, holds: bool, meaning: &str| {
        let said = if holds { "yes" } else { "no" };
        vec![Value::Words(meaning.to_owned()), Value::Words(said.to_owned()), Value::Exact(name.to_owned())]
    };
    Table {
        columns: vec![
            Column::new("What it means", 56),
            Column::new("Device says", 16),
            Column::new("Attribute", 28),
        ],
        rows: vec![
            row("CKA_LOCAL", read.local, "Made inside this device"),
            row("CKA_SENSITIVE", read.sensitive, "Can't be read in plain"),
            row("CKA_ALWAYS_SENSITIVE", read.always_sensitive, "Never could be read in plain"),
            row("CKA_EXTRACTABLE", read.extractable, "May leave the device wrapped by another key"),
            row("CKA_NEVER_EXTRACTABLE", read.never_extractable, "Never could leave the device"),
        ],
    }
}

fn kind(credential: &Credential) -> &'static str {
    match credential.kind {
        CredentialKind::Hardware => "Hardware",
        CredentialKind::Synced => "Synced passkey",
        CredentialKind::Unattested => "Unattested",
        CredentialKind::Software => "Software key",
    }
}

/// Eight digits from either end: enough to tell keys apart on paper.
fn fingerprint(credential: &Credential) -> String {
    let hash = Hash::sha256(credential.cose_public_key.as_bytes()).to_string();
    format!("{}…{}", &hash[..8], &hash[hash.len() - 8..])
}

/// "a, b and c".
fn words(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    match items.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

/// "24 Nov 2026, 15:04:39 UTC", of a time that reads `2026-11-24T15:04:39.000000Z`.
pub(super) fn date(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = at.to_string();
    let parts = (|| {
        let (date, time) = text.split_once('T')?;
        let mut date = date.splitn(3, '-');
        let (year, month, day) = (date.next()?, date.next()?, date.next()?);
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{} {month} {year}, {} UTC", day.trim_start_matches('0'), time.get(..8)?))
    })();
    parts.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use sealbook_ledger::event::Envelope;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::authenticator::SoftAuthenticator;
    use crate::reports::pdf;

    const VKEY: &str = "sealbook.example.com/vectors+879bfe16+AQo5Byq9k/qhDu68vfjiT2aDu0fy9Aw7FTBIIq+/LBql";

    fn event(seq: u64, kind: &str, data: Json) -> Event {
        let event = json!({
            "v": 1, "origin": "sealbook.example.com/vectors", "seq": seq, "time": "2026-11-04T09:05:07.000000Z",
            "type": kind, "actor": { "kind": "system", "id": "server" },
            "correlation": "01934f5e-6d3c-7b9a-8c11-0123456789ab", "prev": Hash::ZERO, "data": data,
        });
        let bytes = sealbook_ledger::canonical::value_to_vec(&event).unwrap();
        Event::from_envelope(Envelope::parse(&bytes).unwrap()).unwrap()
    }

    fn events() -> Vec<Event> {
        let attributes = json!({
            "always_sensitive": true, "extractable": false, "local": true, "never_extractable": true,
            "sensitive": true,
        });
        let opened = json!({
            "attributes": attributes, "custody": "softhsm", "next_vkey_digest": "none", "rules": 1, "vkey": VKEY,
        });
        let mut events = vec![event(0, "ledger.opened", opened)];
        let folder = tempfile::tempdir().unwrap();
        let mut founders = Vec::new();
        for n in 1..=3_u8 {
            let key = SoftAuthenticator::create(&folder.path().join(n.to_string()), "sealbook.example.com");
            let founder = json!({
                "member": uuid::Uuid::from_bytes([n; 16]), "roles": ["approver", "platform_admin", "security_reviewer"],
                "credentials": [key.unwrap().credential()],
            });
            events.push(event(u64::from(n), "member.enrolled", founder.clone()));
            founders.push(founder);
        }
        let document = json!({
            "v": 1, "origin": "sealbook.example.com/vectors", "vkey": VKEY, "rules": 1, "founders": founders,
            "policy": sealbook_ledger::policy::LedgerPolicy::default_for(3, 1),
            "approval_rp": { "id": "sealbook.example.com", "origins": ["https://sealbook.example.com"], "shared": true },
        });
        events.push(event(4, "ledger.founded", json!({ "document": document, "assertions": [] })));
        events
    }

    fn name(id: MemberId) -> Option<String> {
        ["Ada Lindqvist", "Bea Okonkwo", "Zoë Ångström"]
            .get(usize::from(id.uuid().as_bytes()[0]) - 1)
            .map(|name| (*name).to_owned())
    }

    #[test]
    fn a_founded_ledger_has_a_certificate_and_another_has_none() {
        let events = events();
        assert!(BirthCertificate::from_events(&events[..4], name).is_none());
        let certificate = BirthCertificate::from_events(&events, name).unwrap();
        let document = certificate.document("vectors");
        assert_eq!(
            document.subtitle,
            "The ledger sealbook.example.com/vectors was founded on 4\u{a0}Nov\u{a0}2026,\u{a0}09:05:07\u{a0}UTC by Ada Lindqvist, Bea Okonkwo \
             and Zoë Ångström; each signed its founding document with an authenticator of their own."
        );
        let digest = certificate.digest.to_string();
        assert!(document.blocks.iter().any(|block| match block {
            Block::Codes(codes) => codes[0].text == VKEY && codes[1].text == digest,
            _ => false,
        }));
        let bytes = pdf::render(&document).unwrap();
        assert_eq!(bytes, pdf::render(&certificate.document("vectors")).unwrap());
        if let Some(file) = std::env::var_os("SEALBOOK_TEST_CERTIFICATE") {
            std::fs::write(file, &bytes).unwrap();
        }
    }

    #[test]
    fn without_names_people_are_their_ids() {
        let certificate = BirthCertificate::from_events(&events(), |_| None).unwrap();
        assert!(certificate.sentence().contains("Member 01010101-"));
    }
}
