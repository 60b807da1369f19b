//! The door: signing in and out, whose session a request brings, and whether a form was sent from a
//! page of that session.
//!
//! ```text
//!   cookie  directlink-session=KEY    HttpOnly, SameSite=Lax, Path=/cockpit, Secure behind HTTPS
//!   form    token = HMAC-SHA256(KEY, "cockpit form")      and Sec-Fetch-Site or Origin, if sent
//! ```
//!
//! A session is begun with a fresh key each time, so that none can be planted. The two doors have
//! cookies of their own names: browsers do not tell ports apart.

use super::{
    BASE, Cockpit,
    form::Form,
    page::{Page, Trouble, see_other, sign_in_path},
};
use crate::{
    api::remote,
    app::{
        Context,
        sessions::{Door, LONGEST, Look, Visitor},
    },
    audit::Slip,
};
use askama::Template;
use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, FromRequest, FromRequestParts, Query, Request, State},
    response::{IntoResponse, Response},
};
use directlink_model::{account::Caller, ids::AccountId};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// A pasted configuration is the longest that is sent.
const FORM_MAX: usize = 512 * 1024;

/// At whose desk the browser sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Desk {
    Account(AccountId),
    Operator,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) desk: Desk,
    /// What every form of theirs holds.
    pub(super) csrf: String,
    key: SecretString,
}

impl Signed {
    /// For a stream: whether they are still signed in.
    pub(super) async fn lasts(&self, cockpit: &Cockpit) -> Result<bool, Trouble> {
        let door = match self.desk {
            Desk::Account(_) => Door::Customers,
            Desk::Operator => Door::Operators,
        };
        let now = cockpit.app.machine_now();
        let key = (door, self.key.expose_secret());
        Ok(cockpit.app.session(key, Look::ByItself, now).await?.is_some())
    }
}

/// A customer who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Customer {
    pub(super) account: AccountId,
    pub(super) signed: Signed,
}

impl Customer {
    pub(super) fn context(&self, cockpit: &Cockpit) -> Context {
        cockpit.app.context(Caller { account: self.account }, false)
    }
}

/// The operator, signed in.
#[derive(Clone, Debug)]
pub(super) struct Operator(pub(super) Signed);

impl FromRequestParts<Cockpit> for Customer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, cockpit: &Cockpit) -> Result<Self, Response> {
        let signed = signed(parts, cockpit, Door::Customers).await?;
        match signed.desk {
            Desk::Account(account) => Ok(Self { account, signed }),
            Desk::Operator => Err(to_sign_in(parts)),
        }
    }
}

impl FromRequestParts<Cockpit> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, cockpit: &Cockpit) -> Result<Self, Response> {
        let signed = signed(parts, cockpit, Door::Operators).await?;
        match signed.desk {
            Desk::Operator => Ok(Self(signed)),
            Desk::Account(_) => Err(to_sign_in(parts)),
        }
    }
}

async fn signed(parts: &Parts, cockpit: &Cockpit, door: Door) -> Result<Signed, Response> {
    let Some(key) = cookie(&parts.headers, door) else { return Err(to_sign_in(parts)) };
    let look = match runs_by_itself(parts) {
        true => Look::ByItself,
        false => Look::ByHand,
    };
    let now = cockpit.app.machine_now();
    let visitor = cockpit.app.session((door, &key), look, now).await;
    let desk = match visitor.map_err(|error| Trouble::from(error).into_response())? {
        Some(Visitor::Account(account)) => Desk::Account(account),
        Some(Visitor::Operator) => Desk::Operator,
        None => return Err(to_sign_in(parts)),
    };
    if let Some(slip) = parts.extensions.get::<Slip>() {
        let actor = match desk {
            Desk::Account(account) => account.to_string(),
            Desk::Operator => "operator".to_owned(),
        };
        slip.found(Some(actor), "cockpit", parts.uri.path().to_owned(), true);
    }
    Ok(Signed { desk, csrf: form_token(&key), key: key.into() })
}

/// A stream has no page to show a form on: it ends, and the page stays as it is.
fn to_sign_in(parts: &Parts) -> Response {
    if runs_by_itself(parts) {
        return StatusCode::NO_CONTENT.into_response();
    }
    match parts.method == Method::GET && parts.uri.path() != BASE {
        true => {
            let next = parts.uri.path_and_query().map_or(BASE, http::uri::PathAndQuery::as_str);
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            see_other(&format!("{}?next={next}", sign_in_path()))
        }
        false => see_other(&sign_in_path()),
    }
}

