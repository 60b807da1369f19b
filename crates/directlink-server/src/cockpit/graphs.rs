//! Graphs of what passed: drawn here, so that everybody sees them, and as figures for uPlot, which
//! answers the pointer where JavaScript runs. Pure, from a series to places and words.
//!
//! ```text
//!   Series ─┬─► columns of several points ─► SVG paths, a table of now, mean and peak
//!           └─► every point ─► JSON ─► graphs.js: the same charts in a shadow tree, which the
//!                                      exchange of a page's middle does not touch
//! ```

use super::words::count;
use crate::app::Series;
use askama::Template;
use directlink_model::figures::{Point, Span, Tally};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write, str::FromStr};

/// Of one interface or connection.
#[derive(Template)]
#[template(path = "graphs.html")]
pub(super) struct Graphs {
    /// The page that they are on.
    page: String,
    spans: Vec<(&'static str, &'static str, bool)>,
    span: &'static str,
    charts: Vec<Chart>,
    states: Vec<States>,
    rows: Vec<Row>,
    drops: Vec<(String, u64)>,
    /// Whether the router was heard at all.
    any: bool,
}

struct Chart {
    kind: &'static str,
    title: &'static str,
    /// What the top of the drawing is.
    peak: String,
    lines: Vec<Line>,
}

struct Line {
    class: &'static str,
    name: &'static str,
    path: String,
}

/// What something was over time, as a band.
struct States {
    name: &'static str,
    says: String,
    runs: Vec<Run>,
}

/// Slots in which it was the same.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    x: i64,
    width: i64,
    tone: &'static str,
}

struct Row {
    name: &'static str,
    now: String,
    mean: String,
    peak: String,
}

/// Which states a subject has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Interface,
    Connection,
}

pub(super) const WIDTH: i64 = 720;
const HEIGHT: f64 = 100.0;
/// Points that share a column of a drawing.
const fn together(span: Span) -> usize {
    match span {
        Span::Hour => 3,
        Span::Day | Span::Month => 6,
    }
}

const fn span_words(span: Span) -> &'static str {
    match span {
        Span::Hour => "1 hour",
        Span::Day => "24 hours",
        Span::Month => "30 days",
    }
}

/// Of a page's address; the shortest where it says none.
pub(super) fn span_of(text: Option<&str>) -> Span {
    text.and_then(|text| Span::from_str(text).ok()).unwrap_or_default()
}

impl Graphs {
    pub(super) fn of(page: String, series: &Series, subject: Subject) -> Self {
        let span = series.span;
        let columns: Vec<Column> = series
            .points
            .chunks(together(span))
            .map(|points| Column::of(points, span.step_seconds()))
            .collect();
        let all = Column::of(&series.points, span.step_seconds());
        let option = |s: Span| (s.as_str(), span_words(s), s == span);
        let light = states("Light", series, |p| (p.light_millis, p.seen_millis), "on");
        let bgp = states("BGP", series, |p| (p.established_millis, p.seen_millis), "established");
        let bfd = states("BFD", series, |p| (p.bfd_up_millis, p.bfd_millis), "up");
        Self {
            page,
            spans: Span::ALL.map(option).into(),
            span: span_words(span),
            charts: vec![
                chart(
                    &columns,
                    "bits",
                    "Traffic in bits per second",
                    bits_words,
                    &[FROM_BITS, TO_BITS],
                ),
                chart(
                    &columns,
                    "packets",
                    "Traffic in packets per second",
                    packets_words,
                    &[FROM_PACKETS, TO_PACKETS],
                ),
                chart(&columns, "drops", "Packets dropped per second", packets_words, &[DROPPED]),
            ],
            states: match subject {
                Subject::Interface => vec![bgp, bfd, light],
                Subject::Connection => vec![light],
            },
            rows: rows(series, &columns, &all),
            drops: all.drops.iter().map(|(name, n)| (name.replace('_', " "), *n)).collect(),
            any: all.known,
        }
    }
}

/// Several points as one, per second.
struct Column {
    /// Something is known of that time.
    known: bool,
    millis: u64,
    from: Tally,
    to: Tally,
    drops: BTreeMap<String, u64>,
}

impl Column {
    fn of(points: &[Point], step_seconds: i64) -> Self {
        let mut sum = Point::default();
        points.iter().for_each(|point| sum.add(point));
        let moved = sum.from_customer.packets + sum.to_customer.packets + sum.dropped() > 0;
        let whole = u64::try_from(step_seconds).unwrap_or(1) * 1000 * points.len() as u64;
        Self {
            known: moved || sum.seen_millis > 0,
            // What was seen only in part is judged by that part.
            millis: if sum.seen_millis > 0 { sum.seen_millis } else { whole },
            from: sum.from_customer,
            to: sum.to_customer,
            drops: sum.drops,
        }
    }

    fn per_second(&self, number: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a graph has fewer digits")]
        let (number, millis) = (number as f64, self.millis as f64);
        number * 1000.0 / millis
    }
}

/// Something that is drawn as a line.
#[derive(Clone, Copy)]
struct Measure {
    name: &'static str,
    class: &'static str,
    of: fn(&Column) -> f64,
}

