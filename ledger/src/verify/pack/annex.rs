//! A list that a pack brings along: it follows from events that are not in the pack, and one that is names its digest.

use super::refuse;
use crate::blast_radius::{Covered, List};
use crate::encoding::Hash;
use crate::event::Event;
use crate::evidence::Annex;
use crate::pack::Pack;
use crate::verify::{Failure, Layer};

/// How packs call it.
const MEDIA_TYPE: &str = "application/jsonl";

/// It is the list that the event names, in the form that lists have, and no event of the pack says something else.
pub(super) fn judge_annex(pack: &Pack<'_>, annex: Annex<'_>, events: &[Event]) -> Result<(), Failure> {
    let (name, scope) = (annex.name, annex.scope);
    let wrong = |reason: String| refuse(Layer::Rules, "pack.evidence", reason);
    let Some((entry, bytes)) = pack.files().find(|(entry, _)| entry.name.as_str() == name) else {
        return Err(wrong(format!("{name} is missing, which event {} names", scope.taken.mark.seq)));
    };
    if Hash::sha256(bytes) != scope.list || entry.media_type.as_str() != MEDIA_TYPE {
        return Err(wrong(format!("{name} is not the list that event {} names", scope.taken.mark.seq)));
    }
    let list = List::read(bytes).map_err(|error| wrong(format!("{name}: {error}")))?;
    let ends = (list.lines().first(), list.lines().last());
    let ends = (ends.0.map(|line| line.authorization), ends.1.map(|line| line.authorization));
    if list.lines().len() as u64 != scope.count || ends != (scope.first, scope.last) {
        return Err(wrong(format!("{name} has not as many lines, or not those ends, as its event says")));
    }
    let covered = Covered { key: annex.key, since: scope.since, size: scope.size };
    list.agrees(covered, events).map_err(|error| wrong(format!("{name}: {error}")))
}

/// What a reader of the verdict is told about it.
pub(super) fn told(annex: Annex<'_>) -> String {
    let (name, count, seq) = (annex.name, annex.scope.count, annex.scope.taken.mark.seq);
    match annex.is_held() {
        true => format!(
            "{name} is the list of {count} affected signatures that event {seq} names; that none is missing, the whole \
             ledger tells"
        ),
        false => {
            format!("the list of {count} affected signatures that event {seq} names is too long for a pack")
        }
    }
}
