//! How a server ends, and that nobody else may use its folder meanwhile.

use std::fs;
use std::process::Command;

use integration::programs::{program, run};
use integration::{Server, waiting};
use rustix::process::Signal;

use crate::load::{Load, Seen, settle, site};
use crate::processes;

/// How many events of the only tenant are sealed, as the file outside the database says.
fn sealed_outside(server: &Server) -> u64 {
    let files = fs::read_dir(server.data().join("high-water")).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter_map(|path| fs::read_to_string(path).ok());
    let sealed = texts.flat_map(|text| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("sealed "));
        lines.filter_map(|mark| mark.split(' ').next()?.parse().ok()).collect::<Vec<u64>>()
    });
    sealed.max().expect("a high-water file")
}

#[test]
fn told_to_end_under_load_a_server_ends_in_order_with_everything_sealed_and_goes_on_later() {
    let mut server = Server::start();
    let (mut tenant, service) = site(&server);
    let mut seen = Seen::default();
    for signal in [Signal::INT, Signal::TERM] {
        let load = Load::begin(&tenant, &service);
        load.wait_for(20);
        processes::signal(&[processes::server(&server)], signal);
        waiting::until("nobody to listen", || {
            server.api().try_send("GET", "/healthz", &[], b"").is_err().then_some(())
        });
        let more = load.end();
        server.stop();
        let sealed = sealed_outside(&server);
        server.start_again();
        tenant.sign_in_again();
        assert_eq!(tenant.get("").expect(200).json()["size"], sealed, "{:?}", more.refused);
        seen.received.extend(more.received);
    }
    let account = settle(&tenant, &seen);
    assert_eq!(account.open, 0, "requests under way ended first: {account:?}");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_the_first_is_not_disturbed() {
    let server = Server::start();
    let (tenant, service) = site(&server);
    let data = server.data();
    let second =
        run(Command::new(program("sealbook")).args(["dev", "--listen", "127.0.0.1:0", "--data"]).arg(&data));
    assert_ne!(second.code, Some(0), "{second:?}");
    assert!(second.stderr.contains("in use") || second.stderr.contains("another"), "{second:?}");
    let load = Load::begin(&tenant, &service);
    load.wait_for(5);
    settle(&tenant, &load.end());
}
