//! A capture: the packet programs' copies of an interface's frames, as a file.
//!
//! ```text
//!   ring of the router ─► Hub ─► by interface ─► frames with their verdicts ─► those wanted ─► file
//! ```

use super::{
    Said, Task, Which, failed,
    pcap_ng::{Action, File, Packet},
};
use crate::clock;
use directlink_dataplane::{CapturedForm, CapturedRecord, Frames, InterfaceNumber, Verdict};
use directlink_model::glass::{Answer, Capture, Captured, Ended};
use directlink_net::Mac;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The router's one ring, and what was read of it for each interface that is looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Hub(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    frames: Option<Frames>,
    sinks: BTreeMap<InterfaceNumber, Vec<CapturedRecord>>,
}

/// How often the ring is read. It holds some hundred full frames.
const READ_PERIOD: Duration = Duration::from_millis(10);
/// So long a frame waits for its verdict: that is told at once, or was lost.
const VERDICT_WAIT: Duration = Duration::from_millis(200);

impl Hub {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// What came for an interface since it was last asked for.
    fn take(&mut self, number: InterfaceNumber) -> Vec<CapturedRecord> {
        for record in self.frames.iter_mut().flatten() {
            // What nobody waits for is of a capture that is over.
            if let Some(sink) = self.sinks.get_mut(&record.interface) {
                sink.push(record);
            }
        }
        self.sinks.get_mut(&number).map(std::mem::take).unwrap_or_default()
    }
}

/// Ends what it began, also where its task is dropped.
struct Sink {
    hub: Hub,
    number: InterfaceNumber,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.hub.with(|inner| inner.sinks.remove(&self.number));
    }
}

impl Task {
    pub(super) async fn capture(self, capture: Capture) -> Said {
        let (number, hub) = (self.subject.number, self.glass.hub.clone());
        let seconds = Duration::from_secs(capture.seconds.into());
        let (at, began) = (clock::now(), clock::monotonic());
        let needs_ring = hub.with(|inner| inner.frames.is_none());
        let begin = self.kernel.run(move |kernel| {
            let ring = if needs_ring { kernel.frames() } else { None };
            (ring, kernel.begin_capture(number, began + seconds, capture.snap))
        });
        let (ring, begun) = begin.await.map_err(failed)?;
        let sink = Sink { hub: hub.clone(), number };
        hub.with(|inner| {
            if ring.is_some() {
                inner.frames = ring;
            }
            // What was left of before is not this one's.
            inner.take(number);
            inner.sinks.insert(number, Vec::new());
        });
        begun.map_err(failed)?;
        let mut reel = Reel::new(&self, capture, at, began);
        let ended = reel.run(&hub, number, began + seconds).await;
        let end = self.kernel.run(move |kernel| kernel.end_capture(number)).await;
        drop(sink);
        let lost = end.map_err(failed)?.map_err(failed)?;
        let frames = reel.file.frames();
        let file = reel.file.end(clock::now(), lost);
        let bytes = u32::try_from(file.len()).unwrap_or(u32::MAX);
        Ok((Answer::Captured(Captured { at, frames, bytes, lost, ended }), file))
    }
}

/// Frames on their way into the file.
struct Reel {
    file: File,
    which: Which,
    frames_max: u32,
    snap: usize,
    waiting: VecDeque<CapturedRecord>,
    /// Civil time at the zero of CLOCK_MONOTONIC.
    epoch: Timestamp,
    vlan: u16,
    macs: [Mac; 2],
}

impl Reel {
    fn new(task: &Task, capture: Capture, at: Timestamp, began: Duration) -> Self {
        let subject = &task.subject;
        let about = format!("VLAN {}, from the DirectLink router's place", subject.vlan);
        let bytes_max = usize::try_from(capture.bytes).unwrap_or(usize::MAX);
        Self {
            file: File::new(&subject.id.to_string(), &about, capture.snap, bytes_max),
            which: capture.which,
            frames_max: capture.frames,
            snap: usize::try_from(capture.snap).unwrap_or(usize::MAX),
            waiting: VecDeque::new(),
            epoch: at.checked_sub(began).unwrap_or(at),
            vlan: subject.vlan.as_u16(),
            // Where a frame has no Ethernet header: it never left, and nobody's MAC was looked for.
            macs: [Mac([0; 6]), subject.mac],
        }
    }

