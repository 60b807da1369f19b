//! Two ports that speak with each other over a fibre, and one with a partner that is made up.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn information(n: u8) -> Information {
    Information {
        system_priority: 0x8000,
        system: [2, 0, 0, 0, 0, n],
        key: n.into(),
        port_priority: 0x80,
        port: 7,
        states: States::default(),
    }
}

/// Two ends of a fibre. What one sends the other has at once.
struct Fibre {
    ends: [Port; 2],
    now: Duration,
    sent: [Vec<(Duration, Pdu)>; 2],
    is_cut: bool,
}

impl Fibre {
    fn new(roles: [Role; 2]) -> Self {
        let [one, two] = roles;
        let mut fibre = Self {
            ends: [Port::new(information(1), one), Port::new(information(2), two)],
            now: Duration::ZERO,
            sent: [vec![], vec![]],
            is_cut: false,
        };
        fibre.give(0, Input::Light(true));
        fibre.give(1, Input::Light(true));
        fibre
    }

    fn give(&mut self, to: usize, input: Input<'_>) {
        let mut next = self.ends[to].handle(input, self.now).map(|pdu| (to, pdu));
        while let Some((from, pdu)) = next {
            self.sent[from].push((self.now, pdu));
            let other = 1 - from;
            let answer = match self.is_cut {
                true => None,
                false => self.ends[other].handle(Input::Heard(&pdu), self.now),
            };
            next = answer.map(|pdu| (other, pdu));
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = [0, 1].map(|n| self.ends[n].deadline().map(|due| (due, n)));
            let Some((due, n)) = due.into_iter().flatten().min() else { break };
            if due > end {
                break;
            }
            assert!(due >= self.now, "{due:?} is past");
            self.now = due;
            self.give(n, Input::Tick);
        }
        self.now = end;
    }

    fn in_use(&self) -> [bool; 2] {
        [0, 1].map(|n| self.ends[n].status().is_in_use)
    }

    fn sent_since(&self, n: usize, since: Duration) -> usize {
        self.sent[n].iter().filter(|(at, _)| *at >= since).count()
    }
}

#[test]
fn two_that_carry_use_the_fibre_as_soon_as_there_is_light() {
    let mut fibre = Fibre::new([Role::Carries; 2]);
    fibre.run(SECOND);
    assert_eq!(fibre.in_use(), [true, true], "{:?}", fibre.ends);
    let partner = fibre.ends[0].status().partner.unwrap();
    assert_eq!((partner.system, partner.key, partner.port), (Mac([2, 0, 0, 0, 0, 2]), 2, 7));
    assert_eq!(format!("{:?}", fibre.ends[0].actor().states), "ASGNCD");
}

#[test]
fn each_speaks_once_a_second_and_no_more_when_all_is_said() {
    let mut fibre = Fibre::new([Role::Carries; 2]);
    fibre.run(5 * SECOND);
    fibre.run(60 * SECOND);
    for n in [0, 1] {
        assert!((59..=61).contains(&fibre.sent_since(n, 5 * SECOND)), "{n}");
    }
}

#[test]
fn one_that_stands_by_is_known_and_not_used_until_it_takes_over() {
    let mut fibre = Fibre::new([Role::StandsBy, Role::Carries]);
    fibre.run(10 * SECOND);
    assert_eq!(fibre.in_use(), [false, false]);
    assert!(fibre.ends[0].status().is_ready, "the other end waits for nothing but its word");
    assert!(!fibre.ends[1].status().is_ready);
    assert!(fibre.ends[1].status().partner.is_some());
    assert_eq!(format!("{:?}", fibre.ends[0].actor().states), "ASG");
    fibre.give(0, Input::Role(Role::Carries));
    assert_eq!(fibre.in_use(), [true, true], "at once");
    fibre.give(0, Input::Role(Role::StandsBy));
    assert_eq!(fibre.in_use(), [false, false], "and back");
}

