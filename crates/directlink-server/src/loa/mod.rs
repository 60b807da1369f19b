//! The Letter of Authorization and Connecting Facility Assignment: one page, with which a customer
//! has the cross-connect made between its cage and our port.
//!
//! ```text
//!   Letter (facts) ──► lines of label and text ──► krilla ──► PDF, one A4 page
//! ```
//!
//! Pure: the same facts give the same bytes. The page holds no clock, no random number and no file
//! of the machine; its font is Liberation Sans (SIL Open Font License 1.1, `fonts/LICENSE`), of which
//! only the letters that are used are embedded.

mod qr;

use directlink_model::{
    connection::{Bandwidth, PortRef},
    ids::{AccountId, ConnectionId, PanelName, RegionName, RoomName},
    inventory::Connector,
    location::Location,
};
use jiff::Timestamp;
use krilla::{
    Document, SerializeSettings,
    geom::Point,
    metadata::Metadata,
    page::PageSettings,
    surface::Surface,
    text::{Font, TextDirection},
};
use qrcodegen::{QrCode, QrCodeEcc};
use thiserror::Error;

/// All that the letter says.
#[derive(Clone, Debug)]
pub struct Letter {
    pub region: RegionName,
    pub account: AccountId,
    pub email: Option<String>,
    /// Who makes the cross-connect for the customer.
    pub provider: Option<String>,
    pub connection: ConnectionId,
    pub connection_name: String,
    pub location: Location,
    pub port: PortRef,
    /// `None`: the port is wired to no panel.
    pub demarcation: Option<Demarcation>,
    pub bandwidth: Bandwidth,
    pub issued_at: Timestamp,
    pub valid_until: Timestamp,
    /// Where whoever holds the letter sees what it is worth.
    pub verify_at: Option<String>,
}

/// Whence the cross-connect goes to the port: what a technician looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demarcation {
    pub data_centre: String,
    pub room: RoomName,
    pub panel: PanelName,
    pub position: u16,
    pub connector: Connector,
}

#[derive(Debug, Error)]
pub(crate) enum LoaError {
    #[error("the page's font cannot be read")]
    Font,
    #[error("the page has no such size")]
    Size,
    #[error("the page cannot be written: {0}")]
    Write(String),
}

