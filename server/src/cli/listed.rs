//! The artifacts that an action about signatures lists, checked against its document before anybody decides on them.

use sealbook_ledger::action::Params;
use sealbook_ledger::clearance;
use sealbook_ledger::encoding::{Hash, HexBytes};

use super::document::CheckedDocument;
use super::failure::Failure;
use super::output::printable;
use super::sentence::plural;
use crate::client::answers::Action;

/// Artifacts that are told before a person is asked; `action show` tells all.
const TOLD_FIRST: usize = 20;

/// What is to be signed.
pub(super) struct Listed(Vec<Artifact>);

struct Artifact {
    name: Option<String>,
    digest: HexBytes,
    signed: bool,
}

impl Listed {
    /// The artifacts of an action; `None` where it is about something else, or where this answer does not list them.
    ///
    /// What the server lists is believed only as far as the root in the document covers it, and a name only as far as it
    /// opens a digest of the document.
    pub(super) fn of(checked: &CheckedDocument, action: &Action) -> Result<Option<Self>, Failure> {
        let told = |name| checked.disclosed(name, &action.disclosures);
        let artifacts = match &checked.document().params {
            Params::SigningApprove(params) => {
                let about = [told("artifact_name")?, told("artifact_version")?, told("artifact_ticket")?];
                let about: Vec<&str> = about.into_iter().flatten().collect();
                let name = (!about.is_empty()).then(|| about.join(", "));
                let signed = action.artifacts.first().is_some_and(|artifact| artifact.signed);
                vec![Artifact { name, digest: params.digest.clone(), signed }]
            }
            Params::SigningBatch(_) if action.artifacts.is_empty() => return Ok(None),
            Params::SigningBatch(params) => {
                let digests = action.artifacts.iter().map(|artifact| artifact.digest.clone());
                let digests: Vec<HexBytes> = digests.collect();
                check_root(&digests, params.count, params.root)?;
                let names: Option<Vec<&str>> = told("names")?.map(|names| names.split('\n').collect());
                if names.as_ref().is_some_and(|names| names.len() != digests.len()) {
                    return Err(distrust("names of another number than the digests that they are to name"));
                }
                let signed = action.artifacts.iter().map(|artifact| artifact.signed);
                let named =
                    |at: usize| names.as_ref().and_then(|names| names.get(at)).map(|n| (*n).to_owned());
                let all = digests.into_iter().zip(signed).enumerate();
                all.map(|(at, (digest, signed))| Artifact { name: named(at), digest, signed }).collect()
            }
            _ => return Ok(None),
        };
        Ok(Some(Self(artifacts)))
    }

    /// Refuses to have a list approved that nobody can see.
    pub(super) fn shown(listed: Option<Self>, checked: &CheckedDocument) -> Result<Option<Self>, Failure> {
        match (&listed, &checked.document().params) {
            (None, Params::SigningBatch(_)) => Err(distrust("no list of what the action lets be signed")),
            _ => Ok(listed),
        }
    }

    /// The first artifacts, for a person who is about to decide.
    pub(super) fn beginning(&self) -> String {
        let mut text = self.lines(TOLD_FIRST);
        let left = self.0.len().saturating_sub(TOLD_FIRST);
        if left > 0 {
            text.push_str(&format!("  and {left} more, which `sealbook action show` lists\n"));
        }
        text
    }

    /// Every artifact.
    pub(super) fn whole(&self) -> String {
        self.lines(usize::MAX)
    }

    fn lines(&self, most: usize) -> String {
        let mut text = format!("{}:\n", plural(self.0.len(), "artifact"));
        for artifact in self.0.iter().take(most) {
            let name = artifact.name.as_deref().map_or_else(|| "not disclosed".to_owned(), printable);
            let signed = if artifact.signed { " (signed)" } else { "" };
            text.push_str(&format!("  {}  {name}{signed}\n", artifact.digest));
        }
        text
    }
}

/// The list is the one that the document's root stands for.
fn check_root(digests: &[HexBytes], count: u32, root: Hash) -> Result<(), Failure> {
    if digests.len() == count as usize && clearance::root(digests) == root {
        Ok(())
    } else {
        Err(distrust("other digests than those that the document lets be signed"))
    }
}

fn distrust(what: &str) -> Failure {
    Failure::Distrust { what: format!("the server shows {what}: nothing was signed") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_believed_only_as_the_root_says() {
        let digests: Vec<HexBytes> = (0..5).map(|n| HexBytes(vec![n; 32])).collect();
        let root = clearance::root(&digests);
        check_root(&digests, 5, root).unwrap();
        let mut swapped = digests.clone();
        swapped.swap(0, 1);
        for (list, count) in [(&digests[..4], 5), (&digests[..4], 4), (&digests[..], 6), (&swapped[..], 5)] {
            let failure = check_root(list, count, root).unwrap_err();
            assert!(matches!(failure, Failure::Distrust { .. }), "{failure}");
        }
    }
}
