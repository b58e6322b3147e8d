//! The blast radius of a key for people and programs: what it comes to, its groups, and its rows.

mod groups;
mod rows;

use sealbook_ledger::blast_radius::{Affected, Extent, Outcome, named};
use sealbook_ledger::canonical::Unrepresentable;
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::event::Actor;
use sealbook_ledger::ids::{KeyId, Seq, SlotName};
use sealbook_ledger::policy::Environment;
use sealbook_ledger::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Names;
use groups::Groups;

pub use rows::{Told, json_lines, table, table_head};

/// An event, by what proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MarkView {
    /// Its place.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// When it was appended.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
}

/// How many authorisations ended in which way.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct OutcomesView {
    /// Nobody knows whether the device signed.
    pub abandoned: u64,
    /// Signed and recorded.
    pub created: u64,
    /// The device answered with an error, or with what does not verify: these alone do not count as signed.
    pub failed: u64,
    /// No outcome yet.
    pub open: u64,
    /// Signed, and kept back.
    pub withheld: u64,
}

/// Signatures of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CountView {
    /// How many were authorised.
    pub count: u64,
    /// How many of these failed, and do not count as signed.
    pub failed: u64,
}

/// What is not among the groups that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct RestView {
    /// How many groups; absent where they were too many to tell apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<u64>,
    /// Their signatures.
    #[serde(flatten)]
    pub count: CountView,
}

/// The signatures for an environment, or of the server's own for a purpose.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvironmentGroup {
    /// Where the artifacts were meant to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub environment: Option<Environment>,
    /// `canary`, `certificate` or `certificate_request`: what the server had signed by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<&'static str>,
    /// How many.
    #[serde(flatten)]
    pub count: CountView,
}

/// A caller's signatures.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallerGroup {
    /// `member`, `service` or `system`.
    pub kind: &'static str,
    /// The id; `server` for the system.
    pub id: String,
    /// The name, where it is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many.
    #[serde(flatten)]
    pub count: CountView,
}

/// An artifact's signatures.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtifactGroup {
    /// Its name, where it is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version, where it is disclosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why there are neither: `redacted` (what was said is disclosed no longer, or was no more than a ticket), `unnamed`
    /// (nothing was said), or
    /// `own` (the server's own signatures).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<&'static str>,
    /// How many.
    #[serde(flatten)]
    pub count: CountView,
}

/// The largest groups, the largest first, at most 100.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupsView<T> {
    /// The groups.
    pub groups: Vec<T>,
    /// Everything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestView>,
}

/// Every signature that a key may have made since a moment, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlastRadiusView {
    /// The ledger.
    #[schema(example = "sealbook.example.com/acme")]
    pub origin: String,
    /// The key.
    #[schema(value_type = String, format = Uuid)]
    pub key: KeyId,
    /// Its slot.
    #[schema(value_type = String)]
    pub slot: SlotName,
    /// From when on, that moment included; of all time where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// The list is of the ledger's first so many events.
    pub size: u64,
    /// The checkpoint of that very size (C2SP tlog-checkpoint), where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// How many signatures are listed.
    pub count: u64,
    /// How many of them count as signed: all but those that failed.
    pub signed: u64,
    /// How many of them somebody outside may rely on: what these are over is to be signed again, or given up.
    pub resign_required: u64,
    /// What became of them.
    pub outcomes: OutcomesView,
    /// The first authorisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<MarkView>,
    /// The last authorisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<MarkView>,
    /// SHA-256 of the list (docs/spec/blast-radius.md).
    #[schema(value_type = String)]
    pub digest: Hash,
    /// By environment.
    pub environments: GroupsView<EnvironmentGroup>,
    /// By caller.
    pub callers: GroupsView<CallerGroup>,
    /// By artifact and version.
    pub artifacts: GroupsView<ArtifactGroup>,
}

/// Of what a view is.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The ledger.
    pub origin: String,
    /// The key.
    pub key: KeyId,
    /// Its slot.
    pub slot: SlotName,
    /// From when on.
    pub since: Option<Timestamp>,
    /// How many events were looked at.
    pub size: u64,
    /// The checkpoint of that size.
    pub checkpoint: Option<String>,
}

/// What a signature was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum For {
    Environment(Environment),
    Own(&'static str),
    /// Neither, which no rule lets pass.
    Nothing,
}

/// What is signed, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Artifact {
    Named { name: Option<String>, version: Option<String> },
    Without(&'static str),
}

impl Artifact {
    fn of(row: &Affected, told: Told) -> Self {
        match told {
            Told { name: None, version: None, .. } if row.purpose.is_some() => Self::Without("own"),
            Told { name: None, version: None, .. } if row.redactable => Self::Without("redacted"),
            Told { name: None, version: None, .. } => Self::Without("unnamed"),
            Told { name, version, .. } => Self::Named { name, version },
        }
    }
}

/// A list while its rows pass: what it comes to, and its groups.
#[derive(Debug, Default)]
pub struct Tally {
    extent: Extent,
    resign_required: u64,
    purposes: Groups<For>,
    callers: Groups<Actor>,
    artifacts: Groups<Artifact>,
}

