//! What the audience sees: numbered steps, what they prove, and how long each took.

use crate::clock::Stopwatch;
use std::io::{IsTerminal as _, Write as _};

pub(super) struct Stage {
    colours: bool,
    number: u32,
    step: Stopwatch,
    whole: Stopwatch,
}

/// Select Graphic Rendition (ECMA-48 §8.3.117).
const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";
const CYAN: &str = "36";

impl Stage {
    pub(super) fn new() -> Self {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let now = Stopwatch::start();
        Self { colours, number: 0, step: now, whole: now }
    }

    /// A step begins.
    pub(super) fn step(&mut self, title: &str) {
        self.number += 1;
        self.step = Stopwatch::start();
        let number = self.painted(CYAN, &format!("{:>2}", self.number));
        self.line(&format!("\n{number}  {}", self.painted(BOLD, title)));
    }

    /// Something true that was just verified.
    pub(super) fn proves(&self, what: &str) {
        let seconds = self.step.elapsed().as_secs_f32();
        let time = self.painted(DIM, &format!("{seconds:.2} s"));
        self.line(&format!("    {} {what}  {time}", self.painted(GREEN, "✓")));
    }

    /// What it is about, in a sentence.
    pub(super) fn says(&self, what: &str) {
        self.line(&format!("    {what}"));
    }

    /// A command that does or shows the same, as a person would type it.
    pub(super) fn types(&self, command: &str) {
        self.line(&self.painted(DIM, &format!("    $ {command}")));
    }

    /// What a program printed.
    pub(super) fn quotes(&self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            self.line(&self.painted(DIM, &format!("      {}", line.trim_end())));
        }
    }

    pub(super) fn ends(&self) {
        let seconds = self.whole.elapsed().as_secs_f32();
        let all = self.painted(GREEN, &format!("All {} steps verified", self.number));
        self.line(&format!("\n{all} in {seconds:.1} s."));
    }

    pub(super) fn fails(&self, error: &anyhow::Error, logs: &str) {
        self.line(&format!("    {} {error:#}", self.painted(RED, "✗")));
        self.quotes(logs);
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Who looks away (`| head`) does not stop the story, which must clean up.
    fn line(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
