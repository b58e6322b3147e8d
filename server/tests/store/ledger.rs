//! Ledgers whose events are well linked, made by the store's own rules.

use sealbook::store::append::{Advance, Batch};
use sealbook::store::ledgers::LedgerRow;
use sealbook::store::rows::EventRow;
use sealbook::store::{Head, LedgerId, Store, StoreError};
use sealbook_ledger::encoding::Hash;
use sealbook_ledger::timestamp::Timestamp;

pub fn time(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_795_305_600_000_000 + micros).unwrap()
}

/// Enters a ledger and returns its empty head.
pub async fn create(store: &Store, tenant: &str) -> Head {
    let ledger = LedgerId::from_random(rand::random());
    let row = LedgerRow {
        ledger,
        origin: format!("sealbook.example.com/{tenant}").parse().unwrap(),
        tenant: tenant.parse().unwrap(),
        opened_at: time(0),
    };
    store.create_ledger(&row).await.unwrap();
    Head::empty(ledger)
}

/// Events that follow a head, and the move of the head. Hashes are stand-ins: the store never computes one.
pub fn extend(expected: Head, count: u64, size: usize) -> (Advance, Vec<EventRow>) {
    let mut new = expected;
    let mut events = Vec::new();
    for _ in 0..count {
        let mut bytes = format!("{{\"seq\":{}}}", new.size).into_bytes();
        bytes.resize(size.max(bytes.len()), b' ');
        new.hash = Hash::sha256_in_context(&new.hash.0, &bytes);
        new.end_offset += bytes.len() as u64 + 1;
        let kind = if new.size.is_multiple_of(100) { "vector.rare" } else { "vector.common" }.to_owned();
        let time = time(new.size as i64);
        let (ledger, hash, end_offset) = (new.ledger, new.hash, new.end_offset);
        events.push(EventRow { ledger, seq: new.size, hash, end_offset, time, kind, bytes });
        new.size += 1;
    }
    new.root = Hash::sha256(&new.hash.0);
    (Advance { expected, new }, events)
}

/// Appends events in a round of their own and returns the new head.
pub async fn append(store: &Store, head: Head, count: u64) -> Result<Head, StoreError> {
    let (advance, events) = extend(head, count, 400);
    commit(store, Batch { heads: vec![advance], events, ..Batch::default() }).await?;
    Ok(advance.new)
}

/// Takes a batch through a round of its own.
pub async fn commit(store: &Store, batch: Batch) -> Result<(), StoreError> {
    let ledgers: Vec<LedgerId> = batch.heads.iter().map(|advance| advance.new.ledger).collect();
    store.begin_round(&ledgers).await?.insert(&batch).await?.commit().await
}