impl Tally {
    /// Counts the next rows, with what is told about each.
    pub fn with(mut self, rows: Vec<(Affected, Told)>) -> Result<Self, Unrepresentable> {
        for (row, told) in rows {
            self.extent.add(&row)?;
            self.resign_required += u64::from(row.is_resign_required());
            let has_failed = row.outcome() == Outcome::Failed;
            let purpose = match (row.environment, row.purpose.as_deref()) {
                (Some(environment), _) => For::Environment(environment),
                (None, Some(purpose)) => For::Own(named(purpose).0),
                (None, None) => For::Nothing,
            };
            self.purposes.count(purpose, has_failed);
            self.callers.count(row.caller, has_failed);
            self.artifacts.count(Artifact::of(&row, told), has_failed);
        }
        Ok(self)
    }

    /// What the list comes to.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// The whole as a view.
    pub fn into_view(self, of: Subject, names: &Names) -> BlastRadiusView {
        let mark = |mark: Option<(Seq, Timestamp)>| mark.map(|(seq, time)| MarkView { seq, time });
        let extent = &self.extent;
        BlastRadiusView {
            count: extent.count(),
            signed: extent.signed(),
            resign_required: self.resign_required,
            outcomes: OutcomesView {
                abandoned: extent.of(Outcome::Abandoned),
                created: extent.of(Outcome::Created),
                failed: extent.of(Outcome::Failed),
                open: extent.of(Outcome::Open),
                withheld: extent.of(Outcome::Withheld),
            },
            first: mark(extent.first()),
            last: mark(extent.last()),
            digest: extent.digest(),
            environments: self.purposes.into_view(|purpose, count| {
                let (environment, purpose) = match purpose {
                    For::Environment(environment) => (Some(environment), None),
                    For::Own(purpose) => (None, Some(purpose)),
                    For::Nothing => (None, None),
                };
                EnvironmentGroup { environment, purpose, count }
            }),
            callers: self.callers.into_view(|caller, count| {
                let name = name_of(names, caller).map(str::to_owned);
                CallerGroup { kind: caller.kind(), id: caller.id(), name, count }
            }),
            artifacts: self.artifacts.into_view(|artifact, count| match artifact {
                Artifact::Named { name, version } => ArtifactGroup { name, version, without: None, count },
                Artifact::Without(why) => {
                    ArtifactGroup { name: None, version: None, without: Some(why), count }
                }
            }),
            origin: of.origin,
            key: of.key,
            slot: of.slot,
            since: of.since,
            size: of.size,
            checkpoint: of.checkpoint,
        }
    }
}

fn name_of(names: &Names, caller: Actor) -> Option<&str> {
    match caller {
        Actor::Member(id) => names.member(id),
        Actor::Service(id) => names.service(id),
        Actor::System => None,
    }
}

#[cfg(test)]
mod tests {
    use sealbook_ledger::encoding::HexBytes;
    use sealbook_ledger::payload::SigningPurpose;

    use super::*;

    const ID: &str = "01934f00-0000-7000-8000-0000000000d1";

    fn row(n: u64) -> Affected {
        Affected {
            authorization: Seq::new(n).unwrap(),
            caller: Actor::Service(ID.parse().unwrap()),
            digest: HexBytes(vec![1; 32]),
            ended: None,
            environment: Some(Environment::Production),
            purpose: None,
            redactable: true,
            time: "2026-11-22T00:00:00.000000Z".parse().unwrap(),
        }
    }

    fn view(rows: &[Affected], told: Vec<Told>) -> BlastRadiusView {
        let rows = rows.iter().cloned().zip(told).collect();
        let subject = Subject {
            origin: "sealbook.example.com/acme".to_owned(),
            key: ID.parse().unwrap(),
            slot: "release".parse().unwrap(),
            since: None,
            size: 9,
            checkpoint: None,
        };
        Tally::default().with(rows).unwrap().into_view(subject, &Names::default())
    }

    #[test]
    fn what_is_disclosed_no_longer_is_a_group_of_its_own_and_changes_no_digest() {
        let purpose = SigningPurpose::CertificateRequest { certificate: ID.parse().unwrap() };
        let own = Affected {
            environment: None,
            purpose: Some(Box::new(purpose)),
            redactable: false,
            caller: Actor::System,
            ..row(4)
        };
        let rows = [row(1), row(2), Affected { redactable: false, ..row(3) }, own];
        let named = Told { name: Some("app".to_owned()), ..Told::default() };
        let nothing = Told::default();
        let told = view(&rows, vec![named.clone(), named, nothing.clone(), nothing.clone()]);
        let silent = view(&rows, vec![nothing; 4]);
        let artifacts = |view: &BlastRadiusView| -> Vec<(Option<String>, Option<&'static str>, u64)> {
            let groups = view.artifacts.groups.iter();
            groups.map(|group| (group.name.clone(), group.without, group.count.count)).collect()
        };
        let (own, unnamed) = ((None, Some("own"), 1), (None, Some("unnamed"), 1));
        assert_eq!(artifacts(&told), [(Some("app".to_owned()), None, 2), own.clone(), unnamed.clone()]);
        assert_eq!(artifacts(&silent), [(None, Some("redacted"), 2), own, unnamed]);
        assert_eq!(told.digest, silent.digest);
        let purposes: Vec<_> = told.environments.groups.iter().map(|group| group.purpose).collect();
        assert_eq!(purposes, [None, Some("certificate_request")]);
    }
}
