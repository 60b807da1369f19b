//! What whoever looks on at an interface is shown, and what not.

use super::{
    frame::{echo_reply, icmp_error, udp},
    world::{NUMBER, World, from_nic, now_ns, on_vlan, to_customer},
};
use crate::{CapturedForm, CapturedRecord, Frames, InterfaceNumber, Verdict};
use std::time::Duration;

fn all(frames: &mut Frames) -> Vec<CapturedRecord> {
    frames.collect()
}

impl World {
    fn look_on(&mut self, number: InterfaceNumber, bytes: u32) -> Frames {
        let frames = self.dataplane.frames().unwrap();
        let until = Duration::from_nanos(now_ns()) + Duration::from_secs(60);
        self.dataplane.begin_capture(number, until, bytes).unwrap();
        frames
    }
}

#[test]
fn every_frame_is_shown_as_it_came_with_what_became_of_it() {
    let mut world = World::new();
    let question = udp("192.0.2.9:4000", "10.0.1.10:53");
    // It is under way already: its shortcut must not hide it.
    assert_eq!(world.send(&question), Verdict::ForwardedToNet);
    let mut frames = world.look_on(NUMBER, 4096);
    let table = [
        (question, Verdict::ForwardedToNet),
        (udp("192.0.2.9:4000", "10.0.1.10:54"), Verdict::DeniedBySecurityGroup),
        (udp("198.51.100.9:4000", "10.0.1.10:53"), Verdict::SourceNotAnnounced),
        (udp("192.0.2.9:4000", "10.0.1.10:53").ttl(1), Verdict::TtlExpired),
        (udp("203.0.113.2:4000", "203.0.113.1:9"), Verdict::ToRouter),
    ];
    for (packet, verdict) in table {
        for _ in 0..2 {
            assert_eq!(world.send(&packet), verdict);
            let [frame, fate] = &all(&mut frames)[..] else { panic!("{verdict}") };
            assert_eq!((frame.form, frame.verdict), (CapturedForm::Tagged, None), "{verdict}");
            assert_eq!(frame.bytes, on_vlan(&packet), "{verdict}");
            assert_eq!(frame.length as usize, frame.bytes.len());
            assert_eq!((fate.form, fate.token), (CapturedForm::Verdict, frame.token));
            assert_eq!((fate.verdict, frame.interface), (Some(verdict), NUMBER));
        }
    }
}

#[test]
fn what_goes_to_the_customer_is_shown_as_it_leaves_and_what_is_dropped_as_it_was() {
    let mut world = World::new();
    let answer = udp("10.0.1.10:53", "192.0.2.9:4000");
    assert_eq!(world.reply(&answer), Verdict::ForwardedToCustomer);
    let mut frames = world.look_on(NUMBER, 4096);
    for _ in 0..2 {
        let left = world.fabric(&from_nic(&answer)).frame;
        let [frame] = &all(&mut frames)[..] else { panic!("one frame") };
        assert_eq!(frame.form, CapturedForm::Departure);
        assert_eq!(frame.verdict, Some(Verdict::ForwardedToCustomer));
        assert_eq!(frame.bytes, left);
        assert_eq!(frame.bytes, to_customer(&answer.clone().ttl(63)));
    }
    let late = answer.ttl(1);
    assert_eq!(world.reply(&late), Verdict::TtlExpired);
    let [frame] = &all(&mut frames)[..] else { panic!("one frame") };
    assert_eq!((frame.form, frame.verdict), (CapturedForm::Packet, Some(Verdict::TtlExpired)));
    assert_eq!(frame.bytes, late.bytes());
}

#[test]
fn nothing_is_copied_of_another_interface_nor_after_the_end_nor_more_than_was_asked() {
    let mut world = World::new();
    let packet = udp("192.0.2.9:4000", "10.0.1.10:53");
    let mut frames = world.look_on(InterfaceNumber::new(6).unwrap(), 4096);
    world.send(&packet);
    assert_eq!(all(&mut frames), []);
    let until = Duration::from_nanos(now_ns()) + Duration::from_secs(60);
    world.dataplane.begin_capture(NUMBER, until, 20).unwrap();
    world.send(&packet);
    let seen = all(&mut frames);
    assert_eq!((seen[0].bytes.len(), seen[0].length as usize), (20, on_vlan(&packet).len()));
    // A plan that changes the interface meanwhile ends nothing.
    let interface = world.dataplane.interfaces().unwrap().remove(0);
    world.dataplane.put_interface(&interface).unwrap();
    world.send(&packet);
    assert_eq!(all(&mut frames).len(), 2);
    world.dataplane.begin_capture(NUMBER, Duration::from_nanos(now_ns()), 20).unwrap();
    world.send(&packet);
    assert_eq!(all(&mut frames), [], "its time is over");
    world.dataplane.begin_capture(NUMBER, until, 20).unwrap();
    assert_eq!(world.dataplane.end_capture(NUMBER).unwrap(), 0);
    world.send(&packet);
    assert_eq!(all(&mut frames), [], "it was ended");
}

#[test]
fn a_reader_that_is_too_slow_loses_frames_which_are_counted() {
    let mut world = World::new();
    let mut frames = world.look_on(NUMBER, 4096);
    let packet = udp("192.0.2.9:4000", "10.0.1.10:53");
    // A record takes 24 bytes, its frame, and 8 of the ring's own: more than a mebibyte together.
    for _ in 0..20_000 {
        world.port(&on_vlan(&packet));
    }
    let (seen, lost) =
        (all(&mut frames).len() as u64, world.dataplane.end_capture(NUMBER).unwrap());
    assert!(lost > 0 && seen + lost == 40_000, "{seen} seen, {lost} lost");
}

#[test]
fn the_router_hears_answers_to_its_echoes_from_what_is_announced_and_nothing_else() {
    let mut world = World::new();
    let echo = super::frame::echo("203.0.113.1", "192.0.2.9", 7);
    for (packet, verdict) in [
        (echo_reply("192.0.2.9", "203.0.113.1", 7), Verdict::ToRouter),
        (icmp_error("192.0.2.1", &echo, 0), Verdict::ToRouter),
        (echo_reply("198.51.100.9", "203.0.113.1", 7), Verdict::SourceNotAnnounced),
        (super::frame::echo("192.0.2.9", "203.0.113.1", 7), Verdict::SourceNotAnnounced),
        (udp("192.0.2.9:1", "203.0.113.1:9"), Verdict::SourceNotAnnounced),
    ] {
        assert_eq!(world.send(&packet), verdict, "{packet:?}");
    }
}
