//! Figures over time: what reports say is kept, for its owner alone, in so many rows and no more.

use super::*;
use crate::store::figures;
use directlink_model::figures::{Point, Span, Tally, Traffic};

/// One that carried so many bytes from the customer so far.
fn carried(bytes: u64) -> InterfaceReport {
    let from_customer = Tally { packets: bytes / 1000, bytes };
    let traffic = Traffic { from_customer, ..Traffic::default() };
    InterfaceReport { traffic, verdicts: [("no_route".to_owned(), bytes / 500)].into(), ..works() }
}

/// Alice's connection with an interface that works, in a Net.
async fn working(b: &Bench) -> (ConnectionId, InterfaceId) {
    let connection = b.lit().await;
    let (_, gateway) = b.net().await;
    let made = b.app.create_interface(&b.alice(), interface(connection, Some(gateway))).await;
    let id = made.unwrap().interface.id;
    b.say(true, &[id]).await;
    (connection, id)
}

/// Reports every five seconds, with so many bytes more each.
async fn run(b: &Bench, id: InterfaceId, bytes: std::ops::Range<u64>) {
    for n in bytes {
        b.wait(SignedDuration::from_secs(5));
        b.report(true, [(id, carried(n * 10_000))].into()).await;
    }
}

fn total(series: &Series) -> Point {
    let mut sum = Point::default();
    series.points.iter().for_each(|point| sum.add(point));
    sum
}

#[tokio::test]
async fn what_passed_shows_before_it_is_written_and_the_same_after_and_in_every_span() {
    let b = Bench::new().await;
    let (connection, id) = working(&b).await;
    run(&b, id, 1..25).await;
    for written in [false, true] {
        for span in Span::ALL {
            let series = b.app.interface_figures(&b.alice(), id, span).await.unwrap();
            let sum = total(&series);
            assert_eq!(series.points.len() as i64, span.slots());
            assert_eq!(sum.from_customer.bytes, 240_000, "{span:?}, written: {written}");
            assert_eq!(sum.drops["no_route"], 480);
            assert_eq!((sum.seen_millis, sum.established_millis), (120_000, 120_000));
            let on = b.app.connection_figures(&b.alice(), connection, span).await.unwrap();
            let sum = total(&on);
            assert_eq!((sum.from_customer.bytes, sum.light_millis), (240_000, 120_000));
        }
        b.app.write_figures().await.unwrap();
    }
    run(&b, id, 25..30).await;
    b.app.write_figures().await.unwrap();
    let series = b.app.interface_figures(&b.alice(), id, Span::Month).await.unwrap();
    assert_eq!(total(&series).from_customer.bytes, 290_000, "a slot begun is added to");
}

#[tokio::test]
async fn figures_are_their_owners_alone() {
    let b = Bench::new().await;
    let (connection, id) = working(&b).await;
    let of_interface = b.app.interface_figures(&b.bob(), id, Span::Hour).await;
    assert_eq!(fault(of_interface), "NoSuchInterface");
    let of_connection = b.app.connection_figures(&b.bob(), connection, Span::Hour).await;
    assert_eq!(fault(of_connection), "NoSuchConnection");
}

#[tokio::test]
async fn a_subject_has_no_more_rows_than_its_rings_have_places_and_none_once_it_is_gone() {
    let b = Bench::new().await;
    let (_, id) = working(&b).await;
    let point = Point { seen_millis: 10_000, ..Point::default() };
    for span in Span::ALL {
        // Three times round its ring.
        let points: Vec<_> = (0..span.slots() * 3).map(|slot| (slot, &point)).collect();
        let mut tx = b.app.parts().store.begin().await.unwrap();
        let rows = figures::rows_of(&id.to_string(), points);
        figures::put(&mut tx, span, &rows).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(kept(&b, id, span).await, span.slots(), "{span:?}");
    }
    b.app.delete_interface(&b.alice(), id).await.unwrap();
    b.say(true, &[]).await;
    run(&b, id, 1..3).await;
    b.app.write_figures().await.unwrap();
    for span in Span::ALL {
        assert_eq!(kept(&b, id, span).await, 0, "{span:?}");
    }
}

/// Slots of a ring in the store, whenever they were.
async fn kept(b: &Bench, id: InterfaceId, span: Span) -> i64 {
    let mut db = b.app.parts().store.reader().await.unwrap();
    let rows = figures::count(&mut db, &id.to_string(), span).await;
    rows * directlink_model::figures::STRIP
}

#[tokio::test]
async fn the_coarser_rings_are_made_of_the_finer_one_and_say_the_same_long_after_it_forgot() {
    let b = Bench::new().await;
    let (connection, id) = working(&b).await;
    // Nine hours, written each minute: beyond the ring of an hour, and a strip of the last ring.
    for minute in 0..540_u64 {
        run(&b, id, minute * 2 + 1..minute * 2 + 3).await;
        b.wait(SignedDuration::from_secs(50));
        b.app.write_finished_figures(0).await.unwrap();
        b.app.roll_finished_figures(0).await.unwrap();
    }
    b.app.write_figures().await.unwrap();
    for (span, whole) in [(Span::Day, true), (Span::Month, true), (Span::Hour, false)] {
        let series = b.app.interface_figures(&b.alice(), id, span).await.unwrap();
        let bytes = total(&series).from_customer.bytes;
        assert_eq!(bytes == 540 * 20_000, whole, "{span:?}: {bytes}");
        let on = b.app.connection_figures(&b.alice(), connection, span).await.unwrap();
        assert_eq!(total(&on).from_customer.bytes, bytes, "{span:?}");
    }
    assert!(kept(&b, id, Span::Day).await > 0 && kept(&b, id, Span::Month).await > 0);
}

#[tokio::test]
async fn a_server_that_was_away_for_days_goes_on_where_it_stopped() {
    let b = Bench::new().await;
    let (_, id) = working(&b).await;
    // Neither twelve minutes nor six hours are over.
    run(&b, id, 1..61).await;
    b.app.write_figures().await.unwrap();
    b.app.parts().figures.forget();
    b.wait(SignedDuration::from_hours(60));
    // A counter that begins anew: the router was started too.
    run(&b, id, 0..61).await;
    for _ in 0..2 {
        b.app.write_finished_figures(0).await.unwrap();
        b.app.roll_finished_figures(0).await.unwrap();
        let series = b.app.interface_figures(&b.alice(), id, Span::Month).await.unwrap();
        assert_eq!(total(&series).from_customer.bytes, 1_200_000);
        b.wait(SignedDuration::from_mins(20));
    }
}
