//! A page: what stands around every middle, what every answer's head says, and what is shown where
//! there is no page.

use super::{
    BASE, Cockpit, assets,
    door::{Desk, Signed},
    refusal,
};
use crate::{app::Refusal, store};
use askama::Template;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use std::error::Error;

/// Everything from ourselves; no script and no style inside a page; nobody may frame it.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The middle of a page, and what its frame says.
pub(super) struct Page {
    pub(super) title: String,
    /// Which entry of the menu it is under.
    pub(super) section: &'static str,
    /// The way back: address and words.
    pub(super) crumbs: Vec<(String, String)>,
    pub(super) body: String,
    /// Where the middle comes from again as it changes.
    pub(super) live: Option<String>,
    pub(super) notice: Option<&'static str>,
    /// It has graphs, which load scripts of their own.
    pub(super) graphs: bool,
}

impl Page {
    pub(super) fn new(
        title: impl Into<String>,
        section: &'static str,
        body: &impl Template,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            title: title.into(),
            section,
            crumbs: vec![],
            body: body.render()?,
            live: None,
            notice: None,
            graphs: false,
        })
    }

    pub(super) fn under(mut self, href: impl Into<String>, text: impl Into<String>) -> Self {
        self.crumbs.push((href.into(), text.into()));
        self
    }

    pub(super) fn live(mut self, path: impl Into<String>) -> Self {
        self.live = Some(path.into());
        self
    }

    pub(super) fn with_graphs(mut self) -> Self {
        self.graphs = true;
        self
    }

    /// What was just done, by the word that a redirect brought along.
    pub(super) fn after(mut self, done: Option<&str>) -> Self {
        self.notice = done
            .and_then(|done| NOTICES.iter().find(|(word, _)| *word == done).map(|(_, text)| *text));
        self
    }

    pub(super) fn show(self, cockpit: &Cockpit, signed: &Signed) -> Result<Response, Trouble> {
        self.with_status(StatusCode::OK, cockpit, signed)
    }

    pub(super) fn with_status(
        self,
        status: StatusCode,
        cockpit: &Cockpit,
        signed: &Signed,
    ) -> Result<Response, Trouble> {
        let who = match signed.desk {
            Desk::Account(account) => format!("Account {account}"),
            Desk::Operator => "Operator".to_owned(),
        };
        let frame = Frame {
            page: &self,
            assets: assets::version(),
            region: cockpit.app.region().name.as_str(),
            who: Some(&who),
            csrf: &signed.csrf,
            menu: match signed.desk {
                Desk::Account(_) => CUSTOMER_MENU,
                Desk::Operator => OPERATOR_MENU,
            },
            operator: signed.desk == Desk::Operator,
        };
        Ok((status, Html(frame.render()?)).into_response())
    }

    /// Before anybody has signed in.
    pub(super) fn for_strangers(
        self,
        status: StatusCode,
        (region, operator): (&str, bool),
    ) -> Result<Response, Trouble> {
        let frame = Frame {
            page: &self,
            assets: assets::version(),
            region,
            who: None,
            csrf: "",
            menu: &[],
            operator,
        };
        Ok((status, Html(frame.render()?)).into_response())
    }
}

const NOTICES: [(&str, &str); 21] = [
    (
        "ordered",
        "Your order is placed. It stays requested until the operator approves it and sends you the Letter of Authorization.",
    ),
    ("renamed", "The name is changed."),
    ("changed", "The interface is changed. Its router follows within seconds."),
    ("deletion", "Deletion is asked for. It shows here when the router has let go."),
    ("deleted", "It is deleted."),
    ("peer-added", "The BGP peer is added. Set the same on your router."),
    ("peer-deletion", "The BGP peer goes as soon as the router has let go of it."),
    (
        "created",
        "The interface is created. It stays pending until both your router and the DirectLink router are configured.",
    ),
    ("hosted", "The hosted interface is created. Its intended owner has 7 days to accept it."),
    (
        "accepted",
        "The interface is accepted. It stays pending until both your router and the DirectLink router are configured.",
    ),
    ("taken", "The hosted connection is yours. Create its interface as soon as it is available."),
    ("declined", "The hosted connection is rejected."),
    ("rejected", "The hosted interface is rejected."),
    (
        "approved",
        "The order is approved: a port is taken, and the Letter of Authorization is issued.",
    ),
    ("refused", "The order is refused, and its customer is told why."),
    ("quota", "The quota is set."),
    ("inventory", "The inventory is changed."),
    ("cross-connect", "The cross-connect is recorded."),
    (
        "maintenance",
        "The maintenance is recorded. Its customers are told, and routers follow within seconds.",
    ),
    ("letter-sent", "The letter goes out by mail once more."),
    ("letter-renewed", "The letter is renewed: it is valid from now on, and goes out by mail."),
];

