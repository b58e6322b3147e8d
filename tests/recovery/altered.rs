//! Rows that somebody altered.

use integration::story::Story;
use integration::{Server, waiting};
use serde_json::json;

use crate::database::{Role, execute};
use crate::operator::command;

#[test]
fn the_runtime_role_can_change_nothing_that_a_ledger_holds() {
    let server = Server::shared();
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    for table in ["events", "checkpoints"] {
        for statement in [
            format!("UPDATE sealbook.{table} SET ledger_id = 0"),
            format!("DELETE FROM sealbook.{table}"),
            format!("TRUNCATE sealbook.{table}"),
            format!("ALTER TABLE sealbook.{table} DISABLE TRIGGER ALL"),
            format!("DROP TABLE sealbook.{table}"),
        ] {
            let refused = execute(&server, Role::App, &statement).expect_err(&statement);
            assert!(refused.contains("permission denied") || refused.contains("must be owner"), "{refused}");
        }
        // The trigger refuses the owner as well.
        let refused = execute(&server, Role::Owner, &format!("DELETE FROM sealbook.{table}")).unwrap_err();
        assert!(refused.contains("never changed"), "{refused}");
    }
    story.tenant.verified();
}

#[test]
fn a_rebuild_agrees_with_a_busy_past_and_repairs_what_was_altered_by_hand() {
    let mut server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256", "ed25519"]);
    server.stop();
    let agreed = command(&server, "rebuild", &["--json"]).expect(0).json();
    assert_eq!(agreed["ledgers"][0]["agreed"], true, "{agreed:#}");
    server.start_again();
    execute(&server, Role::App, "UPDATE sealbook.p_slots SET status = 'revoked'").unwrap();
    server.stop();
    let rebuilt = command(&server, "rebuild", &["--json"]).expect(0).json();
    assert_eq!(rebuilt["ledgers"][0]["agreed"], false, "{rebuilt:#}");
    let again = command(&server, "rebuild", &["--json"]).expect(0).json();
    assert_eq!(again["ledgers"][0]["agreed"], true, "{again:#}");
    server.start_again();
    assert_eq!(story.sign("ecdsa-p256-sha256", "after the rebuild").status, 200);
}

/// Somebody with the owner's password switches the trigger off and edits what is sealed.
const EDIT: &str = "ALTER TABLE sealbook.events DISABLE TRIGGER append_only;
    UPDATE sealbook.events SET bytes = set_byte(bytes, 9, get_byte(bytes, 9) # 1) WHERE seq = 5;
    ALTER TABLE sealbook.events ENABLE ALWAYS TRIGGER append_only;";

#[test]
fn a_scrub_of_a_running_server_finds_a_sealed_event_that_was_edited_and_freezes_the_ledger() {
    let server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    story.sealed();
    let scrub = || server.operator().post(&story.tenant.path("/scrub"), &json!({}));
    scrub().expect(200);
    execute(&server, Role::Owner, EDIT).unwrap();
    assert_eq!(scrub().expect(500).code(), "ledger.corrupt");
    let refused = story.sign("ecdsa-p256-sha256", "frozen").expect(500);
    assert_eq!(refused.code(), "ledger.corrupt");
    let ready = server.api().get("/readyz").expect(503);
    assert!(ready.text().contains("ledger.corrupt"), "{}", ready.said());
    assert!(server.logs().contains("LEDGER FROZEN"));
}

/// The head moves with an inserted row, as a database's administrator could do it; the sealer reads before it signs.
#[test]
fn an_event_that_was_edited_before_it_is_sealed_never_is() {
    let server = Server::start();
    let story = Story::tell(&server, &["ecdsa-p256-sha256"]);
    story.sealed();
    // From now on every new row is altered on its way in.
    let meddle = "CREATE FUNCTION sealbook.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.bytes := set_byte(NEW.bytes, 30, get_byte(NEW.bytes, 30) # 1); RETURN NEW; END $$;
        CREATE TRIGGER meddle BEFORE INSERT ON sealbook.events FOR EACH ROW EXECUTE FUNCTION sealbook.meddle();";
    execute(&server, Role::Owner, meddle).unwrap();
    let sealed = story.tenant.get("").expect(200).json()["sealed_size"].clone();
    story.sign("ecdsa-p256-sha256", "meddled with");
    waiting::until("the alarm", || {
        let ready = server.api().get("/readyz");
        (ready.status == 503 && ready.text().contains("ledger.corrupt")).then_some(())
    });
    assert!(server.logs().contains("LEDGER FROZEN"));
    let refused = story.sign("ecdsa-p256-sha256", "frozen");
    assert_eq!((refused.status, refused.code().as_str()), (500, "ledger.corrupt"), "{}", refused.said());
    assert_eq!(story.tenant.get("").expect(200).json()["sealed_size"], sealed, "never sealed");
}