const FROM_BITS: Measure =
    Measure { name: "from you", class: "from", of: |c| c.per_second(c.from.bytes * 8) };
const TO_BITS: Measure =
    Measure { name: "to you", class: "to", of: |c| c.per_second(c.to.bytes * 8) };
const FROM_PACKETS: Measure = Measure { of: |c| c.per_second(c.from.packets), ..FROM_BITS };
const TO_PACKETS: Measure = Measure { of: |c| c.per_second(c.to.packets), ..TO_BITS };
const DROPPED: Measure =
    Measure { name: "dropped", class: "dropped", of: |c| c.per_second(c.drops.values().sum()) };

fn peak(columns: &[Column], of: fn(&Column) -> f64) -> f64 {
    columns.iter().filter(|column| column.known).map(of).fold(0.0, f64::max)
}

fn chart(
    columns: &[Column],
    kind: &'static str,
    title: &'static str,
    words: fn(f64) -> String,
    measures: &[Measure],
) -> Chart {
    let top = measures.iter().map(|m| peak(columns, m.of)).fold(0.0, f64::max);
    let line = |m: &Measure| Line { class: m.class, name: m.name, path: path(columns, m.of, top) };
    Chart { kind, title, peak: words(top), lines: measures.iter().map(line).collect() }
}

/// A line through what is known, broken where nothing is.
fn path(columns: &[Column], of: fn(&Column) -> f64, top: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let step = WIDTH as f64 / columns.len().max(1) as f64;
    let mut text = String::new();
    let (mut x, mut drawing) = (step / 2.0, false);
    for column in columns {
        if column.known {
            let y = HEIGHT - if top > 0.0 { of(column) / top * (HEIGHT - 4.0) } else { 0.0 } - 2.0;
            // Text takes whatever is written.
            let _ = match drawing {
                true => write!(text, "L{x:.0} {y:.0}"),
                // A point alone is a dash.
                false => write!(text, "M{:.0} {y:.0}h1", x - 1.0),
            };
        }
        drawing = column.known;
        x += step;
    }
    text
}

fn states(
    name: &'static str,
    series: &Series,
    share: impl Fn(&Point) -> (u64, u64),
    good: &str,
) -> States {
    let slots = i64::try_from(series.points.len()).unwrap_or(1).max(1);
    let mut runs: Vec<Run> = vec![];
    let (mut held, mut seen) = (0, 0);
    for (n, point) in (0..).zip(&series.points) {
        let (holds, of) = share(point);
        (held, seen) = (held + holds, seen + of);
        let tone = match (holds, of) {
            (_, 0) => continue,
            (0, _) => "bad",
            (holds, of) if holds == of => "good",
            _ => "wait",
        };
        let (x, end) = (n * WIDTH / slots, (n + 1) * WIDTH / slots);
        match runs.last_mut() {
            Some(last) if last.tone == tone && last.x + last.width == x => {
                last.width = end - last.x;
            }
            Some(_) | None => runs.push(Run { x, width: end - x, tone }),
        }
    }
    let says = match seen {
        0 => "not seen".into(),
        seen => format!("{good} {} of {}", percent(held, seen), time_words(seen)),
    };
    States { name, says, runs }
}

/// Never 100 % of what was not all.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    match tenths % 10 {
        0 => format!("{} %", tenths / 10),
        rest => format!("{}.{rest} %", tenths / 10),
    }
}

fn time_words(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    match seconds {
        ..120 => count(seconds, "second"),
        120..7200 => count(seconds / 60, "minute"),
        7200..172_800 => count(seconds / 3600, "hour"),
        _ => count(seconds / 86_400, "day"),
    }
}

fn rows(series: &Series, columns: &[Column], all: &Column) -> Vec<Row> {
    // The last slot has hardly begun.
    let recent = series.points.len().saturating_sub(2)..;
    let now = Column::of(&series.points[recent], series.span.step_seconds());
    let row = |name: &'static str, bits: Option<Measure>, packets: Measure| {
        let words = |value: &dyn Fn(Measure) -> f64| match bits {
            Some(bits) => {
                format!("{} · {}", bits_words(value(bits)), packets_words(value(packets)))
            }
            None => packets_words(value(packets)),
        };
        let of = |column: &Column| match column.known {
            true => words(&|m| (m.of)(column)),
            false => "—".into(),
        };
        Row { name, now: of(&now), mean: of(all), peak: words(&|m| peak(columns, m.of)) }
    };
    vec![
        row("From you", Some(FROM_BITS), FROM_PACKETS),
        row("To you", Some(TO_BITS), TO_PACKETS),
        row("Dropped", None, DROPPED),
    ]
}

/// As networks are sold: 1.25 Gbit/s.
pub(super) fn bits_words(bits: f64) -> String {
    scaled(bits, "bit/s")
}

fn packets_words(packets: f64) -> String {
    scaled(packets, "packets/s")
}