/// The letter as PDF.
pub(crate) fn page(letter: &Letter) -> Result<Vec<u8>, LoaError> {
    let settings = SerializeSettings { xmp_metadata: false, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    let title = format!("Letter of Authorization {}", letter.connection);
    document.set_metadata(Metadata::new().title(title).document_id(letter.connection.to_string()));
    let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or(LoaError::Size)?;
    let mut page = document.start_page_with(size);
    let mut surface = page.surface();
    let mut pen = Pen { surface: &mut surface, regular: font(REGULAR)?, bold: font(BOLD)?, y: TOP };
    pen.write(letter);
    surface.finish();
    page.finish();
    document.finish().map_err(|error| LoaError::Write(format!("{error:?}")))
}

/// A4 in points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const TOP: f32 = 80.0;
const LEFT: f32 = 60.0;
const COLUMN: f32 = 220.0;
const LINE: f32 = 13.0;

static REGULAR: &[u8] = include_bytes!("fonts/LiberationSans-Regular.ttf");
static BOLD: &[u8] = include_bytes!("fonts/LiberationSans-Bold.ttf");

fn font(bytes: &'static [u8]) -> Result<Font, LoaError> {
    Font::new(bytes.to_vec().into(), 0).ok_or(LoaError::Font)
}

/// Goes down the page.
struct Pen<'p, 's> {
    surface: &'p mut Surface<'s>,
    regular: Font,
    bold: Font,
    y: f32,
}

impl Pen<'_, '_> {
    fn write(&mut self, letter: &Letter) {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        self.draw(LEFT, 18.0, true, "Letter of Authorization");
        self.y += 22.0;
        self.draw(LEFT, 12.0, false, "and Connecting Facility Assignment (LOA-CFA)");
        self.y += 2.0 * LINE;
        self.line("Issue date", &day(letter.issued_at));
        self.line("Valid until", &day(letter.valid_until));
        self.head("Parties");
        self.line("Issued by", &format!("DirectLink, Region {}", letter.region));
        self.line("Issued to", &format!("account {}", letter.account));
        if let Some(email) = &letter.email {
            self.line("Contact", email);
        }
        if let Some(provider) = &letter.provider {
            self.line("On behalf of it", provider);
        }
        self.head("Circuit");
        self.line("Circuit ID", &letter.connection.to_string());
        self.line("Name", &letter.connection_name);
        self.line("Port speed", letter.bandwidth.as_str());
        self.line("Optics", letter.bandwidth.optics());
        let connector = letter.demarcation.as_ref().map_or(Connector::Lc, |it| it.connector);
        let fibre = format!("single mode, duplex, {}; auto-negotiation off", connector.as_str());
        self.line("Fibre", &fibre);
        self.head("Demarcation");
        let Location { code, name, .. } = &letter.location;
        self.line("Location", &format!("{code}: {name}"));
        if let Some(it) = &letter.demarcation {
            self.line("Data centre", &it.data_centre);
            self.line("Meet-me room", it.room.as_str());
            self.line("Patch panel", it.panel.as_str());
            self.line("Position", &format!("{}, front", it.position));
        }
        self.line("Router", letter.port.router.as_str());
        self.line("Port", letter.port.port.as_str());
        self.y += LINE;
        for text in [
            "The party above, or whoever it appoints, may order a cross-connect from its own equipment",
            "to the port above, and to no other. The cross-connect is ordered from, and paid to, the",
            "operator of the location. This letter ends on the day above unless the circuit is in use by",
            "then, and at once when the circuit is deleted.",
        ] {
            self.y += LINE;
            self.draw(LEFT, 10.0, false, text);
        }
        if let Some(address) = &letter.verify_at {
            self.verify(address);
        }
    }

    /// Whoever is shown the letter can ask whether it is true.
    fn verify(&mut self, address: &str) {
        self.y += 2.0 * LINE;
        let code = QrCode::encode_text(address, QrCodeEcc::Medium).ok();
        if let Some(code) = &code {
            qr::draw(self.surface, code, (LEFT, self.y), QR_SIZE);
        }
        let left = if code.is_some() { LEFT + QR_SIZE + LINE } else { LEFT };
        self.y += LINE;
        self.draw(left, 10.0, true, "Is this letter valid?");
        self.y += LINE;
        self.draw(left, 10.0, false, "Its state at this moment is at this address:");
        for part in letters(address).chunks(ADDRESS_CHARS) {
            self.y += LINE;
            self.draw(left, 9.0, false, &part.iter().collect::<String>());
        }
    }

    fn head(&mut self, text: &str) {
        self.y += 1.8 * LINE;
        self.draw(LEFT, 12.0, true, text);
    }

    /// A long text takes several lines.
    fn line(&mut self, label: &str, text: &str) {
        self.y += LINE;
        self.draw(LEFT, 10.0, false, label);
        for (n, part) in wrapped(text).iter().enumerate() {
            if n > 0 {
                self.y += LINE;
            }
            self.draw(COLUMN, 10.0, true, part);
        }
    }

    fn draw(&mut self, x: f32, size: f32, bold: bool, text: &str) {
        let font = if bold { &self.bold } else { &self.regular };
        let at = Point::from_xy(x, self.y);
        self.surface.draw_text(at, font.clone(), size, text, false, TextDirection::LeftToRight);
    }
}

const QR_SIZE: f32 = 96.0;

/// So many characters of 9 points fit beside the QR code.
const ADDRESS_CHARS: usize = 64;

/// So many characters of 10 points fit behind a label, wide ones too.
const LINE_CHARS: usize = 36;

/// In lines of whole words, but for words that are longer than a line.
fn wrapped(text: &str) -> Vec<String> {
    let (mut lines, mut line) = (vec![], vec![]);
    for word in letters(text).split(|c| *c == ' ') {
        if !line.is_empty() && line.len() + 1 + word.len() > LINE_CHARS {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word);
        while line.len() > LINE_CHARS {
            let rest = line.split_off(LINE_CHARS);
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    lines.into_iter().map(String::from_iter).collect()
}

/// What the font has no letter for (it has Latin, Greek and Cyrillic) is a question mark.
fn letters(text: &str) -> Vec<char> {
    let has = |c: char| if (' '..'\u{530}').contains(&c) && !c.is_control() { c } else { '?' };
    text.chars().map(has).collect()
}

#[cfg(test)]
pub(crate) mod tests;
