//! What a process costs, seen from outside: nobody asks a daemon anything while it is timed.

use nix::{sys::time::TimeValLike as _, time::ClockId, unistd::Pid};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge(pub(crate) u32);

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) rss_mb: f64,
}

impl Gauge {
    /// Of all its threads.
    pub(crate) fn cpu(self) -> Duration {
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(self.0.cast_signed())).unwrap();
        let time = clock.now().unwrap();
        Duration::from_nanos(u64::try_from(time.num_nanoseconds()).unwrap())
    }

    pub(crate) fn rss_mb(self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// From `began`, when it had used `used`, until it is quiet: when it had done all but a
    /// trifle, and what it used in all.
    pub(crate) fn until_quiet(self, began: Instant, used: Duration) -> (Duration, Duration) {
        let mut seen = vec![(began.elapsed(), self.cpu() - used)];
        loop {
            std::thread::sleep(Duration::from_millis(1));
            let (at, cpu) = (began.elapsed(), self.cpu() - used);
            seen.push((at, cpu));
            let before = seen.iter().rev().find(|(then, _)| *then + QUIET <= at);
            if cpu > Duration::ZERO && before.is_some_and(|(_, then)| cpu - *then < TRIFLE) {
                let done = seen.iter().find(|(_, then)| *then + TRIFLE >= cpu).unwrap();
                return (done.0, cpu);
            }
            assert!(at < Duration::from_secs(120), "it is never quiet");
        }
    }
}

/// Keepalives and the like go on for ever.
const TRIFLE: Duration = Duration::from_millis(4);
const QUIET: Duration = Duration::from_millis(400);
