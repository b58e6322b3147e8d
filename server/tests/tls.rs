//! TLS as configured, between a real listener's and a real client's configuration; certificates made by `openssl`.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic there is the report")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustls::{ClientConnection, ServerConnection};
use sealbook::config::DatabaseTls;
use sealbook::tls;

/// A self-signed certificate for `db.example.com` and its key.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (cert, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=db.example.com", "-addext", "subjectAltName=DNS:db.example.com"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-out")
        .arg(&cert)
        .arg("-keyout")
        .arg(&key)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (cert, key)
}

/// Passes bytes between the two sides until both have finished, or one refuses.
fn handshake(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), rustls::Error> {
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

#[test]
fn a_database_is_trusted_by_its_root_and_where_asked_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path(), "database");
    let (other, _) = certificate(folder.path(), "other");
    let server = Arc::new(tls::listener(&cert, &key).unwrap());
    let full = |root: &Path| DatabaseTls::VerifyFull { root_cert: Some(root.to_owned()) };
    let require = |root: &Path| DatabaseTls::Require { root_cert: root.to_owned() };
    for (mode, host, accepted) in [
        (full(&cert), "db.example.com", true),
        (full(&cert), "10.0.0.1", false),
        (full(&other), "db.example.com", false),
        (require(&cert), "db.example.com", true),
        (require(&cert), "10.0.0.1", true),
        (require(&other), "10.0.0.1", false),
    ] {
        let config = Arc::new(tls::database(&mode).unwrap().unwrap());
        let mut client = ClientConnection::new(config, host.try_into().unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&server)).unwrap();
        assert_eq!(handshake(&mut client, &mut server).is_ok(), accepted, "{mode:?} {host}");
    }
    assert!(tls::database(&DatabaseTls::Disable).unwrap().is_none());
}

#[test]
fn files_that_hold_something_else_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path(), "one");
    let (_, other_key) = certificate(folder.path(), "two");
    for (cert, key, named) in [
        (&key, &key, &key),
        (&cert, &cert, &cert),
        (&cert, &other_key, &cert),
        (&folder.path().join("missing.crt"), &key, &folder.path().join("missing.crt")),
    ] {
        let error = tls::listener(cert, key).expect_err("they do not belong together");
        assert!(error.to_string().contains(&named.display().to_string()), "{error}");
    }
}