#[test]
fn a_partner_that_is_silent_is_missed_after_three_seconds_and_forgotten_after_three_more() {
    let mut fibre = Fibre::new([Role::Carries; 2]);
    fibre.run(10 * SECOND);
    fibre.is_cut = true;
    let cut = fibre.now;
    fibre.run(2 * SECOND - Duration::from_millis(1));
    assert_eq!(fibre.in_use(), [true, true]);
    fibre.run(SECOND + Duration::from_millis(1));
    assert_eq!(fibre.in_use(), [false, false]);
    assert!(fibre.ends[0].actor().states.has(States::EXPIRED));
    fibre.run(3 * SECOND);
    assert!(fibre.ends[0].actor().states.has(States::DEFAULTED));
    assert_eq!(fibre.ends[0].status().partner, None);
    let before = fibre.sent_since(0, cut);
    fibre.run(300 * SECOND);
    assert!((9..=11).contains(&(fibre.sent_since(0, cut) - before)), "slowly, to nobody");
    fibre.is_cut = false;
    fibre.run(31 * SECOND);
    assert_eq!(fibre.in_use(), [true, true], "and back");
}

#[test]
fn without_light_nothing_is_said_and_with_it_all_begins_again() {
    let mut fibre = Fibre::new([Role::Carries; 2]);
    fibre.run(5 * SECOND);
    fibre.give(0, Input::Light(false));
    fibre.give(1, Input::Light(false));
    fibre.sent = [vec![], vec![]];
    fibre.run(60 * SECOND);
    assert_eq!(fibre.sent, [vec![], vec![]]);
    assert_eq!(fibre.in_use(), [false, false]);
    assert_eq!(fibre.ends[0].deadline(), None);
    fibre.give(0, Input::Light(true));
    fibre.give(1, Input::Light(true));
    fibre.run(SECOND);
    assert_eq!(fibre.in_use(), [true, true]);
}

#[test]
fn one_that_resumes_goes_on_unnoticed() {
    let mut fibre = Fibre::new([Role::Carries; 2]);
    fibre.run(10 * SECOND);
    let (actor, partner) = (fibre.ends[0].actor(), fibre.ends[0].partner());
    fibre.ends[0] = Port::resume(actor, partner, Role::Carries, fibre.now);
    fibre.give(0, Input::Light(true));
    for _ in 0..100 {
        fibre.run(SECOND / 10);
        assert_eq!(fibre.in_use(), [true, true]);
    }
    // One whose partner has gone meanwhile finds that out.
    fibre.ends[0] = Port::resume(actor, partner, Role::Carries, fibre.now);
    fibre.is_cut = true;
    fibre.run(3 * SECOND);
    assert!(!fibre.in_use()[0]);
}

/// In answer to what we said.
fn answer(to: &Pdu, states: States) -> Pdu {
    Pdu { actor: Information { states, ..information(9) }, partner: to.actor }
}

const GOOD: States = ALWAYS.with(States::SYNCHRONIZATION).with(IN_USE);

/// A port that has light, and what it said first.
fn lit() -> (Port, Pdu) {
    let mut port = Port::new(information(1), Role::Carries);
    let said = port.handle(Input::Light(true), Duration::ZERO).unwrap();
    (port, said)
}

#[test]
fn a_partner_counts_as_in_the_bundle_only_if_it_means_this_port() {
    let all = |states: States| States::SYNCHRONIZATION.with(States::ACTIVITY).with(states);
    for (name, change, is_in_use) in [
        ("as it should be", (|_| {}) as fn(&mut Pdu), true),
        ("another system of ours", |pdu| pdu.partner.system[5] = 99, false),
        ("another key of ours", |pdu| pdu.partner.key = 99, false),
        ("another port of ours", |pdu| pdu.partner.port = 99, false),
        ("another priority of ours", |pdu| pdu.partner.port_priority = 9, false),
        (
            "it takes us for one that bundles nothing",
            |pdu| pdu.partner.states = pdu.partner.states.without(States::AGGREGATION),
            false,
        ),
        (
            "it is not in its bundle itself",
            |pdu| pdu.actor.states = pdu.actor.states.without(States::SYNCHRONIZATION),
            false,
        ),
    ] {
        let (mut port, said) = lit();
        let mut pdu = answer(&said, GOOD);
        change(&mut pdu);
        port.handle(Input::Heard(&pdu), SECOND);
        assert_eq!(port.status().is_in_use, is_in_use, "{name}");
    }
    let (mut port, said) = lit();
    let mut alone = answer(&said, all(States::default()));
    alone.partner = Information::default();
    port.handle(Input::Heard(&alone), SECOND);
    assert!(port.status().is_in_use, "one that bundles nothing has only this port");
}

