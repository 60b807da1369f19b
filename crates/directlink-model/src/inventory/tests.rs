//! The rules of the inventory, as tables.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn cross_connect() -> CrossConnect {
    CrossConnect {
        connection: ConnectionId::from_bits(1),
        port: PortRef { router: "par1-r1".parse().unwrap(), port: "p0".parse().unwrap() },
        position: Some("PAR1/MMR-1/PP-07/12".parse().unwrap()),
        ordered_at: at(0),
        patched: None,
        unpatched: None,
    }
}

fn connection(delete_asked_at: Option<Timestamp>) -> Connection {
    Connection {
        id: ConnectionId::from_bits(1),
        account: crate::ids::AccountId::from_number(1),
        name: "to the cloud".into(),
        location: "PAR1".parse().unwrap(),
        bandwidth: Bandwidth::OneGbps,
        lag: None,
        requested_at: at(0),
        approval: None,
        refused: None,
        light: None,
        is_bundled: false,
        delete_asked_at,
        deleted_at: delete_asked_at,
        hosting: None,
    }
}

#[test]
fn places_are_read_as_they_are_written() {
    for (text, good) in [
        ("PAR1/MMR-1/PP-07/12", true),
        ("PAR1/MMR-1/PP-07/0", false),
        ("PAR1/MMR-1/PP-07/x", false),
        ("PAR1/MMR-1/PP-07", false),
        ("PAR1/MMR-1/PP-07/1/2", false),
        ("PAR1//PP-07/1", false),
        ("PAR1/../PP-07/1", false),
        ("PAR1/MMR-1/PP-07/99999", false),
    ] {
        let read = text.parse::<Position>();
        assert_eq!(read.is_ok_and(|it| it.to_string() == text), good, "{text}");
    }
    assert_eq!("PAR1/MMR-1".parse::<RoomRef>().unwrap().to_string(), "PAR1/MMR-1");
    assert_eq!("PAR1/MMR-1/A".parse::<PanelRef>().unwrap().to_string(), "PAR1/MMR-1/A");
    assert!("PAR1".parse::<RoomRef>().is_err() && "PAR1/A".parse::<PanelRef>().is_err());
}

#[test]
fn a_port_fits_by_its_place_its_speed_and_the_optics_that_are_truly_in_it() {
    let seen = |optics: &str| Transceiver { optics: Some(optics.into()), ..Default::default() };
    let (lr, sx, odd) = (seen("10GBASE-LR"), seen("1000BASE-SX"), seen("1000BASE-T"));
    let (one, ten) = (Bandwidth::OneGbps, Bandwidth::TenGbps);
    for (speed, stated, seen, location, wanted, expected) in [
        (one, None, None, "PAR1", one, "fits"),
        (one, Some(Optics::Lx1000), None, "PAR1", one, "fits"),
        (one, None, None, "PAR4", one, "it is at PAR4, the order is for PAR1"),
        (ten, None, None, "PAR1", one, "it has 10GBASE-LR (1310nm), the order needs 1000BASE-LX"),
        (one, Some(Optics::Sx1000), None, "PAR1", one, "it has 1000BASE-SX (850nm)"),
        // What the router reads counts more than what is written down.
        (one, Some(Optics::Lx1000), Some(&sx), "PAR1", one, "it has 1000BASE-SX (850nm)"),
        (ten, Some(Optics::Sr10G), Some(&lr), "PAR1", ten, "fits"),
        // What it reads and nobody knows, does not.
        (one, None, Some(&odd), "PAR1", one, "fits"),
        (one, Some(Optics::Zx1000), Some(&odd), "PAR1", one, "it has 1000BASE-ZX (1550nm)"),
    ] {
        let (router, name) = ("par1-r1".parse().unwrap(), "p0".parse().unwrap());
        let port = Port { router, name, speed, optics: stated, position: None };
        let location = location.parse().unwrap();
        let candidate = Candidate { port: &port, location: &location, seen };
        let got = match candidate.check(&"PAR1".parse().unwrap(), wanted) {
            Ok(()) => "fits".to_owned(),
            Err(fault) => fault.to_string(),
        };
        assert!(got.contains(expected), "{port:?} {seen:?}: {got}");
    }
}

#[test]
fn optics_are_read_by_their_names_and_each_is_of_one_speed() {
    for optics in Optics::ALL {
        assert_eq!(optics.as_str().to_lowercase().parse(), Ok(optics));
    }
    for speed in Bandwidth::ALL {
        let sold = Optics::sold_with(speed);
        assert_eq!((sold.speed(), sold.wavelength_nm()), (speed, 1310));
        assert_eq!(sold.to_string(), speed.optics());
    }
    assert!("1000BASE-T".parse::<Optics>().is_err());
}

#[test]
fn there_is_room_for_what_is_neither_taken_nor_promised() {
    for (free, promised, orders, expected) in
        [(1, 0, 1, true), (1, 1, 1, false), (0, 0, 1, false), (3, 1, 2, true), (3, 1, 3, false)]
    {
        let stock = Stock { ports: 4, free, promised };
        assert_eq!(stock.has_room_for(orders), expected, "{stock:?}, {orders} more");
    }
}

#[test]
fn what_a_hand_has_patched_a_hand_ends_and_what_light_has_shown_darkness_ends() {
    let mut by_light = cross_connect();
    assert!(by_light.ends_with_light(), "nobody has patched it");
    assert!(by_light.see_light(at(5)) && !by_light.see_light(at(6)));
    assert_eq!((by_light.state().as_str(), by_light.ends_with_light()), ("patched", true));

    let mut by_hand = by_light.clone();
    by_hand.patch("Ann".into(), at(9)).unwrap();
    assert_eq!(by_hand.patched, Some(Act { at: at(5), by: Some("Ann".into()) }), "lit before");
    assert!(!by_hand.ends_with_light());
    assert!(matches!(by_hand.patch("Bob".into(), at(9)), Err(InventoryFault::AlreadyPatched(_))));
    assert!(!by_hand.see_light(at(10)));
}

#[test]
fn a_cross_connect_is_taken_out_once_and_not_while_its_connection_lives() {
    let mut it = cross_connect();
    it.patch("Ann".into(), at(1)).unwrap();
    let out = it.unpatch(&connection(None), "Ann".into(), at(2));
    assert!(matches!(out, Err(InventoryFault::CrossConnectInUse(_))));
    let gone = connection(Some(at(2)));
    it.unpatch(&gone, "Bob".into(), at(3)).unwrap();
    assert_eq!((it.state().as_str(), it.ends_with_light()), ("removed", true));
    assert!(matches!(it.unpatch(&gone, "Bob".into(), at(4)), Err(InventoryFault::NotPatched(_))));
    assert!(it.patch("Bob".into(), at(5)).is_err() && !it.see_light(at(5)));
}

#[test]
fn a_port_that_carries_nothing_is_given_when_it_is_dark_or_its_light_is_meant() {
    let port = PortRef { router: "par1-r1".parse().unwrap(), port: "p0".parse().unwrap() };
    for (on, is_meant, expected) in [
        (true, false, Some("it has light since 1970-01-01T00:00:10Z and carries nothing")),
        (true, true, None),
        (false, false, None),
    ] {
        let unclaimed = UnclaimedLight { light: Light { on, since: at(10) }, is_meant };
        let refused = unclaimed.check(&port).err().map(|fault| fault.to_string());
        let case = format!("on {on}, meant {is_meant}: {refused:?}");
        assert_eq!(refused.is_some(), expected.is_some(), "{case}");
        assert!(refused.unwrap_or_default().contains(expected.unwrap_or_default()), "{case}");
    }
}
