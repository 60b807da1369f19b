//! Capacity, panels and cross-connects, and the letters that name them.

use super::*;
use directlink_model::{
    evidence::{PortEvidence, Transceiver},
    inventory::{Connector, CrossConnectState, Optics},
    needs::Reach,
};

/// The inventory's own fault, or whatever else.
fn inner<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> String {
    match outcome {
        Err(Refusal::Fault(Fault::Inventory(fault))) => {
            let text = format!("{fault:?}");
            text.split([' ', '(', '{']).next().unwrap().to_owned()
        }
        outcome => fault(outcome),
    }
}

impl Bench {
    async fn room(&self) {
        let at = "PAR1/MMR-1".parse().unwrap();
        let data_centre = Some("Telehouse 3, Magny".to_owned());
        self.app.add_room(AddRoom { at, data_centre }).await.unwrap();
        let at = "PAR1/MMR-1/PP-07".parse().unwrap();
        let panel = AddPanel { at, positions: 24, connector: Connector::Lc };
        self.app.add_panel(panel).await.unwrap();
    }

    async fn wire(&self, at: &str, position: Option<&str>) -> String {
        let position = Some(position.map(|position| position.parse().unwrap()));
        let change = ChangePort { port: port(at), optics: None, position };
        inner(self.app.change_port(change).await)
    }

    async fn try_order(&self, bandwidth: Bandwidth) -> Result<ConnectionView, Refusal> {
        let order = OrderConnection {
            name: "to the cloud".into(),
            location: "PAR1".into(),
            bandwidth,
            lag: None,
            tags: TagSet::default(),
            needs: Needs::default(),
        };
        self.app.order_connection(&self.alice(), order).await
    }

    pub(super) async fn take(&self, id: ConnectionId, at: &str) -> String {
        let approve = ApproveOrder { connection: id, port: Some(port(at)) };
        fault(self.app.approve_order(approve).await)
    }

    async fn state_of_cross_connect(&self, id: ConnectionId) -> CrossConnectState {
        let all = self.app.cross_connects().await.unwrap();
        all.iter().find(|view| view.cross_connect.connection == id).unwrap().cross_connect.state()
    }

    fn by(&self, connection: ConnectionId, by: &str) -> RecordPatch {
        RecordPatch { connection, by: by.into(), at: None }
    }

    /// Whether p0 carries nothing.
    async fn is_p0_free(&self) -> bool {
        let routers = self.app.routers().await.unwrap();
        let mut ports = routers.iter().flat_map(|view| &view.ports);
        ports.find(|view| view.port.at() == port("par1-r1/p0")).unwrap().connection.is_none()
    }
}

#[tokio::test]
async fn where_an_inventory_is_kept_orders_end_with_the_ports_and_elsewhere_they_wait() {
    let b = Bench::new().await;
    for _ in 0..4 {
        b.order().await;
    }
    for view in b.app.connections(&b.alice(), None).await.unwrap() {
        b.app.delete_connection(&b.alice(), view.connection.id).await.unwrap();
    }
    b.room().await;
    let (one, ten) = (Bandwidth::OneGbps, Bandwidth::TenGbps);
    let mut ids = vec![];
    for _ in 0..3 {
        ids.push(b.try_order(one).await.unwrap().connection.id);
    }
    assert_eq!(fault(b.try_order(one).await), "NoCapacity", "all are promised");
    assert_eq!(fault(b.try_order(ten).await), "ok", "another speed");
    assert_eq!(fault(b.try_order(ten).await), "NoCapacity");
    assert_eq!(b.take(ids[0], "par1-r1/p0").await, "ok");
    assert_eq!(fault(b.try_order(one).await), "NoCapacity", "taken now, no more promised");
    let stock = b.app.capacity().await.unwrap()[0].stock(one);
    assert_eq!((stock.ports, stock.free, stock.promised), (3, 2, 2));
    b.app.delete_connection(&b.alice(), ids[1]).await.unwrap();
    assert_eq!(fault(b.try_order(one).await), "ok", "one is promised no more");
}

#[tokio::test]
async fn optics_that_do_not_fit_are_no_capacity_and_are_refused_with_what_is_there() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let change =
        |at: &str, optics| ChangePort { port: port(at), optics: Some(optics), position: None };
    assert_eq!(
        fault(b.app.change_port(change("par1-r1/p1", Some(Optics::Lr10G))).await),
        "BadValue"
    );
    b.app.change_port(change("par1-r1/p1", Some(Optics::Sx1000))).await.unwrap();
    assert_eq!(b.app.capacity().await.unwrap()[0].stock(Bandwidth::OneGbps).ports, 2);
    let approve = ApproveOrder { connection: id, port: Some(port("par1-r1/p1")) };
    let refused = b.app.approve_order(approve).await.unwrap_err().to_string();
    assert!(
        refused.contains("it has 1000BASE-SX (850nm), the order needs 1000BASE-LX"),
        "{refused}"
    );
    b.app.change_port(change("par1-r1/p1", None)).await.unwrap();
    assert_eq!(b.take(id, "par1-r1/p1").await, "ok");
}