/// Streams, and what graphs ask for from time to time.
fn runs_by_itself(parts: &Parts) -> bool {
    let path = parts.uri.path();
    path.ends_with("/live") || path.ends_with("/figures")
}

/// A form that was sent from a page of the sender's own session.
pub(super) struct Posted<W> {
    pub(super) who: W,
    pub(super) form: Form,
}

impl FromRequest<Cockpit> for Posted<Customer> {
    type Rejection = Response;

    async fn from_request(request: Request, cockpit: &Cockpit) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let who = Customer::from_request_parts(&mut parts, cockpit).await?;
        let form = checked(&parts, body, &who.signed.csrf).await?;
        Ok(Self { who, form })
    }
}

impl FromRequest<Cockpit> for Posted<Operator> {
    type Rejection = Response;

    async fn from_request(request: Request, cockpit: &Cockpit) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let who = Operator::from_request_parts(&mut parts, cockpit).await?;
        let form = checked(&parts, body, &who.0.csrf).await?;
        Ok(Self { who, form })
    }
}

async fn checked(parts: &Parts, body: Body, token: &str) -> Result<Form, Response> {
    let form = read(parts, body).await?;
    match form.text("csrf").as_bytes().ct_eq(token.as_bytes()).into() {
        true => Ok(form),
        false => Err(Trouble::Forged.into_response()),
    }
}

async fn read(parts: &Parts, body: Body) -> Result<Form, Response> {
    if !is_from_here(&parts.headers) {
        return Err(Trouble::Forged.into_response());
    }
    match to_bytes(body, FORM_MAX).await {
        Ok(bytes) => Ok(Form::read(&bytes)),
        Err(_) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
    }
}

/// What the browser says of where a form comes from. Old ones say nothing; the token stays.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, from)| from == host)
        }
        (Some(_), None) => false,
        (None, _) => true,
    }
}

fn form_token(key: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mut mac = mac.unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
    mac.update(b"cockpit form");
    hex::encode(mac.finalize().into_bytes())
}

const fn cookie_name(door: Door) -> &'static str {
    match door {
        Door::Customers => "directlink-session",
        Door::Operators => "directlink-operator",
    }
}

fn cookie(headers: &HeaderMap, door: Door) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(name, _)| name.trim() == cookie_name(door));
    found.map(|(_, value)| value.trim().to_owned())
}