fn scaled(number: f64, unit: &str) -> String {
    let (number, prefix) = match number {
        n if n >= 1e9 => (n / 1e9, " G"),
        n if n >= 1e6 => (n / 1e6, " M"),
        n if n >= 1e3 => (n / 1e3, " k"),
        n => (n, " "),
    };
    let digits = match number {
        n if n >= 100.0 || n == 0.0 => 0,
        n if n >= 10.0 => 1,
        _ => 2,
    };
    format!("{number:.digits$}{prefix}{unit}")
}

/// What graphs.js draws.
#[derive(Serialize)]
pub(super) struct Figures {
    /// When each point begins, in seconds since 1970.
    at: Vec<i64>,
    charts: BTreeMap<&'static str, Plot>,
}

#[derive(Serialize)]
struct Plot {
    unit: &'static str,
    series: Vec<Curve>,
}

/// `null`: nothing is known of that time.
#[derive(Serialize)]
struct Curve {
    name: String,
    class: &'static str,
    values: Vec<Option<f64>>,
}

impl Figures {
    pub(super) fn of(series: &Series) -> Self {
        let step = series.span.step_seconds();
        let columns: Vec<_> =
            series.points.iter().map(|p| Column::of(std::slice::from_ref(p), step)).collect();
        let curve = |m: &Measure| Curve::of(m.name.into(), m.class, &columns, m.of);
        let plot = |unit, measures: &[Measure]| Plot {
            unit,
            series: measures.iter().map(curve).collect(),
        };
        let mut verdicts: Vec<&String> = columns.iter().flat_map(|c| c.drops.keys()).collect();
        verdicts.sort_unstable();
        verdicts.dedup();
        let drops = verdicts.into_iter().map(|verdict| {
            let of = |c: &Column| c.per_second(c.drops.get(verdict).copied().unwrap_or(0));
            Curve::of(verdict.replace('_', " "), "dropped", &columns, of)
        });
        let mut drops: Vec<_> = drops.collect();
        if drops.is_empty() {
            drops.push(curve(&DROPPED));
        }
        Self {
            at: (series.slot..).take(columns.len()).map(|slot| slot * step).collect(),
            charts: [
                ("bits", plot("bit/s", &[FROM_BITS, TO_BITS])),
                ("packets", plot("packets/s", &[FROM_PACKETS, TO_PACKETS])),
                ("drops", Plot { unit: "packets/s", series: drops }),
            ]
            .into(),
        }
    }
}

impl Curve {
    fn of(
        name: String,
        class: &'static str,
        columns: &[Column],
        of: impl Fn(&Column) -> f64,
    ) -> Self {
        // Ten to the second are enough digits.
        let value = |c: &Column| c.known.then(|| (of(c) * 10.0).round() / 10.0);
        Self { name, class, values: columns.iter().map(value).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: Vec<Point>) -> Series {
        let mut all = vec![Point::default(); 360 - points.len()];
        all.extend(points);
        Series { span: Span::Hour, slot: 1000, points: all }
    }

    fn point(bytes: u64, up: bool) -> Point {
        Point {
            seen_millis: 10_000,
            established_millis: if up { 10_000 } else { 0 },
            from_customer: Tally { packets: bytes / 100, bytes },
            ..Point::default()
        }
    }

    #[test]
    fn a_rate_is_told_in_three_digits() {
        for (bits, text) in [
            (0.0, "0 bit/s"),
            (0.26, "0.26 bit/s"),
            (999.0, "999 bit/s"),
            (1_250_000_000.0, "1.25 Gbit/s"),
            (48_300_000.0, "48.3 Mbit/s"),
            (7_000.0, "7.00 kbit/s"),
        ] {
            assert_eq!(bits_words(bits).replace(' ', ""), text.replace(' ', ""), "{bits}");
        }
    }

    #[test]
    fn what_is_not_known_breaks_the_line_and_is_null_and_a_part_is_judged_by_itself() {
        let half = Point { seen_millis: 5_000, ..point(1_250, true) };
        let known = series(vec![point(2_500, true), Point::default(), half]);
        let figures = Figures::of(&known);
        let values = &figures.charts["bits"].series[0].values[357..];
        assert_eq!(values, [Some(2_000.0), None, Some(2_000.0)]);
        assert_eq!(figures.at[359], 13_590);
        let columns = [point(100, true), Point::default(), point(100, true), point(100, true)];
        let columns: Vec<_> =
            columns.iter().map(|p| Column::of(std::slice::from_ref(p), 10)).collect();
        let path = path(&columns, FROM_BITS.of, 80.0);
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert_eq!(path.matches('L').count(), 1, "{path}");
    }

    #[test]
    fn states_are_told_in_runs_and_never_as_whole_when_they_were_not() {
        let mut points = vec![point(0, true); 4];
        points.push(Point { established_millis: 9_990, ..point(0, true) });
        points.push(point(0, false));
        let states =
            states("BGP", &series(points), |p| (p.established_millis, p.seen_millis), "up");
        assert_eq!(states.says, "up 83.3 % of 60 seconds");
        let runs: Vec<_> = states.runs.iter().map(|run| (run.width, run.tone)).collect();
        assert_eq!(runs, [(8, "good"), (2, "wait"), (2, "bad")]);
        assert_eq!(percent(999_999, 1_000_000), "99.9 %");
    }
}
