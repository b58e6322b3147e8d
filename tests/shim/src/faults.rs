//! The plan at work: which rule fires at a call, and what is remembered of it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cryptoki_sys::CK_RV;
use rustix::process::{Signal, getpid, kill_process};

use crate::plan::{Fault, Function, Rule};
use crate::{FIRED, PLAN};

/// Between two looks whether a rule was withdrawn.
const LOOK: Duration = Duration::from_millis(5);

/// The plan of a folder.
pub(crate) struct Faults {
    plan: PathBuf,
    fired: File,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The plan's text when it was last read.
    text: String,
    rules: Vec<Rule>,
    /// Calls that a rule has let pass, by its number.
    passed: BTreeMap<u64, u64>,
    /// How often a rule has fired, by its number.
    fired: BTreeMap<u64, u64>,
}

impl Faults {
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join(FIRED);
        let mut state = State::default();
        for line in text_of(&path).lines() {
            let number = line.trim().parse().expect("a rule's number");
            *state.fired.entry(number).or_default() += 1;
        }
        let fired =
            OpenOptions::new().create(true).append(true).open(path).expect("the folder can be written");
        Self { plan: folder.join(PLAN), fired, state: Mutex::new(state) }
    }

    /// The rule that fires at a call, if one does. That it does is on record when this returns.
    pub(crate) fn next(&self, function: Function, key: Option<&str>) -> Option<Rule> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.renew(text_of(&self.plan));
        let rule = state.choose(function, key)?;
        // A divisor of a page, like the records of calls.
        let line = format!("{:<31}\n", rule.number);
        (&self.fired).write_all(line.as_bytes()).expect("what fires can be recorded");
        Some(rule)
    }

    /// Makes a call as a rule wants it.
    pub(crate) fn around(&self, rule: Option<&Rule>, forward: impl FnOnce() -> CK_RV) -> CK_RV {
        let Some(Rule { number, fault, .. }) = rule else { return forward() };
        match fault {
            Fault::Return(value) => *value,
            Fault::ReturnAfter(value) => {
                forward();
                *value
            }
            Fault::Hang => {
                self.wait_for_withdrawal(*number);
                forward()
            }
            Fault::HangAfter => {
                let value = forward();
                self.wait_for_withdrawal(*number);
                value
            }
            Fault::Kill => die(),
            Fault::KillAfter => {
                forward();
                die()
            }
            // What becomes of the signature is the signing call's part.
            Fault::WrongSignature | Fault::SignatureOf(_) => forward(),
        }
    }

    fn wait_for_withdrawal(&self, number: u64) {
        let stands = |text: &str| rules(text).iter().any(|rule| rule.number == number);
        while stands(&text_of(&self.plan)) {
            thread::sleep(LOOK);
        }
    }
}

impl State {
    fn renew(&mut self, text: String) {
        if text != self.text {
            self.rules = rules(&text);
            self.text = text;
        }
    }

    fn choose(&mut self, function: Function, key: Option<&str>) -> Option<Rule> {
        for rule in self.rules.iter().filter(|rule| rule.fits(function, key)) {
            let fired = self.fired.entry(rule.number).or_default();
            if rule.times.is_some_and(|times| *fired >= times) {
                continue;
            }
            let passed = self.passed.entry(rule.number).or_default();
            if *passed < rule.pass {
                *passed += 1;
                continue;
            }
            *fired += 1;
            return Some(rule.clone());
        }
        None
    }
}

fn rules(text: &str) -> Vec<Rule> {
    text.lines().map(|line| line.parse().expect("a rule")).collect()
}

/// A file's text; where there is none, nothing.
fn text_of(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// `kill -9` of the own process.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    // The signal may reach another thread first.
    loop {
        thread::park();
    }
}