type Menu = &'static [(&'static str, &'static str, &'static str)];

/// Section, address, words.
const CUSTOMER_MENU: Menu = &[
    ("overview", "/cockpit", "Overview"),
    ("connections", "/cockpit/connections", "Connections"),
    ("interfaces", "/cockpit/interfaces", "Interfaces"),
    ("maintenance", "/cockpit/maintenance", "Maintenance"),
    ("webhooks", "/cockpit/webhooks", "Webhooks"),
];

const OPERATOR_MENU: Menu = &[
    ("orders", "/cockpit", "Orders"),
    ("connections", "/cockpit/connections", "Connections"),
    ("interfaces", "/cockpit/interfaces", "Interfaces"),
    ("inventory", "/cockpit/inventory", "Inventory"),
    ("letters", "/cockpit/letters", "Letters"),
    ("routers", "/cockpit/routers", "Routers"),
    ("maintenance", "/cockpit/maintenance", "Maintenance"),
    ("accounts", "/cockpit/accounts", "Accounts"),
    ("mail", "/cockpit/mail", "Mail"),
    ("trail", "/cockpit/trail", "Audit trail"),
];

#[derive(Template)]
#[template(path = "frame.html")]
struct Frame<'a> {
    page: &'a Page,
    assets: &'a str,
    region: &'a str,
    who: Option<&'a str>,
    csrf: &'a str,
    menu: Menu,
    operator: bool,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroubleBody<'a> {
    text: &'a str,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The model's no, where no form is there to say it beside.
    Refused(Refusal),
    /// No such page, or another's.
    NothingThere,
    /// The form is not one of ours, or is too old.
    Forged,
    World(Box<dyn Error + Send + Sync>),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::World(Box::new(error))
    }
}

impl From<askama::Error> for Trouble {
    fn from(error: askama::Error) -> Self {
        Self::World(Box::new(error))
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, heading, text) = match self {
            Self::Refused(Refusal::Fault(fault)) => {
                let status = refusal::status(&fault);
                let heading = match status == StatusCode::NOT_FOUND {
                    true => "Nothing here",
                    false => "That cannot be done",
                };
                (status, heading, fault.to_string())
            }
            Self::Refused(Refusal::Error(error)) => return Self::World(Box::new(error)).into_response(),
            Self::NothingThere => (
                StatusCode::NOT_FOUND,
                "Nothing here",
                "There is no such page, or it is another account's.".into(),
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "This form is too old",
                "It was not sent from a page of this session. Go back, load the page again, and send it once more."
                    .into(),
            ),
            Self::World(error) => {
                let cause = error.source().map(ToString::to_string);
                tracing::error!(%error, cause, "a page of Cockpit failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "That went wrong here",
                    "The fault is ours, and is in the server's log. Try again in a moment.".into(),
                )
            }
        };
        let body = TroubleBody { text: &text };
        Page::new(heading, "", &body)
            .and_then(|page| page.for_strangers(status, ("", false)))
            .unwrap_or_else(|_| status.into_response())
    }
}

/// After a command: the next page is asked for with GET, so that loading it again sends nothing twice.
pub(super) fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

pub(super) async fn nothing_there(_: Request) -> Trouble {
    Trouble::NothingThere
}

/// A page is not waited for for ever, whatever the database does. A stream has begun by then, and a form's act looks
/// after itself.
pub(super) async fn in_time(
    State(cockpit): State<Cockpit>,
    request: Request,
    next: Next,
) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let read = cockpit.app.parts().store.read_in_time(next.run(request)).await;
    read.unwrap_or_else(|late| Trouble::from(late).into_response())
}

/// What every answer's head says.
pub(super) async fn guard(mut response: Response) -> Response {
    let head = response.headers_mut();
    let mut say = |name: HeaderName, value: &'static str| {
        head.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(header::CONTENT_SECURITY_POLICY, POLICY);
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::REFERRER_POLICY, "same-origin");
    say(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    say(header::CACHE_CONTROL, "no-store");
    response
}

/// The address of one's sign-in page.
pub(super) fn sign_in_path() -> String {
    format!("{BASE}/sign-in")
}