    async fn run(&mut self, hub: &Hub, number: InterfaceNumber, until: Duration) -> Ended {
        let mut turns = tokio::time::interval(READ_PERIOD);
        loop {
            turns.tick().await;
            let is_over = clock::monotonic() >= until;
            let records = hub.with(|inner| inner.take(number));
            if let Some(ended) = self.take(records, is_over) {
                return ended;
            }
            if is_over {
                return Ended::Time;
            }
        }
    }

    /// `is_last`: no verdict is waited for any more.
    fn take(&mut self, records: Vec<CapturedRecord>, is_last: bool) -> Option<Ended> {
        for record in records {
            match record.form {
                CapturedForm::Verdict => {
                    let mut latest = self.waiting.iter_mut().rev();
                    let its = latest.find(|it| it.token == record.token && it.verdict.is_none());
                    if let Some(frame) = its {
                        frame.verdict = record.verdict;
                    }
                }
                CapturedForm::Tagged
                | CapturedForm::Departure
                | CapturedForm::Packet
                | CapturedForm::Untagged => self.waiting.push_back(record),
            }
        }
        let now = clock::monotonic();
        while let Some(frame) = self.waiting.pop_front() {
            let waits = frame.verdict.is_none() && !is_last && now < frame.at + VERDICT_WAIT;
            if waits {
                self.waiting.push_front(frame);
                return None;
            }
            if !is_wanted(self.which, &frame) {
                continue;
            }
            if !self.keep(&frame) {
                return Some(Ended::Bytes);
            }
            if self.file.frames() >= self.frames_max {
                return Some(Ended::Frames);
            }
        }
        None
    }

    fn keep(&mut self, record: &CapturedRecord) -> bool {
        let Some((mut bytes, length)) = on_the_vlan(record, self.vlan, self.macs) else {
            return true;
        };
        bytes.truncate(self.snap);
        let is_inbound = record.form == CapturedForm::Tagged;
        let comment = match record.verdict {
            None => "what became of it is not known".to_owned(),
            Some(verdict) if verdict.went_on() => verdict.to_string(),
            Some(verdict) => format!("dropped: {verdict}"),
        };
        let is_own = record.form == CapturedForm::Untagged;
        let action = record.verdict.filter(|_| !is_own).map(action);
        let at = self.epoch.checked_add(record.at).unwrap_or(self.epoch);
        self.file.add(&Packet { at, bytes: &bytes, length, is_inbound, action, comment: &comment })
    }
}

/// What XDP did, as `directlink.bpf.c` has it.
const fn action(verdict: Verdict) -> Action {
    match verdict {
        Verdict::ToRouter | Verdict::ToKernel => Action::Pass,
        Verdict::ForwardedToNet
        | Verdict::ForwardedToCustomer
        | Verdict::TtlExpired
        | Verdict::TooBig
        | Verdict::BfdAnswered
        | Verdict::Relayed => Action::Redirect,
        _ => Action::Drop,
    }
}

fn is_wanted(which: Which, record: &CapturedRecord) -> bool {
    let verdict = record.verdict;
    match which {
        Which::All => true,
        Which::Dropped => verdict.is_some_and(|verdict| !verdict.went_on()),
        Which::Router => {
            let is_routers = |verdict: Verdict| {
                matches!(verdict, Verdict::ToRouter | Verdict::BfdAnswered)
                    || verdict.name().starts_with("policed_")
            };
            record.form == CapturedForm::Untagged || verdict.is_some_and(is_routers)
        }
    }
}