#[tokio::test]
async fn what_a_router_reads_of_a_transceiver_counts_more_than_what_is_written_down() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    let told = Transceiver { optics: Some("1000BASE-SX".into()), ..Transceiver::default() };
    let report = PortReport {
        port: "p0".parse().unwrap(),
        applied_generation: 0,
        light: false,
        interfaces: BTreeMap::new(),
        unchanged: [].into(),
        evidence: PortEvidence { transceiver: Some(told), ..PortEvidence::default() },
    };
    take_report(&b.app, &port("par1-r1/p0"), report).await.unwrap();
    assert_eq!(b.take(id, "par1-r1/p0").await, "PortDoesNotFit");
    let chosen = b.app.approve_order(ApproveOrder { connection: id, port: None }).await.unwrap();
    assert_eq!(chosen.connection.approval.unwrap().port, port("par1-r1/p1"), "the first that fits");
}

#[tokio::test]
async fn a_position_takes_one_port_of_its_own_location() {
    let b = Bench::new().await;
    assert_eq!(b.wire("par1-r1/p0", Some("PAR1/MMR-1/PP-07/1")).await, "NoSuchPanel");
    b.room().await;
    for (at, position, expected) in [
        ("par1-r1/p0", "PAR1/MMR-1/PP-07/25", "NoSuchPosition"),
        ("par4-r1/p0", "PAR1/MMR-1/PP-07/1", "Apart"),
        ("par1-r1/p9", "PAR1/MMR-1/PP-07/1", "NoSuchPort"),
        ("par1-r1/p0", "PAR1/MMR-1/PP-07/24", "ok"),
        ("par1-r1/p0", "PAR1/MMR-1/PP-07/24", "ok"),
        ("par1-r1/p1", "PAR1/MMR-1/PP-07/24", "PositionTaken"),
        ("par1-r1/p0", "PAR1/MMR-1/PP-07/1", "ok"),
        ("par1-r1/p1", "PAR1/MMR-1/PP-07/24", "ok"),
    ] {
        assert_eq!(b.wire(at, Some(position)).await, expected, "{at} {position}");
    }
    let rooms = b.app.rooms().await.unwrap();
    let wired: Vec<_> = rooms[0].panels[0].wired.keys().copied().collect();
    assert_eq!(wired, [1, 24]);
    let again = AddRoom { at: "PAR1/MMR-1".parse().unwrap(), data_centre: None };
    assert_eq!(fault(b.app.add_room(again).await), "AlreadyExists");
    let nowhere = AddRoom { at: "LON9/MMR-1".parse().unwrap(), data_centre: None };
    assert_eq!(fault(b.app.add_room(nowhere).await), "NoSuchLocation");
}

#[tokio::test]
async fn the_letter_names_the_place_and_the_place_stays_while_the_letter_does() {
    let b = Bench::new().await;
    b.room().await;
    let id = b.order().await.connection.id;
    b.take(id, "par1-r1/p0").await;
    let place = async || b.app.letter(&b.alice(), id, None).await.unwrap().demarcation;
    assert_eq!(place().await, None, "the port is wired to no panel");
    assert_eq!(b.wire("par1-r1/p0", Some("PAR1/MMR-1/PP-07/12")).await, "ok");
    let named = place().await.unwrap();
    assert_eq!(
        (named.data_centre.as_str(), named.panel.as_str(), named.position),
        ("Telehouse 3, Magny", "PP-07", 12)
    );
    assert_eq!(b.wire("par1-r1/p0", Some("PAR1/MMR-1/PP-07/13")).await, "PortWired");
    assert_eq!(b.wire("par1-r1/p0", None).await, "PortWired");
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    b.say(false, &[]).await;
    assert_eq!(b.wire("par1-r1/p0", Some("PAR1/MMR-1/PP-07/13")).await, "ok");
    let all = b.app.cross_connects().await.unwrap();
    let was = all[0].cross_connect.position.as_ref().unwrap().to_string();
    assert_eq!(was, "PAR1/MMR-1/PP-07/12", "as it was");
}

#[tokio::test]
async fn a_cross_connect_that_light_has_shown_ends_with_the_light() {
    let b = Bench::new().await;
    let id = b.lit().await;
    assert_eq!(b.state_of_cross_connect(id).await, CrossConnectState::Patched);
    b.say(false, &[]).await;
    assert_eq!(b.state_of_cross_connect(id).await, CrossConnectState::Patched, "down, not gone");
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    b.say(false, &[]).await;
    assert_eq!(b.state_of_cross_connect(id).await, CrossConnectState::Removed);
    assert!(b.is_p0_free().await);
}

