//! What happened in a run: the last of it in words, all of it in a digest by which two runs are known to be the same.

use sha2::{Digest, Sha256};
use std::{collections::VecDeque, fmt, time::Duration};

const LINES: usize = 4000;

#[derive(Default)]
pub(crate) struct Log {
    digest: Sha256,
    lines: VecDeque<String>,
    count: u64,
}

impl Log {
    pub(crate) fn note(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        let line = format!("{:10.3} {what}", at.as_secs_f64());
        self.digest.update(&line);
        self.count += 1;
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn digest(&self) -> String {
        hex::encode(self.digest.clone().finalize())
    }

    pub(crate) fn last(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
