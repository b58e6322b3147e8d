//! What the audience sees: one line a scene, in 80 columns.

use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Instant;

use crate::ending::Ending;
use crate::failure::Failure;
use crate::place::Place;

/// The width that everything keeps to, in columns.
pub(crate) const WIDTH: usize = 80;

/// The width of a scene's sentence; mark and time stand around it.
const SENTENCE: usize = 67;

/// The most of a program's standard error that is shown, in lines.
const STDERR_LINES: usize = 40;

/// Tells the story on standard output, failures on standard error.
#[derive(Debug)]
pub(crate) struct Telling {
    terminal: bool,
    colour: bool,
    began: Instant,
    scene: &'static str,
}

impl Telling {
    /// Colour only for a terminal whose user hasn't said NO_COLOR.
    pub(crate) fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { terminal, colour: terminal && !no_colour, began: Instant::now(), scene: "getting ready" }
    }

    /// What is about to happen.
    pub(crate) fn opening(&self, place: &Place) {
        self.say(&format!(
            "\n{}\n\n\
             Three people found a company's ledger, have keys made and certified in an HSM,\n\
             sign files of this machine, and replace a key. Then ledger and evidence packs\n\
             are exported, verified offline, and tampered with. Everything that can be shown\n\
             is kept in {}.\n",
            self.strong("Sealbook, from the founding to the proof"),
            place.shown(&place.public("")),
        ));
    }

    /// Plays a scene: on a terminal its name while it is played, then what came of it and how long it took.
    pub(crate) fn scene<T>(
        &mut self,
        name: &'static str,
        play: impl FnOnce() -> Result<(String, T), Failure>,
    ) -> Result<T, Failure> {
        self.scene = name;
        if self.terminal {
            self.write(&format!("  \u{b7} {name} \u{2026}"));
        }
        let began = Instant::now();
        let outcome = play();
        if self.terminal {
            // Back to the line's beginning, and the line is cleared (ECMA-48 EL).
            self.write("\r\u{1b}[K");
        }
        let (sentence, made) = outcome?;
        let mark = self.paint(32, "\u{2713}");
        let seconds = began.elapsed().as_secs_f64();
        self.say(&format!("  {mark} {sentence:<SENTENCE$} {seconds:>5.1} s"));
        Ok(made)
    }

    /// More about the scene before, in a softer voice.
    pub(crate) fn detail(&self, text: &str) {
        for line in wrapped(text, WIDTH - 6) {
            self.say(&format!("      {}", self.paint(2, &line)));
        }
    }

    /// What was done, and how to check it.
    pub(crate) fn ending(&self, ending: &Ending<'_>) {
        let seconds = self.began.elapsed().as_secs();
        self.say(&format!("\n{}\n", self.strong(&format!("All of it held, in {seconds} seconds"))));
        self.say(&ending.table(|heading| self.strong(heading)));
        self.say(&format!("{}\n", self.strong("See for yourself")));
        self.say(&ending.commands());
    }

    /// What the visitor opens.
    pub(crate) fn invitation(&self, link: &str) {
        self.say(&format!(
            "\n  Open this in a browser on this machine, and register a passkey. It works once:\n\n\
             \x20   {}\n",
            self.strong(link)
        ));
    }

    /// What the visitor does next.
    pub(crate) fn visit(&self, inbox: &str) {
        self.say(&format!(
            "\n  You are a member now. Sign in with your passkey; a key waits for your approval:\n\n\
             \x20   {}\n\n  Ctrl-C ends the server.\n",
            self.strong(inbox)
        ));
    }

    /// Which scene failed, and why.
    pub(crate) fn failed(&self, failure: &Failure) {
        let mut text = format!("\n  \u{2717} The demonstration failed while {}.\n", self.scene);
        if matches!(failure, Failure::Interrupted) {
            text = format!("\n  \u{2717} Interrupted while {}; everything was ended.\n", self.scene);
        } else {
            text.push_str(&indented(&failure.to_string()));
            let mut source = failure.source();
            while let Some(error) = source {
                text.push_str(&indented(&format!("because: {error}")));
                source = error.source();
            }
        }
        if let Failure::Program { stderr, .. } = failure {
            let lines: Vec<&str> = stderr.trim_end().lines().collect();
            let last = lines.len().saturating_sub(STDERR_LINES);
            text.push_str(&indented("it said:"));
            lines[last..].iter().for_each(|line| text.push_str(&indented(&format!("  {line}"))));
        }
        // Where stderr is closed there is nobody left to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn strong(&self, text: &str) -> String {
        self.paint(1, text)
    }

    /// With a colour or a weight of ECMA-48 SGR.
    fn paint(&self, code: u8, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn say(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    fn write(&self, text: &str) {
        let mut out = io::stdout().lock();
        // An audience that went away is no failure.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Breaks text at spaces into lines of at most so many columns; longer words stand alone.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