#[test]
fn a_partner_that_asks_for_long_pauses_hears_each_half_minute() {
    let (mut port, said) = lit();
    let slow = answer(&said, GOOD.without(States::SHORT_TIMEOUT));
    let mut count = 0;
    for second in 1..=120 {
        let mut pdu = slow;
        pdu.partner = port.actor();
        let now = second * SECOND;
        count += usize::from(port.handle(Input::Heard(&pdu), now).is_some());
        count += usize::from(port.handle(Input::Tick, now).is_some());
    }
    assert!((4..=6).contains(&count), "{count}");
}

#[test]
fn a_partner_that_heard_something_else_is_told_at_once_but_thrice_a_second_at_most() {
    let (mut port, said) = lit();
    let mut wrong = answer(&said, GOOD);
    wrong.partner.key = 99;
    let mut sent = 1;
    for n in 0..1000 {
        let now = Duration::from_millis(n);
        sent += usize::from(port.handle(Input::Heard(&wrong), now).is_some());
    }
    assert_eq!(sent, 3);
    assert_eq!(port.deadline(), Some(SECOND), "what is due waits");
    assert!(port.handle(Input::Tick, SECOND).is_some());
}

fn any_information() -> impl Strategy<Value = Information> {
    (0..3u8, any::<u8>())
        .prop_map(|(n, states)| Information { states: States(states), ..information(n) })
}

fn any_step() -> impl Strategy<Value = (u64, Option<Pdu>, u8)> {
    let pdu = (any_information(), any_information());
    let pdu = pdu.prop_map(|(actor, partner)| Pdu { actor, partner });
    (0..5000u64, proptest::option::of(pdu), 0..5u8)
}

proptest! {
    /// Whatever is heard: it never speaks in the dark nor too often, uses no port that stands by,
    /// and its next deadline is never past.
    #[test]
    fn whatever_comes_the_rules_hold(steps in proptest::collection::vec(any_step(), 1..60)) {
        let mut port = Port::new(information(1), Role::StandsBy);
        let (mut now, mut sent, mut is_lit, mut role) = (Duration::ZERO, vec![], false, Role::StandsBy);
        for (pause, pdu, kind) in &steps {
            now += Duration::from_millis(*pause);
            let input = match (kind, pdu) {
                (0, _) => { is_lit = !is_lit; Input::Light(is_lit) }
                (1, _) => {
                    role = if role == Role::Carries { Role::StandsBy } else { Role::Carries };
                    Input::Role(role)
                }
                (_, Some(pdu)) => Input::Heard(pdu),
                (_, None) => Input::Tick,
            };
            if let Some(pdu) = port.handle(input, now) {
                prop_assert!(is_lit);
                prop_assert_eq!(pdu.actor, port.actor());
                sent.push(now);
            }
            let recent = sent.iter().filter(|&&at| at + FAST > now).count();
            prop_assert!(recent <= SENT_MAX);
            prop_assert!(role == Role::Carries || !port.status().is_in_use);
            prop_assert_eq!(port.actor().states.has(States::SYNCHRONIZATION), is_lit && role == Role::Carries);
            prop_assert!(port.deadline().is_none_or(|due| is_lit && due > now));
        }
    }
}
