//! The letter read back by poppler's `pdftotext`, as a customer's reader would.

use super::*;
use directlink_model::connection::LETTER_VALID;
use std::{
    io::Write,
    process::{Command, Stdio},
};

fn letter() -> Letter {
    let issued_at: Timestamp = "2026-11-23T23:59:00Z".parse().unwrap();
    Letter {
        region: "eu-west-2".parse().unwrap(),
        account: AccountId::from_number(123_456_789_012),
        email: Some("net@example.org".into()),
        provider: None,
        connection: ConnectionId::from_bits(0x1a2b_3c4d),
        connection_name: "Zürich → Paris".into(),
        location: Location {
            code: "PAR1".parse().unwrap(),
            name: "Telehouse 3, France".into(),
            subregion: "eu-west-2a".parse().unwrap(),
        },
        port: PortRef { router: "par1-r1".parse().unwrap(), port: "p0".parse().unwrap() },
        demarcation: Some(Demarcation {
            data_centre: "Telehouse 3, Magny".into(),
            room: "MMR-1".parse().unwrap(),
            panel: "PP-07".parse().unwrap(),
            position: 12,
            connector: Connector::Lc,
        }),
        bandwidth: Bandwidth::TenGbps,
        issued_at,
        valid_until: issued_at + LETTER_VALID,
        verify_at: Some(format!("https://directlink.example/loa/verify/{}", "0a".repeat(20))),
    }
}

/// What a reader finds on it, spaces made one.
pub(crate) fn text_of(pdf: &[u8]) -> String {
    let mut reader = Command::new("pdftotext")
        .args(["-layout", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("poppler-utils is installed (scripts/setup)");
    reader.stdin.take().unwrap().write_all(pdf).unwrap();
    let read = reader.wait_with_output().unwrap();
    assert!(read.status.success());
    let text = String::from_utf8(read.stdout).unwrap();
    assert_eq!(text.matches('\u{c}').count(), 1, "one page");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_reader_finds_every_fact_on_one_page() {
    let text =
        text_of(&page(&Letter { provider: Some("Fibres & Co".into()), ..letter() }).unwrap());
    for expected in [
        "Letter of Authorization",
        "Issue date 2026-11-23",
        "Valid until 2027-02-21",
        "Issued by DirectLink, Region eu-west-2",
        "Issued to account 123456789012",
        "Contact net@example.org",
        "On behalf of it Fibres & Co",
        "Circuit ID dxcon-1a2b3c4d",
        "Name Zürich ? Paris",
        "Port speed 10Gbps",
        "Optics 10GBASE-LR (1310nm)",
        "Fibre single mode, duplex, LC;",
        "Location PAR1: Telehouse 3, France",
        "Data centre Telehouse 3, Magny",
        "Meet-me room MMR-1",
        "Patch panel PP-07",
        "Position 12, front",
        "Router par1-r1",
        "Port p0",
        "Is this letter valid?",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// Read off the page by zbar, as a telephone would.
#[test]
fn a_camera_reads_the_address_off_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let (pdf, png) = (dir.path().join("letter.pdf"), dir.path().join("letter"));
    let letter = letter();
    std::fs::write(&pdf, page(&letter).unwrap()).unwrap();
    let painted = Command::new("pdftoppm")
        .args(["-png", "-singlefile", "-r", "150"])
        .args([&pdf, &png])
        .status()
        .expect("poppler-utils is installed (scripts/setup)");
    assert!(painted.success());
    let read = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(png.with_extension("png"))
        .output()
        .expect("zbar-tools is installed (scripts/setup)");
    assert_eq!(String::from_utf8(read.stdout).unwrap().trim(), letter.verify_at.unwrap());
}

#[test]
fn the_same_facts_give_the_same_bytes_and_not_many() {
    let (one, two) = (page(&letter()).unwrap(), page(&letter()).unwrap());
    assert_eq!(one, two);
    assert!(one.starts_with(b"%PDF-") && one.len() < 64 * 1024, "{}", one.len());
}

#[test]
fn a_name_of_the_greatest_length_stays_on_the_page() {
    let letter =
        Letter { connection_name: "W".repeat(255), provider: Some("W".repeat(255)), ..letter() };
    let text = text_of(&page(&letter).unwrap());
    assert_eq!(text.matches('W').count(), 510);
    assert!(text.contains("when the circuit is deleted."), "the end is there: {text}");
}

#[test]
fn words_stay_whole() {
    let name = "The long name of a connection that ends in a-hyphenated-word";
    let text = text_of(&page(&Letter { connection_name: name.into(), ..letter() }).unwrap());
    for word in name.split(' ').chain(["auto-negotiation"]) {
        assert!(text.split_whitespace().any(|there| there == word), "{word}: {text}");
    }
}
