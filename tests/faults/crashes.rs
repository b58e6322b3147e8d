//! The server killed (SIGKILL) at every step of a signature and of a seal, again and again under load, and what has to
//! hold afterwards held each time.

mod incidents;
mod oracle;
mod rotations;
mod steps;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use integration::programs::library;
use integration::server::Reachable as _;
use integration::shim::Shim;
use integration::tenant::{Service, Tenant};
use integration::{Api, Installation, waiting};

use crate::load::{Load, Work};
use oracle::{Found, Oracle};
use steps::{Armed, Keys, STEPS, Step};

/// Kills that are made at least, and how long more are made, unless the environment says how many.
const LEAST: usize = 200;
const TIME: Duration = Duration::from_secs(150);

/// Of so many kills, one that comes a little later than its step has come in time at least once.
const MANY: usize = 1000;

/// Kills of one ledger: the next one has an empty database, so that starting stays quick.
const KILLS_OF_A_LEDGER: usize = 60;

/// A server that was not killed at its step within this time is killed anyway, and the step counts as missed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer than an authorisation that nobody settles stays open.
const EXPIRY: Duration = Duration::from_secs(100);

/// The signers' slots.
const SLOTS: [&str; 2] = ["release", "nightly"];

/// Something did not hold: nobody goes on.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Where kills come from, and how many.
struct Schedule {
    seed: u64,
    rng: fastrand::Rng,
    /// Exactly so many, where the environment says so.
    wanted: Option<usize>,
    began: Instant,
    made: usize,
    /// The steps of this turn that are still to come.
    turn: Vec<Step>,
}

impl Schedule {
    /// One for each installation that is killed. Where the environment asks for many kills there is one installation a
    /// processor, each with a seed of its own; the first has the seed that the environment gives.
    fn from_environment() -> Vec<Self> {
        let number = |name: &str| Some(std::env::var(name).ok()?.parse::<u64>().expect("a number"));
        let seed = number("SEALBOOK_SEED").unwrap_or_else(|| fastrand::u64(..));
        let wanted = number("SEALBOOK_CRASHES").map(|wanted| wanted as usize);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let lanes = if wanted.is_some_and(|wanted| wanted >= MANY) { processors } else { 1 };
        let lane = |lane: usize| {
            let seed = seed.wrapping_add(lane as u64);
            println!("SEALBOOK_SEED={seed}");
            let (rng, began) = (fastrand::Rng::with_seed(seed), Instant::now());
            let wanted = wanted.map(|wanted| wanted.div_ceil(lanes));
            Self { seed, rng, wanted, began, made: 0, turn: Vec::new() }
        };
        (0..lanes).map(lane).collect()
    }

    fn is_over(&self) -> bool {
        FAILED.load(Ordering::Relaxed)
            || match self.wanted {
                Some(wanted) => self.made >= wanted,
                None => self.made >= LEAST && self.began.elapsed() >= TIME,
            }
    }

    /// Every step comes once before one comes again.
    fn next(&mut self) -> Step {
        if self.turn.is_empty() {
            self.turn = STEPS.to_vec();
            self.rng.shuffle(&mut self.turn);
        }
        self.made += 1;
        self.turn.pop().expect("a turn has steps")
    }
}

/// Says where it was when something did not hold.
struct Place {
    seed: u64,
    kill: usize,
    step: Step,
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("kill {}, at \"{}\", of SEALBOOK_SEED={}", self.kill, self.step, self.seed);
        }
    }
}

/// What became of the kills.
#[derive(Default)]
struct Tally {
    steps: BTreeMap<Step, (usize, usize)>,
    received: usize,
    ledgers: usize,
    /// Kills that tore SoftHSM's own file.
    torn: usize,
    starting: Duration,
    processor: Duration,
    slowest: Duration,
}

impl Tally {
    fn kills(&self) -> usize {
        self.steps.values().map(|(tried, _)| tried).sum()
    }

