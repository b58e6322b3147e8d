//! What a start from a snapshot rests on, and what becomes of it where the database, or the snapshot, was doctored.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sealbook::app::App;
use sealbook::embedded::{DataFolder, EmbeddedPostgres};
use sealbook::ledger::{Pass, Replay};
use sealbook_ledger::ids::ServiceId;
use tokio_postgres::{Client, NoTls};

use crate::{Site, export_and_verify, sign, start_keeping};

/// So few that the journey's ledger has many of them below its snapshot.
const EVERY: u64 = 20;

/// Takes over a site whose server has stopped, and leaves it so.
pub async fn a_start_begins_from_a_snapshot_and_every_event_is_folded_behind_its_back(
    folder: &DataFolder,
    postgres: &EmbeddedPostgres,
    mut site: Site,
    service: ServiceId,
) -> Site {
    let scene = Scene { folder, postgres };
    let owner = scene.owner().await;
    // The first start finds no snapshot, and makes one.
    site = scene.start(site).await;
    let file = scene.snapshot().await;
    assert_eq!(site.ledger.vitals().replay, Replay::NotOwed);
    site.app.stop().await;

    // The second begins from it, signs at once, and has folded what lies below before long.
    site = scene.start(site).await;
    sign(&site, service, "edge-ed25519", 150).await.unwrap();
    let below = scene.replayed(&site).await.events;
    assert!((EVERY..site.ledger.size()).contains(&below), "{below} of {}", site.ledger.size());
    export_and_verify(&site).await;
    site.app.stop().await;

    let bytes = "set bytes = set_byte(bytes, 40, get_byte(bytes, 40) # 1)";
    // The event that it ends with is held against the database before anything is served.
    let last = below_of(&std::fs::read_to_string(&file).unwrap()) - 1;
    edit(&owner, bytes, &format!("seq = {last}")).await;
    let app = start_keeping(folder, postgres, EVERY).await;
    let refused = app.refused(&"acme".parse().unwrap()).expect("the ledger is refused");
    assert!(
        refused.sentence.contains(&format!("event {last} ")) && refused.sentence.contains("put aside"),
        "{}",
        refused.sentence
    );
    app.stop().await;
    edit(&owner, bytes, &format!("seq = {last}")).await;

    // One that was edited without the key is worth nothing: the ledger is folded from its first event.
    let genuine = std::fs::read_to_string(&file).unwrap();
    let doctored = genuine.replacen(r#""removed":false"#, r#""removed":true"#, 1);
    assert_ne!(doctored, genuine);
    std::fs::write(&file, &doctored).unwrap();
    site = scene.start(site).await;
    assert_eq!(site.ledger.vitals().replay, Replay::NotOwed);
    assert!(site.ledger.state().founded().unwrap().members().values().all(|member| !member.removed));
    until("a genuine one in its place", || {
        (std::fs::read_to_string(&file).unwrap() != doctored).then_some(())
    })
    .await;
    site.app.stop().await;

    // One that was edited with the key is found by folding, and thrown away.
    std::fs::write(&file, scene.with_mac(&doctored)).unwrap();
    site = scene.start(site).await;
    assert!(scene.frozen(&site).await.contains("the snapshot that this start began from"));
    until("the false snapshot to be taken away", || (!file.exists()).then_some(())).await;
    site.app.stop().await;
    site = scene.start(site).await;
    assert_eq!((site.ledger.frozen(), site.ledger.vitals().replay), (None, Replay::NotOwed));
    scene.snapshot().await;
    site.app.stop().await;

    // Events edited below it are found by folding, and named.
    edit(&owner, bytes, "seq = 3").await;
    site = scene.start(site).await;
    let why = scene.frozen(&site).await;
    assert!(why.contains("event 3") || why.contains("event 4"), "{why}");
    site.app.stop().await;
    edit(&owner, bytes, "seq = 3").await;

    // Leaves that are gone are no loss.
    std::fs::write(file.with_extension("leaves"), [0; 32]).unwrap();
    site = scene.start(site).await;
    assert_eq!((site.ledger.frozen(), site.ledger.vitals().replay), (None, Replay::NotOwed));
    sign(&site, service, "edge-ed25519", 151).await.unwrap();
    export_and_verify(&site).await;
    site.app.stop().await;
    site
}

/// How many events a snapshot is of.
fn below_of(snapshot: &str) -> u64 {
    let bound: serde_json::Value = serde_json::from_str(snapshot.lines().next().unwrap()).unwrap();
    bound["size"].as_u64().unwrap()
}

/// Edits events as the owner of the tables can.
async fn edit(owner: &Client, set: &str, which: &str) {
    let ledger = "ledger_id = (SELECT ledger_id FROM sealbook.ledgers WHERE tenant = 'acme')";
    let sql = format!(
        "ALTER TABLE sealbook.events DISABLE TRIGGER append_only; \
         UPDATE sealbook.events {set} WHERE {ledger} AND {which}; \
         ALTER TABLE sealbook.events ENABLE ALWAYS TRIGGER append_only"
    );
    owner.batch_execute(&sql).await.unwrap();
}

struct Scene<'a> {
    folder: &'a DataFolder,
    postgres: &'a EmbeddedPostgres,
}

impl Scene<'_> {
    async fn owner(&self) -> Client {
        let (client, connection) = self.postgres.owner_config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    async fn start(&self, before: Site) -> Site {
        let Site { people, app, ledger } = before;
        drop((app, ledger));
        let app: App = start_keeping(self.folder, self.postgres, EVERY).await;
        let ledger = app.ledger(&"acme".parse().unwrap()).expect("the ledger is served");
        Site { app, ledger, people }
    }

    /// The snapshot, once there is one.
    async fn snapshot(&self) -> PathBuf {
        until("a snapshot", || {
            let files = std::fs::read_dir(self.folder.high_water()).unwrap();
            let mut paths = files.map(|file| file.unwrap().path());
            paths.find(|path| path.extension().is_some_and(|extension| extension == "snapshot"))
        })
        .await
    }

    async fn replayed(&self, site: &Site) -> Pass {
        until("the folding of what lies below", || match site.ledger.vitals().replay {
            Replay::Ended(pass) => Some(pass),
            Replay::NotOwed | Replay::UnderWay { .. } => None,
        })
        .await
    }

    async fn frozen(&self, site: &Site) -> std::sync::Arc<str> {
        until("the ledger to be frozen", || site.ledger.frozen()).await
    }

    /// A snapshot's content under the server's own key.
    fn with_mac(&self, snapshot: &str) -> String {
        let key = std::fs::read(self.folder.high_water().join("snapshots.key")).unwrap();
        let (content, _) = snapshot.split_at(snapshot.len() - 65);
        let mac = blake3::keyed_hash(&key.try_into().unwrap(), content.as_bytes()).to_hex();
        format!("{content}{mac}\n")
    }
}

async fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < deadline, "no sign of {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
