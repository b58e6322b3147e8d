//! `make bench`: the product and its limit, measured in one run and by turns.
//!
//! Figures of one machine mean little elsewhere, and on a shared one little an hour later; what counts are ratios.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic in a measurement is its report")]

mod appending;
mod blast_radius;
mod device;
mod http;
mod limits;
mod measure;
mod pages;
mod reading;
mod report;
mod signing;

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use measure::Plan;
use report::Row;

const HELP: &str = "\
Measures the product beside its limit, by turns; writes target/bench/report.json.

Usage: bench [GROUP…] [--seconds N] [--rounds N] [--events N] [--out FOLDER]

Groups: sign, append64, ledger (appending to one ledger, then reading it), blast. All where none is named.
";

struct Asked {
    groups: Vec<String>,
    plan: Plan,
    events: u64,
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // The processes that measure what one process can't.
    match arguments[..] {
        ["device", algorithm, verify, turn, token] => {
            let turn = Duration::from_millis(turn.parse()?);
            device::run(token.as_ref(), algorithm.parse()?, verify.parse()?, turn);
        }
        ["append", what, tenant, service, first, second, data] => {
            appending::run(what, tenant, service, [first.parse()?, second.parse()?], data.as_ref());
        }
        _ => measure_all(&parse()?)?,
    }
    Ok(())
}

fn parse() -> Result<Asked, lexopt::Error> {
    let mut asked = Asked {
        groups: Vec::new(),
        plan: Plan { turn: Duration::from_secs(4), rounds: 5 },
        events: 1_000_000,
        out: PathBuf::from("target/bench"),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                print!("{HELP}");
                std::process::exit(0);
            }
            Long("seconds") => asked.plan.turn = Duration::from_secs(parser.value()?.parse()?),
            Long("rounds") => asked.plan.rounds = parser.value()?.parse()?,
            Long("events") => asked.events = parser.value()?.parse()?,
            Long("out") => asked.out = parser.value()?.into(),
            Value(group) => asked.groups.push(group.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(asked)
}

fn measure_all(asked: &Asked) -> std::io::Result<()> {
    let wanted = |group: &str| asked.groups.is_empty() || asked.groups.iter().any(|one| one == group);
    let mut rows: Vec<Row> = Vec::new();
    if wanted("sign") {
        rows.extend(signing::measure(asked.plan));
        report::write(&asked.out, &rows)?;
    }
    if wanted("append64") {
        rows.push(appending::measure_many(asked.plan));
        report::write(&asked.out, &rows)?;
    }
    if wanted("ledger") {
        rows.extend(reading::measure(asked.plan, asked.events));
        report::write(&asked.out, &rows)?;
    }
    if wanted("blast") {
        rows.extend(blast_radius::measure(asked.plan, asked.events));
        report::write(&asked.out, &rows)?;
    }
    println!("{}", report::table(&rows));
    Ok(())
}