/// Bytes and length with Ethernet and tag. `None` for what is no frame.
fn on_the_vlan(record: &CapturedRecord, vlan: u16, macs: [Mac; 2]) -> Option<(Vec<u8>, u32)> {
    const TAG: [u8; 2] = [0x81, 0x00];
    let tag = [TAG, vlan.to_be_bytes()].concat();
    let CapturedRecord { bytes, length, .. } = record;
    match record.form {
        CapturedForm::Tagged | CapturedForm::Departure => Some((bytes.clone(), *length)),
        CapturedForm::Untagged => {
            let (macs, rest) = bytes.split_at_checked(12)?;
            Some(([macs, &tag, rest].concat(), length.saturating_add(4)))
        }
        CapturedForm::Packet => {
            let kind: [u8; 2] = match bytes.first()? >> 4 {
                4 => [0x08, 0x00],
                _ => [0x86, 0xdd],
            };
            let head = [&macs[0].0[..], &macs[1].0, &tag, &kind].concat();
            let more = u32::try_from(head.len()).ok()?;
            Some(([head, bytes.clone()].concat(), length.saturating_add(more)))
        }
        CapturedForm::Verdict => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(form: CapturedForm, token: u32, verdict: Option<Verdict>) -> CapturedRecord {
        CapturedRecord {
            interface: InterfaceNumber::new(5).unwrap(),
            at: clock::monotonic(),
            token,
            form,
            verdict,
            length: 60,
            bytes: vec![0x45; 60],
        }
    }

    fn reel(which: Which, frames_max: u32) -> Reel {
        Reel {
            file: File::new("dxvif-1", "", 96, 4096),
            which,
            frames_max,
            snap: 96,
            waiting: VecDeque::new(),
            epoch: Timestamp::UNIX_EPOCH,
            vlan: 101,
            macs: [Mac([0; 6]), Mac([6; 6])],
        }
    }

    #[test]
    fn a_frame_waits_for_its_verdict_and_those_behind_it_wait_too() {
        let (tagged, fate) = (CapturedForm::Tagged, CapturedForm::Verdict);
        let mut reel = reel(Which::Dropped, 10);
        let frames = vec![
            record(tagged, 1, None),
            record(CapturedForm::Packet, 2, Some(Verdict::NoRoute)),
            record(tagged, 3, None),
        ];
        assert_eq!((reel.take(frames, false), reel.file.frames()), (None, 0));
        let fates = vec![
            record(fate, 1, Some(Verdict::ForwardedToNet)),
            record(fate, 3, Some(Verdict::SourceNotAnnounced)),
        ];
        assert_eq!((reel.take(fates, false), reel.file.frames()), (None, 2));
        let lost = vec![record(tagged, 4, None)];
        assert_eq!((reel.take(lost, true), reel.file.frames()), (None, 2), "nobody knows");
    }

    #[test]
    fn a_capture_ends_with_its_frames_or_its_room() {
        let many = |n| vec![record(CapturedForm::Untagged, 1, Some(Verdict::FromRouter)); n];
        let mut few = reel(Which::Router, 2);
        assert_eq!((few.take(many(5), false), few.file.frames()), (Some(Ended::Frames), 2));
        let mut full = reel(Which::All, 1000);
        assert_eq!(full.take(many(1000), false), Some(Ended::Bytes));
    }

    #[test]
    fn every_form_has_the_tag_where_it_is_on_the_vlan() {
        for form in [CapturedForm::Untagged, CapturedForm::Packet] {
            let record = record(form, 1, None);
            let (bytes, length) = on_the_vlan(&record, 101, [Mac([0; 6]), Mac([6; 6])]).unwrap();
            assert_eq!(bytes[12..16], [0x81, 0, 0, 101]);
            assert_eq!(bytes.len(), usize::try_from(length).unwrap());
            let short = CapturedRecord { bytes: vec![], ..record };
            assert_eq!(on_the_vlan(&short, 101, [Mac([0; 6]); 2]), None);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_kept() {
        let own = record(CapturedForm::Untagged, 1, Some(Verdict::FromRouter));
        let [up, policed, dropped, on] =
            [Verdict::ToRouter, Verdict::PolicedBgp, Verdict::NoRoute, Verdict::ForwardedToNet]
                .map(|verdict| record(CapturedForm::Tagged, 1, Some(verdict)));
        let wanted = |which| [&own, &up, &policed, &dropped, &on].map(|it| is_wanted(which, it));
        assert_eq!(wanted(Which::All), [true; 5]);
        assert_eq!(wanted(Which::Router), [true, true, true, false, false]);
        assert_eq!(wanted(Which::Dropped), [false, false, true, true, false]);
    }
}
