//! Cockpit: the console in the browser, for customers and for the operator.
//!
//! ```text
//!   browser ── GET  page ──────────► door (whose session?) ─► a page's file ─► App ─► template ─► HTML
//!           ── POST form + token ──► door (its own page?)  ─► App: a command ─► 303, or the form again
//!           ── GET  page/live ─────► live: the page's middle again, whenever it has changed (SSE)
//! ```
//!
//! The server renders whole pages; htmx only exchanges their middle as things change, so that
//! everything can be read and done without JavaScript. It asks [`App`] what the dialects ask, and no
//! rule lives here: a form offers what is possible, the model refuses what is not, in its own words.
//!
//! Customers' pages are on the customers' listener, the operator's on the operator's: who cannot
//! reach that API cannot reach its pages either.

mod assets;
mod connections;
mod door;
mod form;
mod graphs;
mod hosted;
mod interfaces;
mod live;
mod maintenance;
mod operator;
mod orders;
mod overview;
mod page;
mod picture;
mod quotas;
mod refusal;
mod router_configuration;
#[cfg(test)]
mod tests;
mod verify;
mod webhooks;
mod words;

use crate::{api::Guard, app::App};
use axum::{
    Router, middleware,
    response::Redirect,
    routing::{get, post},
};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What pages are answered with. Cheap to clone.
#[derive(Clone)]
struct Cockpit {
    app: App,
    /// Shared with the APIs: a password is guessed no faster through two doors. The operator's
    /// token is too long to guess, so that door has none.
    guard: Option<Guard>,
    /// So many pages follow live at once; others are read as they are.
    streams: Arc<Semaphore>,
}

const STREAMS_MAX: usize = 512;

/// Where everything of it lives.
const BASE: &str = "/cockpit";

/// The customers' pages.
pub(crate) fn customers(app: App, guard: Guard) -> Router {
    let pages = Router::new()
        .route("/cockpit", get(overview::show))
        .route("/cockpit/live", get(overview::live))
        .route("/cockpit/sign-in", get(door::ask).post(door::sign_in))
        .route("/cockpit/sign-out", post(door::sign_out))
        .route("/cockpit/connections", get(connections::list).post(orders::order))
        .route("/cockpit/connections/live", get(connections::list_live))
        .route("/cockpit/connections/new", get(orders::form))
        .route("/cockpit/quotas", get(quotas::show))
        .route("/cockpit/maintenance", get(maintenance::show))
        .route("/cockpit/webhooks", get(webhooks::list).post(webhooks::add))
        .route("/cockpit/webhooks/{id}", get(webhooks::show))
        .route("/cockpit/webhooks/{id}/remove", post(webhooks::remove))
        .route("/cockpit/connections/{id}", get(connections::show))
        .route("/cockpit/connections/{id}/live", get(connections::show_live))
        .route("/cockpit/connections/{id}/diagnosis", get(interfaces::ladder::connection))
        .route("/cockpit/connections/{id}/figures", get(connections::figures))
        .route("/cockpit/connections/{id}/loa.pdf", get(connections::letter))
        .route("/cockpit/connections/{id}/accept", post(hosted::accept))
        .route("/cockpit/connections/{id}/edit", get(connections::edit).post(connections::rename))
        .route(
            "/cockpit/connections/{id}/delete",
            get(connections::ask_delete).post(connections::delete),
        )
        .route("/loa/verify/{token}", get(verify::show))
        .merge(interface_pages())
        .route("/cockpit/assets/{version}/{name}", get(assets::serve));
    finish(pages, app, Some(guard))
}

