//! A release is checked offline, step by step: the first step that fails is why it is refused.

mod papers;
mod proofs;
mod revocations;
mod signatures;

use sealbook_ledger::note::Vkey;
use serde::Serialize;

use super::contents::Contents;
use super::evidence::Evidence;
use super::facts::Facts;
use super::operations::{Claimed, Header};
use super::provenance::Pipeline;
use super::{Code, Named, Papers, Refusal, ReleaseId};

/// What whoever checks has from somewhere else.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// Ledger keys.
    pub vkeys: Vec<Vkey>,
    /// Revocation evidence beside that of the folder: the file, and the receipt of its event.
    pub revocations: Option<(Vec<u8>, Vec<u8>)>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What has to be so.
    pub claim: &'static str,
    /// What was found.
    pub detail: String,
    /// Whether it is; absent where that was not looked at any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
}

/// How a release was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every step holds.
    Valid,
    /// One does not.
    Invalid,
    /// A paper is of a version that is not known here.
    CantJudge,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The refusal's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The release that the folder says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// The refusal's sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The verdict.
    pub verdict: Verdict,
}

/// The steps.
const CLAIMS: [&str; 7] = [
    "the operations manifest says everything that it has to",
    "every file is the one that was listed, and nothing else is there",
    "the release evidence binds the papers to one key and ledger",
    "the provenance is about exactly these artifacts",
    "what the manifest says follows from sealed events",
    "list, evidence and provenance are signed by the declared key",
    "no key that counts is revoked without evidence",
];

/// Of a step that was not taken.
const UNSEEN: &str = "not looked at: something before it fails";

/// Checks a release under pinned keys.
pub fn verify(contents: &Contents, pins: &Pins) -> Report {
    let mut judge = Judge { contents, pins, steps: Vec::new(), release: None };
    let refusal = judge.run().err();
    for claim in CLAIMS.into_iter().skip(judge.steps.len()) {
        judge.steps.push(Step { claim, detail: UNSEEN.to_owned(), holds: None });
    }
    let verdict = match &refusal {
        None => Verdict::Valid,
        Some(refusal) if refusal.code.is_undecided() => Verdict::CantJudge,
        Some(_) => Verdict::Invalid,
    };
    Report {
        code: refusal.as_ref().map(|refusal| refusal.code.name()),
        release: judge.release,
        sentence: refusal.map(|refusal| refusal.sentence),
        steps: judge.steps,
        verdict,
    }
}

impl Report {
    /// Of a folder that is none of a release.
    pub fn of(refusal: Refusal) -> Self {
        let step = |claim| Step { claim, detail: UNSEEN.to_owned(), holds: None };
        Self {
            code: Some(refusal.code.name()),
            release: None,
            sentence: Some(refusal.sentence),
            steps: CLAIMS.map(step).into(),
            verdict: Verdict::Invalid,
        }
    }
}

/// The papers of a release as far as they stand without signatures.
#[derive(Debug, Clone, PartialEq)]
pub struct Drafted {
    /// What the release is.
    pub header: Header,
    /// What the pipeline says of itself.
    pub pipeline: Pipeline,
    /// What the events say.
    pub facts: Facts,
}

/// Checks everything but signatures and revocations.
pub fn drafted(contents: &Contents, pins: &Pins) -> Result<Drafted, Refusal> {
    let judge = Judge { contents, pins, steps: Vec::new(), release: None };
    let read = judge.operations()?;
    let artifacts = judge.listed(&read)?;
    let (evidence, sha256) = judge.evidence(&read, artifacts.len())?;
    let pipeline = judge.provenance(&read, &artifacts, (&evidence, sha256))?;
    let facts = judge.facts(&read, &evidence)?;
    Ok(Drafted { header: read.claimed.header, pipeline, facts })
}

/// The files that have to be signed and have no signature that holds, where everything else stands.
pub fn unsigned(contents: &Contents, pins: &Pins) -> Result<Vec<String>, Refusal> {
    let facts = drafted(contents, pins)?.facts;
    let judge = Judge { contents, pins, steps: Vec::new(), release: None };
    let read = judge.operations()?;
    let unsigned = |name: &String| judge.signature(name, judge.form(&read, name), &read, &facts).is_err();
    Ok(read.papers.signed().into_iter().filter(unsigned).collect())
}

/// Checks everything but revocations: whose evidence may have to name this very release, and then comes after it.
pub fn signed(contents: &Contents, pins: &Pins) -> Result<(), Refusal> {
    let facts = drafted(contents, pins)?.facts;
    let judge = Judge { contents, pins, steps: Vec::new(), release: None };
    judge.signatures(&judge.operations()?, &facts).map(drop)
}

struct Judge<'a> {
    contents: &'a Contents,
    pins: &'a Pins,
    steps: Vec<Step>,
    release: Option<ReleaseId>,
}

/// The papers that were read so far.
struct Read {
    papers: Papers,
    claimed: Claimed,
    operations: Named,
}

impl Judge<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        let read = self.step(|judge| {
            let read = judge.operations()?;
            let header = &read.claimed.header;
            let detail = format!(
                "{} {}, key {} of slot {}",
                header.name, header.version, header.active_key_id, header.slot
            );
            Ok((read, detail))
        })?;
        let header = &read.claimed.header;
        self.release = Some(ReleaseId::of(header));
        let artifacts = self.step(|judge| {
            let artifacts = judge.listed(&read)?;
            let detail = match artifacts.len() {
                1 => "one artifact".to_owned(),
                count => format!("{count} artifacts"),
            };
            Ok((artifacts, detail))
        })?;
        let (evidence, sha256) = self.step(|judge| {
            let (evidence, sha256) = judge.evidence(&read, artifacts.len())?;
            let detail = format!("ledger {}", evidence.origin);
            Ok(((evidence, sha256), detail))
        })?;
        self.step(|judge| {
            judge.provenance(&read, &artifacts, (&evidence, sha256)).map(drop)?;
            Ok(((), "in-toto Statement v1".to_owned()))
        })?;
        let facts = self.step(|judge| {
            let facts = judge.facts(&read, &evidence)?;
            let detail = format!("{} events sealed by {}", read.claimed.events.len(), evidence.vkey);
            Ok((facts, detail))
        })?;
        self.step(|judge| {
            let seqs = judge.signatures(&read, &facts)?;
            let seqs: Vec<String> = seqs.iter().map(ToString::to_string).collect();
            Ok(((), format!("{}, events {}", facts.key.algorithm, seqs.join(", "))))
        })?;
        self.step(|judge| {
            let told = judge.revocations(&read, &facts, sha256)?;
            Ok(((), told))
        })
    }

    /// Takes one step, and notes what came of it.
    fn step<T>(&mut self, step: impl FnOnce(&Self) -> Result<(T, String), Refusal>) -> Result<T, Refusal> {
        let claim = CLAIMS[self.steps.len()];
        match step(self) {
            Ok((found, detail)) => {
                self.steps.push(Step { claim, detail, holds: Some(true) });
                Ok(found)
            }
            Err(refusal) => {
                self.steps.push(Step { claim, detail: refusal.sentence.clone(), holds: Some(false) });
                Err(refusal)
            }
        }
    }

    /// A paper that has to be there.
    fn needed(&self, name: &str, code: Code) -> Result<&[u8], Refusal> {
        self.contents.paper(name)?.ok_or_else(|| code.saying(format!("{name} is missing")))
    }
}

impl Evidence {
    /// Whether one of these keys is the one that it names.
    fn is_pinned(&self, vkeys: &[Vkey]) -> bool {
        vkeys.contains(&self.vkey)
    }
}
