//! Who follows a ledger live: each member has a few streams at most, whatever is asked of how many workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sealbook_ledger::ids::{MemberId, TenantName};

use super::problem::Problem;

/// Most streams of one member: the six tabs that HTTP/1.1 lets a browser keep open, and those of pages that were just
/// left, which hold their place until they are written to.
const MAX_OF_MEMBER: usize = 24;

/// The streams that are open, by member.
#[derive(Clone, Default)]
pub struct Listeners(Arc<Mutex<HashMap<(TenantName, MemberId), usize>>>);

/// A place among a member's streams; given back when the stream ends, however it ends.
pub struct Place {
    listeners: Listeners,
    key: (TenantName, MemberId),
}

impl Listeners {
    /// Takes a place for one more stream.
    pub fn take(&self, key: (TenantName, MemberId)) -> Result<Place, Problem> {
        let mut open = self.lock();
        let count = open.entry(key.clone()).or_default();
        if *count >= MAX_OF_MEMBER {
            return Err(Problem::of("live.full"));
        }
        *count += 1;
        drop(open);
        Ok(Place { listeners: self.clone(), key })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantName, MemberId), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.listeners.lock();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_a_few_streams_and_gets_places_back() {
        let listeners = Listeners::default();
        let key = || ("acme".parse::<TenantName>().unwrap(), MemberId::from(uuid::Uuid::from_u128(1)));
        let mut places: Vec<Place> = (0..MAX_OF_MEMBER).map(|_| listeners.take(key()).unwrap()).collect();
        assert_eq!(listeners.take(key()).err().unwrap().code(), "live.full");
        places.pop();
        assert!(listeners.take(key()).is_ok());
        drop(places);
        assert!(listeners.lock().is_empty());
    }
}