fn interface_pages() -> Router<Cockpit> {
    use interfaces::{accept, change, create, detail, glass, ladder, list, peers};
    Router::new()
        .route("/cockpit/interfaces", get(list::show).post(create::create))
        .route("/cockpit/interfaces/live", get(list::live))
        .route("/cockpit/interfaces/new", get(create::form))
        .route("/cockpit/interfaces/{id}", get(detail::show))
        .route("/cockpit/interfaces/{id}/live", get(detail::live))
        .route("/cockpit/interfaces/{id}/figures", get(detail::figures))
        .route("/cockpit/interfaces/{id}/diagnosis", get(ladder::ask))
        .route("/cockpit/interfaces/{id}/glass", get(glass::show).post(glass::ask))
        .route("/cockpit/interfaces/{id}/key", post(detail::reveal))
        .route("/cockpit/interfaces/{id}/edit", get(change::form).post(change::change))
        .route("/cockpit/interfaces/{id}/delete", get(change::ask_delete).post(change::delete))
        .route("/cockpit/interfaces/{id}/accept", get(accept::form).post(accept::accept))
        .route("/cockpit/interfaces/{id}/peers", post(peers::add))
        .route("/cockpit/interfaces/{id}/peers/new", get(peers::form))
        .route(
            "/cockpit/interfaces/{id}/peers/{peer}/delete",
            get(peers::ask_delete).post(peers::delete),
        )
        .route(
            "/cockpit/interfaces/{id}/router",
            get(router_configuration::show).post(router_configuration::answer),
        )
}

/// The operator's pages.
pub(crate) fn operators(app: App) -> Router {
    use operator::{
        accounts, cross_connects, inventory, letters, lines, mail, maintenance, orders, sites,
        trail,
    };
    let pages = Router::new()
        .route("/cockpit", get(orders::queue))
        .route("/cockpit/live", get(orders::queue_live))
        .route("/cockpit/sign-in", get(door::ask_operator).post(door::sign_in_operator))
        .route("/cockpit/sign-out", post(door::sign_out_operator))
        .route("/cockpit/orders/{id}", get(orders::form).post(orders::approve))
        .route("/cockpit/orders/{id}/refuse", post(orders::refuse))
        .route("/cockpit/connections", get(lines::connections))
        .route("/cockpit/interfaces", get(lines::interfaces))
        .route("/cockpit/connections/{id}/diagnosis", get(interfaces::ladder::any_connection))
        .route("/cockpit/interfaces/{id}/diagnosis", get(interfaces::ladder::show))
        .route("/cockpit/inventory", get(inventory::show))
        .route("/cockpit/inventory/rooms", post(inventory::add_room))
        .route("/cockpit/inventory/panels", post(inventory::add_panel))
        .route("/cockpit/inventory/ports", post(inventory::change_port))
        .route("/cockpit/cross-connects", get(cross_connects::list))
        .route("/cockpit/cross-connects/{id}/{act}", post(cross_connects::record))
        .route("/cockpit/letters", get(letters::list))
        .route("/cockpit/letters/{id}", post(letters::send))
        .route("/cockpit/routers", get(sites::show))
        .route("/cockpit/routers/live", get(sites::live))
        .route("/cockpit/routers/{name}", get(sites::show_one))
        .route("/cockpit/routers/{name}/live", get(sites::live_one))
        .route("/cockpit/accounts", get(accounts::list))
        .route("/cockpit/accounts/{id}", get(accounts::show).post(accounts::set_quota))
        .route("/cockpit/maintenance", get(maintenance::list).post(maintenance::plan))
        .route("/cockpit/maintenance/{id}/{act}", post(maintenance::act))
        .route("/cockpit/mail", get(mail::show))
        .route("/cockpit/mail/live", get(mail::live))
        .route("/cockpit/trail", get(trail::show))
        .route("/cockpit/assets/{version}/{name}", get(assets::serve));
    finish(pages, app, None)
}

fn finish(pages: Router<Cockpit>, app: App, guard: Option<Guard>) -> Router {
    let streams = Arc::new(Semaphore::new(STREAMS_MAX));
    let cockpit = Cockpit { app, guard, streams };
    pages
        .route("/cockpit/", get(|| async { Redirect::permanent(BASE) }))
        .route("/cockpit/{*path}", get(page::nothing_there))
        .layer(middleware::from_fn_with_state(cockpit.clone(), page::in_time))
        .layer(middleware::map_response(page::guard))
        .with_state(cockpit)
}
