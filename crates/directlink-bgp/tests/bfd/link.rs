//! Two sessions and the link between them, which delays, loses and doubles packets.
//!
//! ```text
//!   customer (active) ═══ loss, latency, jitter ═══ router (passive)
//! ```

use crate::{ms, number, settings};
use directlink_bgp::bfd::{
    Diagnostic, Input, Kept, Output, Packet, Role, Session, Settings, State,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, time::Duration};

struct Link {
    now: Duration,
    ends: [Session; 2],
    /// Everything that each end told, with its time.
    told: [Vec<(Duration, Output)>; 2],
    network: BTreeMap<(Duration, u64), (usize, Vec<u8>)>,
    packets: u64,
    dice: u64,
    latency: Duration,
    /// In hundredths, per direction: to the router, to the customer.
    loss: [u64; 2],
    /// Who answers in the router's place, and since when it does.
    keeper: Option<(Kept, Duration)>,
}

const ROUTER: usize = 0;
const CUSTOMER: usize = 1;

impl Link {
    fn new(both: [Settings; 2], seed: u64) -> Self {
        Self {
            now: ms(1000),
            ends: [
                Session::new(number(1), Role::Passive, both[ROUTER]),
                Session::new(number(2), Role::Active, both[CUSTOMER]),
            ],
            told: Default::default(),
            network: BTreeMap::new(),
            packets: 0,
            dice: seed,
            latency: ms(2),
            loss: [0, 0],
            keeper: None,
        }
    }

    fn random(&mut self) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.dice >> 32
    }

    fn input(&mut self, end: usize, input: Input<'_>) {
        let random = self.random() as u32;
        for output in self.ends[end].handle(self.now, input, random) {
            match output {
                Output::Send(bytes) => {
                    let to = 1 - end;
                    if self.random() % 100 >= self.loss[to] {
                        self.packets += 1;
                        let wobble = ms(self.random() % 3);
                        let at = self.now + self.latency + wobble;
                        self.network.insert((at, self.packets), (to, bytes.to_vec()));
                    }
                }
                Output::Up | Output::Failed(_) | Output::Ended => {
                    self.told[end].push((self.now, output));
                }
            }
        }
    }

    /// As the forwarding does: each packet of the customer's once, as soon as the router has been
    /// silent for an interval.
    fn answer(&mut self, bytes: &[u8]) {
        let Some((kept, since)) = &mut self.keeper else { return };
        let theirs = Packet::parse(bytes, |number| number == kept.discriminator).unwrap();
        assert_eq!(theirs.state, State::Up, "the customer has noticed");
        if self.now <= *since {
            return;
        }
        (kept.remote, kept.heard_at) = (theirs, self.now);
        let answer = Packet {
            diagnostic: Diagnostic::None,
            state: State::Up,
            poll: false,
            r#final: theirs.poll,
            control_plane_independent: true,
            demand: false,
            detect_mult: kept.detect_mult,
            my_discriminator: kept.discriminator,
            your_discriminator: Some(theirs.my_discriminator),
            desired_min_tx_micros: kept.desired_min_tx_micros,
            required_min_rx_micros: kept.required_min_rx_micros,
            required_min_echo_rx_micros: 0,
        };
        self.packets += 1;
        let at = self.now + self.latency;
        self.network.insert((at, self.packets), (CUSTOMER, answer.encode().to_vec()));
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let arrival = self.network.first_key_value().map(|((at, _), _)| *at);
            let who = if self.keeper.is_some() { &self.ends[CUSTOMER..] } else { &self.ends[..] };
            let ticks = who.iter().filter_map(Session::next_deadline);
            let Some(next) = ticks.chain(arrival).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let (_, (to, bytes)) = self.network.pop_first().unwrap();
                match self.keeper {
                    Some(_) if to == ROUTER => self.answer(&bytes),
                    _ => self.input(to, Input::Received(&bytes)),
                }
            }
            for end in [ROUTER, CUSTOMER] {
                if end == ROUTER && self.keeper.is_some() {
                    continue;
                }
                if self.ends[end].next_deadline().is_some_and(|at| at <= self.now) {
                    self.input(end, Input::Tick);
                }
            }
        }
        self.now = until;
    }

    fn states(&self) -> [State; 2] {
        [ROUTER, CUSTOMER].map(|end| self.ends[end].status().state)
    }

    fn up(both: [Settings; 2], seed: u64) -> Self {
        let mut link = Self::new(both, seed);
        link.run(ms(10_000));
        assert_eq!(link.states(), [State::Up; 2]);
        link
    }
}

fn any_settings() -> impl Strategy<Value = Settings> {
    (50..1500u64, 3..8u8).prop_map(|(interval, mult)| settings(interval, mult))
}

#[test]
fn a_good_link_is_up_within_three_seconds_and_stays() {
    let mut link = Link::new([Settings::default(); 2], 1);
    link.run(ms(3000));
    assert_eq!(link.states(), [State::Up; 2]);
    link.run(Duration::from_secs(3600));
    assert_eq!(link.told.each_ref().map(Vec::len), [1, 1], "an hour without a flap");
    assert_eq!(link.ends[ROUTER].status().discarded, 0);
}