#[tokio::test]
async fn one_that_a_hand_has_made_holds_the_port_until_a_hand_has_ended_it() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    assert_eq!(inner(b.app.patch(b.by(id, "Ann")).await), "NoCrossConnect");
    b.take(id, "par1-r1/p0").await;
    assert_eq!(inner(b.app.patch(b.by(id, " \n")).await), "BadValue");
    let later = RecordPatch { at: Some(Timestamp::MAX), ..b.by(id, "Ann") };
    assert_eq!(inner(b.app.patch(later).await), "BadValue");
    b.app.patch(b.by(id, "Ann, ticket 4711")).await.unwrap();
    assert_eq!(inner(b.app.patch(b.by(id, "Bob")).await), "AlreadyPatched");
    b.say(true, &[]).await;
    assert_eq!(inner(b.app.unpatch(b.by(id, "Ann")).await), "CrossConnectInUse");
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    b.say(false, &[]).await;
    assert_eq!(b.connection(id).await.state, ConnectionState::Deleted);
    assert!(!b.is_p0_free().await, "its fibre is still in the panel");
    b.app.unpatch(b.by(id, "Bob")).await.unwrap();
    assert!(b.is_p0_free().await);
    assert_eq!(inner(b.app.unpatch(b.by(id, "Bob")).await), "NotPatched");
    let history = b.app.connection_history(&b.alice(), id).await.unwrap();
    assert!(history.iter().any(|event| event.what == "cross-connect patched"));
}

#[tokio::test]
async fn a_released_port_has_lost_its_cross_connect_too() {
    let b = Bench::new().await;
    let id = b.lit().await;
    b.app.patch(b.by(id, "Ann")).await.unwrap();
    b.app.delete_connection(&b.alice(), id).await.unwrap();
    b.app.release_port(port("par1-r1/p0")).await.unwrap();
    assert_eq!(b.state_of_cross_connect(id).await, CrossConnectState::Removed);
    assert!(b.is_p0_free().await);
}

#[tokio::test]
async fn a_letter_is_sent_again_while_it_is_good_and_renewed_while_no_fibre_is_plugged() {
    let b = Bench::new().await;
    let id = b.order().await.connection.id;
    assert_eq!(fault(b.app.send_letter(id, false).await), "NoLetter");
    b.take(id, "par1-r1/p0").await;
    let mails = async || b.app.mails().await.unwrap().len();
    assert_eq!(mails().await, 1);
    b.wait(SignedDuration::from_mins(1));
    b.app.send_letter(id, false).await.unwrap();
    assert_eq!(mails().await, 2);
    b.wait(SignedDuration::from_hours(90 * 24));
    let letter = async || b.app.letters().await.unwrap().remove(0);
    assert_eq!(letter().await.standing.as_str(), "run out");
    assert_eq!(inner(b.app.send_letter(id, false).await), "LetterLapsed");
    let before = b.app.now();
    b.app.send_letter(id, true).await.unwrap();
    let renewed = letter().await;
    assert_eq!(renewed.standing.as_str(), "valid");
    assert!(renewed.issued_at > before, "from now on");
    assert!(b.app.overdue_orders().await.unwrap().is_empty());
    assert_eq!(b.app.letter(&b.alice(), id, None).await.unwrap().issued_at, renewed.issued_at);
    b.say(true, &[]).await;
    assert_eq!(letter().await.standing.as_str(), "in use");
    assert_eq!(inner(b.app.send_letter(id, true).await), "LetterServed");
}

#[tokio::test]
async fn what_a_customer_tells_with_an_order_is_read_by_whoever_approves_it() {
    let b = Bench::new().await;
    let order = |reach, provider: Option<&str>| OrderConnection {
        name: "told".into(),
        location: "PAR1".into(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        tags: TagSet::default(),
        needs: Needs { reach, provider: provider.map(Into::into), hosts_equipment: true },
    };
    let contrary = order(Some(Reach::Router), Some("Fibres & Co"));
    assert_eq!(fault(b.app.order_connection(&b.alice(), contrary).await), "BadValue");
    let told = order(Some(Reach::Fibre), Some("Fibres & Co"));
    let id = b.app.order_connection(&b.alice(), told.clone()).await.unwrap().connection.id;
    b.order().await;
    let needs = b.app.needs_of_orders().await.unwrap();
    assert_eq!(needs.into_iter().collect::<Vec<_>>(), [(id, told.needs)], "of the silent, nothing");
}