/// A reverse proxy that ends TLS says so; a stranger who says it only makes their own cookie safer.
fn set_cookie(headers: &HeaderMap, door: Door, value: &str, seconds: i64) -> HeaderValue {
    let https = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if https { "; Secure" } else { "" };
    let name = cookie_name(door);
    let text =
        format!("{name}={value}; Path={BASE}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).unwrap_or_else(|_| unreachable!("hexadecimal digits and words"))
}

#[derive(Deserialize)]
pub(super) struct Next {
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    operator: bool,
    region: &'a str,
    email: &'a str,
    next: &'a str,
    complaint: Option<&'a str>,
}

pub(super) async fn ask(
    State(cockpit): State<Cockpit>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Trouble> {
    let next = next.unwrap_or_default();
    ask_again(&cockpit, Door::Customers, ("", &next), None)
}

pub(super) async fn ask_operator(
    State(cockpit): State<Cockpit>,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Trouble> {
    let next = next.unwrap_or_default();
    ask_again(&cockpit, Door::Operators, ("", &next), None)
}

fn ask_again(
    cockpit: &Cockpit,
    door: Door,
    (email, next): (&str, &str),
    complaint: Option<&str>,
) -> Result<Response, Trouble> {
    let operator = door == Door::Operators;
    let region = cockpit.app.region().name.as_str();
    let next = if is_own_page(next) { next } else { BASE };
    let body = SignIn { operator, region, email, next, complaint };
    let status = match complaint {
        Some(_) => StatusCode::UNAUTHORIZED,
        None => StatusCode::OK,
    };
    Page::new("Sign in", "", &body)?.for_strangers(status, (region, operator))
}

/// Nobody is sent elsewhere by a link to our sign-in page.
fn is_own_page(path: &str) -> bool {
    let below = path.strip_prefix(BASE);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !path.contains(['\\', '\n', '\r'])
}

pub(super) async fn sign_in(
    State(cockpit): State<Cockpit>,
    request: Request,
) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    let form = read(&parts, body).await?;
    let outcome = with_password(&cockpit, &parts, &form).await;
    outcome.map_err(IntoResponse::into_response)
}

async fn with_password(cockpit: &Cockpit, parts: &Parts, form: &Form) -> Result<Response, Trouble> {
    let (email, next) = (form.text("email"), form.text("next"));
    let again = |complaint| ask_again(cockpit, Door::Customers, (email, next), Some(complaint));
    let now = cockpit.app.machine_now();
    let Some(guard) = &cockpit.guard else { return Err(Trouble::NothingThere) };
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let from = remote::counted(peer, &parts.headers, &guard.trusted_proxies);
    // Right or wrong, a password costs.
    if guard.addresses.spend(from, now).is_err() {
        return again("Too many attempts from where you are. Wait a little, then try again.");
    }
    let standing = guard.standing(&cockpit.app, email, now).await?;
    if standing.is_locked {
        return again(
            "Too many wrong attempts with this e-mail address. Wait a few minutes, then try again.",
        );
    }
    let Some(account) = cockpit.app.login(email, form.raw("password")).await? else {
        guard.count_wrong(&cockpit.app, email, now).await?;
        return again("The e-mail address or the password is wrong.");
    };
    guard.forgive(&cockpit.app, email, standing).await?;
    begin(cockpit, &parts.headers, (Door::Customers, Visitor::Account(account)), next).await
}

pub(super) async fn sign_in_operator(
    State(cockpit): State<Cockpit>,
    request: Request,
) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    let form = read(&parts, body).await?;
    let next = form.text("next");
    // No lock-out: the token is too long to guess, and nobody shall lock the operator out.
    let (door, visitor) = (Door::Operators, Visitor::Operator);
    let outcome = match cockpit.app.is_operator_token(form.text("token")) {
        true => begin(&cockpit, &parts.headers, (door, visitor), next).await,
        false => ask_again(&cockpit, door, ("", next), Some("This is not the operator's token.")),
    };
    outcome.map_err(IntoResponse::into_response)
}

async fn begin(
    cockpit: &Cockpit,
    headers: &HeaderMap,
    (door, visitor): (Door, Visitor),
    next: &str,
) -> Result<Response, Trouble> {
    if let Some(old) = cookie(headers, door) {
        cockpit.app.end_session(door, &old).await?;
    }
    let key = cockpit.app.begin_session(visitor, cockpit.app.machine_now()).await?;
    let next = if is_own_page(next) { next } else { BASE };
    let mut response = see_other(next);
    let set = set_cookie(headers, door, key.expose_secret(), LONGEST.as_secs());
    response.headers_mut().insert(header::SET_COOKIE, set);
    Ok(response)
}

pub(super) async fn sign_out(
    State(cockpit): State<Cockpit>,
    headers: HeaderMap,
    posted: Posted<Customer>,
) -> Result<Response, Trouble> {
    end(&cockpit, &headers, Door::Customers, &posted.who.signed).await
}

pub(super) async fn sign_out_operator(
    State(cockpit): State<Cockpit>,
    headers: HeaderMap,
    posted: Posted<Operator>,
) -> Result<Response, Trouble> {
    end(&cockpit, &headers, Door::Operators, &posted.who.0).await
}

async fn end(
    cockpit: &Cockpit,
    headers: &HeaderMap,
    door: Door,
    signed: &Signed,
) -> Result<Response, Trouble> {
    cockpit.app.end_session(door, signed.key.expose_secret()).await?;
    let mut response = see_other(&sign_in_path());
    response.headers_mut().insert(header::SET_COOKIE, set_cookie(headers, door, "", 0));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_site_is_known_by_what_the_browser_says() {
        for (site, origin, from_here) in [
            (Some("same-origin"), None, true),
            (Some("same-site"), Some("http://127.0.0.1:80"), false),
            (Some("cross-site"), None, false),
            (None, Some("http://127.0.0.1:80"), true),
            (None, Some("http://127.0.0.1:81"), false),
            (None, Some("null"), false),
            (None, None, true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_static("127.0.0.1:80"));
            let mut say = |name: &'static str, value: Option<&'static str>| {
                value.map(|value| headers.insert(name, HeaderValue::from_static(value)));
            };
            say("sec-fetch-site", site);
            say("origin", origin);
            assert_eq!(is_from_here(&headers), from_here, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn signing_in_leads_to_our_own_pages_alone() {
        for (next, own) in [
            ("/cockpit", true),
            ("/cockpit/connections?q=a", true),
            ("/cockpit?x", true),
            ("/cockpitx", false),
            ("//elsewhere.example/cockpit", false),
            ("https://elsewhere.example", false),
            ("/cockpit/\\elsewhere", false),
            ("", false),
        ] {
            assert_eq!(is_own_page(next), own, "{next}");
        }
    }
}