    fn with(mut self, other: Self) -> Self {
        for (step, (tried, hit)) in other.steps {
            let own = self.steps.entry(step).or_default();
            *own = (own.0 + tried, own.1 + hit);
        }
        self.received += other.received;
        self.ledgers += other.ledgers;
        self.torn += other.torn;
        self.starting += other.starting;
        self.processor += other.processor;
        self.slowest = self.slowest.max(other.slowest);
        self
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills = self.kills();
        let mean = |sum: Duration| sum / u32::try_from(kills.max(1)).unwrap_or(u32::MAX);
        let (starting, processor) = (mean(self.starting), mean(self.processor));
        let Self { ledgers, received, slowest, torn, .. } = self;
        writeln!(f, "{kills} kills, {ledgers} ledgers, {received} signatures received")?;
        writeln!(f, "SoftHSM's own file torn, and put back, {torn} times")?;
        writeln!(
            f,
            "ready again after {starting:?} on average, {processor:?} of it at work; {slowest:?} at most"
        )?;
        writeln!(f, "{:<36} {:>6} {:>6}", "killed at", "tried", "hit")?;
        for (step, (tried, hit)) in &self.steps {
            writeln!(f, "{:<36} {tried:>6} {hit:>6}", step.to_string())?;
        }
        Ok(())
    }
}

/// Clients that ask for the newest checkpoint all the time.
struct Readers {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Readers {
    fn begin(api: Api, path: String) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut notes: Vec<String> = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let answer = api.try_send("GET", &path, &[], b"");
                let note = answer.ok().filter(|answer| answer.status == 200).map(|answer| answer.text());
                match note {
                    Some(note) if notes.last() != Some(&note) => notes.push(note),
                    Some(_) | None => std::thread::sleep(Duration::from_millis(10)),
                }
            }
            notes
        });
        Self { over, thread }
    }

    fn end(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("a reader ends in order")
    }
}

/// One ledger and all that is known of it from elsewhere.
struct Subject<'a> {
    tenant: Tenant,
    service: Service,
    shim: &'a Shim,
    keys: Keys,
    oracle: Oracle,
    /// Signatures that earlier kills left without a record.
    unsettled: usize,
}

impl<'a> Subject<'a> {
    fn found(at: &Installation, shim: &'a Shim) -> Self {
        let tenant = Tenant::founded(at, 3);
        for slot in SLOTS {
            tenant.slot(slot, "ecdsa-p256-sha256");
        }
        let mut slots = SLOTS;
        slots.sort_unstable();
        let service = tenant.service(&slots);
        let mut oracle = Oracle::of(at, &tenant.origin, shim.folder().join("calls"));
        oracle.look(&[], &[]);
        let keys = Keys { slots: oracle.slot_keys(), ledger: shim.ledger_key(&tenant) };
        Self { tenant, service, shim, keys, oracle, unsettled: 0 }
    }

    /// One kill: signers at work, the server killed at the step, everything looked at, the server started again.
    fn kill(&mut self, at: &mut Installation, step: Step, schedule: &mut Schedule, tally: &mut Tally) {
        let _place = Place { seed: schedule.seed, kill: schedule.made, step };
        let armed = Armed::set(step, at, self.shim, &self.keys, &mut schedule.rng);
        // Connections of before the last kill are no use.
        let api = at.api().with_token(self.service.api.token().unwrap());
        let service = Service { id: self.service.id.clone(), api: api.clone() };
        let name = format!("{} ", schedule.made);
        let work = Work { slots: SLOTS.to_vec(), name, arriving: armed.arriving() };
        let load = Load::begin_with(&self.tenant, &service, &work);
        let readers = Readers::begin(api, self.tenant.path("/checkpoint"));
        let ended = at.ended_within(PATIENCE);
        let killed = ended.is_some() && armed.has_killed();
        assert!(ended.is_none() || killed, "{step}: the server ended by itself: {ended:?}\n{}", at.log_end());
        at.kill();
        tally.torn += usize::from(at.mend_token());
        drop(armed);
        let (seen, notes) = (load.end(), readers.end());
        let mut found = self.oracle.look(&seen.received, &notes);
        let before = std::mem::replace(&mut self.unsettled, found.unsettled);
        // One that was on its way to the record may have arrived since.
        found.unsettled = found.unsettled.saturating_sub(before);
        if step == Step::Start {
            let mean = tally.starting.as_micros() as u64 / tally.kills().max(1) as u64;
            at.begin_to_start();
            at.ended_within(Duration::from_micros(schedule.rng.u64(0..=mean)));
            at.kill();
            tally.torn += usize::from(at.mend_token());
            self.oracle.look(&[], &[]);
        }
        let took = at.start_again();
        tally.received += seen.received.len();
        tally.starting += took;
        tally.processor += at.processor_time();
        tally.slowest = tally.slowest.max(took);
        let (tried, hit) = tally.steps.entry(step).or_default();
        *tried += 1;
        *hit += usize::from(killed && was_there(step, found));
    }

