//! Datagrams as anybody may send them to a session's port, over time.
//!
//! ```text
//!   how │ ( wait │ dice │ length │ payload … )*
//!    └ bit 0  active      wait: times 10 ms; its bit 0: Your Discriminator is made ours
//! ```

use directlink_bgp::bfd::{Discard, Input, Output, Packet, Role, Session, Settings, State};
use std::{num::NonZeroU32, time::Duration};

const OURS: NonZeroU32 = NonZeroU32::new(0x0a0a_0a0a).unwrap();

pub(crate) fn check(data: &[u8]) {
    let Some((how, mut rest)) = data.split_first() else { return };
    let role = if how & 1 != 0 { Role::Active } else { Role::Passive };
    let mut session = Session::new(OURS, role, Settings::default());
    let mut now = Duration::from_secs(1);
    while let [wait, dice, length, more @ ..] = rest {
        let (payload, left) = more.split_at(usize::from(*length).min(more.len()));
        rest = left;
        let mut payload = payload.to_vec();
        if wait & 1 != 0 && payload.len() >= 12 {
            payload[8..12].copy_from_slice(&OURS.get().to_be_bytes());
        }
        let until = now + Duration::from_millis(10 * u64::from(*wait));
        let random = u32::from(*dice) << 24;
        // A peer may ask for many packets, but not for more than one per 300 ms and change.
        for _ in 0..64 {
            let Some(next) = session.next_deadline().filter(|next| *next <= until) else { break };
            now = now.max(next);
            step(&mut session, now, Input::Tick, random);
        }
        now = until;
        step(&mut session, now, Input::Received(&payload), random);
    }
}

fn step(session: &mut Session, now: Duration, input: Input<'_>, random: u32) {
    let before = session.status();
    let outputs = session.handle(now, input, random);
    let after = session.status();
    for output in &outputs {
        match output {
            Output::Send(bytes) => {
                let packet = Packet::parse(bytes, |_| true);
                let Ok(packet) = packet else {
                    // Only what no peer could answer to is without its number.
                    assert_eq!(packet, Err(Discard::YourDiscriminatorZero));
                    unreachable!("Init and Up know their peer");
                };
                assert_eq!(packet.my_discriminator, OURS);
                assert!(!(packet.poll && packet.r#final), "RFC 5880 §6.5");
            }
            Output::Up => assert_eq!((after.state, after.up_since), (State::Up, Some(now))),
            Output::Failed(_) | Output::Ended => assert_eq!(before.state, State::Up),
        }
    }
    // Who is Up and then not says so, and the other way round.
    let told = outputs.iter().filter(|output| !matches!(output, Output::Send(_))).count();
    let turned = (before.state == State::Up) != (after.state == State::Up);
    assert_eq!(told, usize::from(turned), "{before:?} {after:?}");
    assert!(outputs.len() <= 4);
    // It must be left by a tick: a deadline that stays due would be a busy loop.
    assert!(session.next_deadline().is_none_or(|next| next > now), "{after:?}");
}