#[test]
fn who_leaves_in_order_fails_nobody() {
    let mut link = Link::up([Settings::default(); 2], 1);
    link.input(ROUTER, Input::Disable);
    link.run(ms(60_000));
    assert!(link.told.iter().all(|told| told.last().unwrap().1 == Output::Ended));
    link.input(ROUTER, Input::Enable);
    link.run(ms(10_000));
    assert_eq!(link.states(), [State::Up; 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// Whatever was lost on the way there: when the link is good, both are soon up, and stay.
    #[test]
    fn both_ends_converge(
        both in [any_settings(), any_settings()],
        loss in [0..101u64, 0..101u64],
        latency in 0..40u64,
        seed in any::<u64>(),
        bad in 0..40_000u64,
    ) {
        let mut link = Link::new(both, seed);
        link.latency = ms(latency);
        link.loss = loss;
        link.run(ms(bad));
        link.loss = [0, 0];
        // At the worst each side waits out the longest detection time, then three slow packets.
        link.run(ms(15_000 + 3000));
        prop_assert_eq!(link.states(), [State::Up; 2]);
        let told = link.told.clone();
        link.run(ms(300_000));
        prop_assert_eq!(told, link.told, "no flap on a good link");
    }

    /// A gap in which one packet of each side is lost, time and again.
    #[test]
    fn one_lost_packet_of_three_is_no_failure(seed in any::<u64>()) {
        let mut link = Link::up([Settings::default(); 2], seed);
        for _ in 0..50 {
            // Long enough to hold one packet of each side, never two.
            link.loss = [100, 100];
            link.run(ms(220));
            link.loss = [0, 0];
            link.run(ms(700));
        }
        prop_assert_eq!(link.states(), [State::Up; 2]);
        prop_assert_eq!(link.told.each_ref().map(Vec::len), [1, 1]);
    }

    /// A cable that goes silent is noticed by both within the detection time, not before it could be.
    #[test]
    fn silence_is_noticed_in_the_detection_time(
        both in [any_settings(), any_settings()],
        seed in any::<u64>(),
        up_for in 0..10_000u64,
    ) {
        let mut link = Link::up(both, seed);
        link.run(ms(15_000 + up_for));
        let limits = [ROUTER, CUSTOMER].map(|end| link.ends[end].status().detection_time.unwrap());
        let agreed = both[0].interval().max(both[1].interval());
        prop_assert_eq!(limits[ROUTER], agreed * u32::from(both[CUSTOMER].detect_mult()));
        let cut = link.now;
        link.loss = [100, 100];
        link.run(limits[0].max(limits[1]) + ms(10));
        for end in [ROUTER, CUSTOMER] {
            let (at, what) = *link.told[end].last().unwrap();
            prop_assert_eq!(what, Output::Failed(Diagnostic::ControlDetectionTimeExpired));
            // What was on its way when the cable went still arrives: 5 ms at most.
            prop_assert!(at <= cut + limits[end] + ms(5), "{:?} of {:?}", at - cut, limits[end]);
            prop_assert!(at + agreed >= cut + limits[end], "{:?} of {:?}", at - cut, limits[end]);
        }
    }

    /// One direction is enough: the side that hears nothing tells the other.
    #[test]
    fn one_silent_direction_takes_both_down(seed in any::<u64>(), deaf in 0..2usize) {
        let mut link = Link::up([Settings::default(); 2], seed);
        link.loss[deaf] = 100;
        link.run(ms(920));
        prop_assert_eq!(link.states()[deaf], State::Down);
        let told = link.told.each_ref().map(|told| told.last().unwrap().1);
        prop_assert_eq!(told[deaf], Output::Failed(Diagnostic::ControlDetectionTimeExpired));
        prop_assert_eq!(told[1 - deaf], Output::Failed(Diagnostic::NeighborSignaledSessionDown));
    }

    /// The router's process is away for a while, and another one goes on.
    #[test]
    fn a_session_that_is_kept_by_answers_goes_on_and_the_customer_notices_nothing(
        both in [any_settings(), any_settings()],
        seed in any::<u64>(),
        up_for in 0..5000u64,
        away in 0..60_000u64,
    ) {
        let mut link = Link::up(both, seed);
        link.ends[ROUTER].make_independent();
        link.run(ms(15_000 + up_for));
        let kept = link.ends[ROUTER].kept();
        prop_assume!(kept.is_some());
        let kept = kept.unwrap();
        link.keeper = Some((kept, link.now + kept.transmit_interval));
        link.run(ms(away));
        let (kept, _) = link.keeper.take().unwrap();
        link.ends[ROUTER] = Session::resume(&kept, Role::Passive, both[ROUTER]);
        link.run(ms(30_000));
        prop_assert_eq!(link.states(), [State::Up; 2]);
        prop_assert_eq!(link.told.each_ref().map(Vec::len), [1, 1], "no flap on either side");
    }
}