    /// Exports and verifies, as an auditor does.
    fn verify(&mut self) {
        self.tenant.sign_in_again();
        self.tenant.verified();
        self.oracle.look(&[], &[]);
    }

    /// Waits until everything that the kills left open has been ended.
    fn settle(&mut self) {
        let ended = waiting::within(EXPIRY, || {
            self.oracle.look(&[], &[]);
            (self.oracle.account().open == 0).then_some(())
        });
        assert!(ended.is_some(), "left open: {:?}", self.oracle.account());
        println!("the last ledger: {:?}", self.oracle.account());
    }
}

/// Where a kill comes from another process it comes a little later: what it left behind says whether it came in time.
fn was_there(step: Step, found: Found) -> bool {
    match step {
        Step::Verify => found.unsettled > 0,
        Step::MarkWritten => found.mark_in_writing,
        Step::MarkPlaced => found.marked > found.sealed,
        _ => true,
    }
}

#[test]
fn killed_at_any_step_a_server_comes_back_with_all_that_it_released_and_no_more() {
    let (schedules, began) = (Schedule::from_environment(), Instant::now());
    let (seed, wanted) = (schedules[0].seed, schedules[0].wanted.map(|each| each * schedules.len()));
    let tally = std::thread::scope(|scope| {
        let lanes: Vec<_> = schedules
            .into_iter()
            .map(|schedule| scope.spawn(move || kill_again_and_again(schedule)))
            .collect();
        let tallies = lanes.into_iter().map(|lane| lane.join().expect("everything held in every lane"));
        tallies.fold(Tally::default(), Tally::with)
    });
    println!("{tally}after {:?}", began.elapsed());
    let never = |step: &Step| tally.steps.get(step).is_none_or(|(_, hit)| *hit == 0);
    let missed: Vec<_> = STEPS.into_iter().filter(never).collect();
    println!("never killed at {missed:?}");
    let many = wanted.is_some_and(|wanted| wanted >= MANY);
    let inexcusable = missed.iter().any(|step| step.is_exact() || many);
    assert!(!inexcusable, "never killed at {missed:?} (seed {seed})");
}

/// Stops the other lanes where one fails, and says which it was.
struct Lane {
    seed: u64,
}

impl Drop for Lane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            FAILED.store(true, Ordering::Relaxed);
            println!("in the lane of SEALBOOK_SEED={}", self.seed);
        }
    }
}

/// The kills of one installation.
fn kill_again_and_again(mut schedule: Schedule) -> Tally {
    let _lane = Lane { seed: schedule.seed };
    let (shim, mut tally) = (Shim::new(), Tally::default());
    let mut environment = shim.environment();
    // Kills also come while one is written, and starts begin from one.
    environment.push(("SEALBOOK_LIMITS_SNAPSHOT_EVERY_EVENTS".to_owned(), "100".to_owned()));
    let mut at = Installation::start_with(&library("pkcs11_shim"), environment);
    loop {
        let mut subject = Subject::found(&at, &shim);
        tally.ledgers += 1;
        for _ in 0..KILLS_OF_A_LEDGER {
            if schedule.is_over() {
                break;
            }
            let step = schedule.next();
            subject.kill(&mut at, step, &mut schedule, &mut tally);
        }
        subject.verify();
        println!("{} kills (seed {}), and what they left verifies", schedule.made, schedule.seed);
        if schedule.is_over() {
            subject.settle();
            subject.verify();
            return tally;
        }
        at.kill();
        fs::remove_file(shim.folder().join("calls")).unwrap();
        at.renew();
    }
}
