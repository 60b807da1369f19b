//! The operator's API: JSON over HTTP with a bearer token, for the `directlink` command and the lab.
//!
//! It is apart from the customers' two APIs because nobody else defined it: no old client must be
//! pleased, so it says things in our own words. Every body is a JSON object; an unknown member is
//! refused. `Authorization: Bearer TOKEN` on every request (RFC 6750).
//!
//! | method, path under `/operator/v1` | request | answer |
//! |---|---|---|
//! | `GET /state` | | `{"region":{"name","asn"},"locations":[…],"routers":[…],"ports":[…],"connections":[…],"interfaces":[…],"nics":[…]}`: the lists below in one |
//! | `POST /accounts` | `{}` or `{"email","password"}` (either may be left out) | 201 `{"id","access_key","secret_key","login","password"}`; the two secrets are shown only here |
//! | `GET /accounts` | | `{"accounts":[{"id","login","created_at"}]}` |
//! | `GET /accounts/ID/quotas` | | `{"quotas":[{"quota":"connections","limit":10,"used":1}]}`: what the account may have, and has |
//! | `POST /accounts/ID/quotas` | `{"quota":"connections","limit":20}`, or `null`: the Region's own rule again | 200 as the `GET` |
//! | `GET /locations/PAR1` | | the location with `"capacity":[{"speed","ports","free","promised"}]`, its `rooms`, `panels` and `ports`; `orders_beyond_refused`: it has a room, so an order needs a port that is free and not promised |
//! | `POST /rooms` | `{"room":"PAR1/MMR-1","data_centre":"Telehouse 3"}`; the location's name if left out | 201 `{"room","location","name","data_centre"}` |
//! | `GET /rooms` | | `{"rooms":[…]}` |
//! | `POST /panels` | `{"panel":"PAR1/MMR-1/PP-07","positions":24,"connector":"LC"}` | 201 `{"panel","room","name","positions","connector"}` |
//! | `GET /panels` | | `{"panels":[{…,"wired":[{"position","port","connection"}]}]}` |
//! | `POST /locations` | `{"code":"PAR1","name":"Telehouse 3, France","subregion":"eu-west-2a"}` | 201, the same |
//! | `GET /locations` | | `{"locations":[{"code","name","subregion"}]}` |
//! | `POST /routers` | `{"name":"par1-r1","location":"PAR1","vtep":"10.255.0.1"}`; with `"identity":false` it is given none: it comes with a token | 201 `{"name","location","vtep","bgp_identifier","identity":{"ca_pem","cert_pem","key_pem"}}`; the private key is shown only here |
//! | `GET /routers` | | `{"routers":[{"name","location","vtep","bgp_identifier","agent":{"connected","build","last_seen_at","scopes":[{"scope","wanted_generation","acknowledged_generation","failure"}]},"certificate":{"issued_at","expires_at","token_until"}}]}` |
//! | `POST /routers/par1-r1/enrol` | `{"good_for_seconds":3600}`, an hour if left out | 200 `{"router","token","expires_at"}`: for the router's agent, once; the token is shown only here. One that it had before is worth nothing any more |
//! | `POST /routers/par1-r1/enrol/cancel` | `{}` | 200 `{}`: the token is worth nothing any more |
//! | `POST /routers/par1-r1/revoke` | `{}` | 200 `{}`: its certificates and its token are worth nothing any more, and its agent's stream is cut |
//! | `POST /routers/par1-r1/identity` | `{}` | 200 `{"ca_pem","cert_pem","key_pem"}`: a new one; the old is worth nothing any more |
//! | `GET /authorities` | | `{"authorities":[{"id","subject","expires_at","added_at","signs","routers","trusted_by","certified"}]}`: who signs certificates; routers that have an identity, and how many of them trust it and live by it |
//! | `POST /authorities` | `{}` | 201 `{"id"}`: a new one, trusted, that signs nothing yet |
//! | `POST /authorities/ID/use`, `/retire` | `{"force":false}` | 200 as the `GET`: it signs; it is trusted no more. 409 while that would leave routers behind |
//! | `POST /ports` | `{"port":"par1-r1/p0","speed":"1Gbps"}` or `"10Gbps"`; `optics`, as `"1000BASE-LX"`, and `position`, as `"PAR1/MMR-1/PP-07/12"`, where they are known | 201 `{"port","router","name","speed","optics","position","connection":null,"light":null,"transceiver":null}` |
//! | `POST /ports/par1-r1/p0/change` | `{"optics":…,"position":…}`: what is left out stays, null takes away | 200, the port |
//! | `GET /ports` | | `{"ports":[{"port","router","name","speed","optics","position","connection":"dxcon-…" or null,"light":true, false or null,"transceiver":{"optics","connector","wavelength_nm","vendor","serial","receive_millidbm","transmit_millidbm"} or null}]}` |
//! | `POST /ports/par1-r1/p0/release` | `{}` | 200, the port: free again although its router still sees light |
//! | `GET /orders` | | `{"orders":[connection…]}`: those still `requested`, oldest first, with `reach`, `provider` and `hosts_equipment` as the customer told |
//! | `GET /orders/overdue` | | `{"orders":[connection…]}`: approved, and not plugged although the letter has run out |
//! | `GET /connections` | | `{"connections":[{"id","account","name","location","bandwidth","state","requested_at","approved_at","port","light","light_since","hosted_on":"dxcon-…","vlan","refused_at","refusal","letter_until"}]}`; what is not known is null, `hosted_on` and `vlan` are of hosted ones |
//! | `POST /orders/dxcon-…/approve` | `{}` or `{"port":"par1-r1/p0"}` | 200, the connection: a port is taken, the Letter of Authorization sent |
//! | `POST /orders/dxcon-…/refuse` | `{"reason":"No room in the meet-me room before June."}` | 200, the connection, `rejected`: its customer is told why |
//! | `GET /letters` | | `{"letters":[{"connection","name","account","location","issued_at","valid_until","standing","mailed","last_mailed_at"}]}`, the newest first; `standing` is `valid`, `in use`, `run out` or `withdrawn` |
//! | `POST /letters/dxcon-…/send` | `{}` or `{"renew":true}`: a new one, good from now on | 200, the connection: the letter is mailed once more |
//! | `GET /cross-connects` | | `{"cross_connects":[{"connection","name","account","location","position","port","state","ordered_at","patched_at","patched_by","unpatched_at","unpatched_by"}]}`, the newest first; `state` is `awaited`, `patched` or `removed` |
//! | `POST /cross-connects/dxcon-…/patch`, `/unpatch` | `{"by":"Ann, ticket 4711"}`, `at` if not now | 200, the cross-connect |
//! | `GET /interfaces` | | `{"interfaces":[{"id","connection","owner","name","vlan","asn","mtu","state","gateway","router_address","customer_address","configured","session_up","forwarding"}]}` |
//! | `GET /connections/dxcon-…/diagnosis` | | `{"diagnosis":{"connection","at","first_failed","rungs":[…],"interfaces":[{"interface","vlan","state","first_failed"}]}}`: the fibre's rungs, and each interface's first failed one |
//! | `GET /interfaces/dxvif-…/diagnosis` | | `{"diagnosis":{"interface","at","customer_address","first_failed":rung or null,"rungs":[{"step","title","outcome","evidence","seen_at","remedy"}]}}`; `outcome` is `passed`, `failed` or `not reached` |
//! | `GET /interfaces/dxvif-…/glass` | | `{"glass":{…}}` as its router has it now: session, timers, both sides' capabilities, what was received with each verdict and the rule that chose the best path, what is advertised, the kernel's rows (directlink-model, `glass::Shown`) |
//! | `POST /interfaces/dxvif-…/ping` | `{"target":"192.168.1.1","count":5,"bytes":84}`, all of which may be left out | 200 `{"ping":{"at","source","target","bytes","echoes":[{"sequence","from","micros","reply"}]}}` |
//! | `POST /interfaces/dxvif-…/trace` | `{"target","hops":16}` | 200 `{"trace":{"at","source","target","hops":[{"ttl","probes":[…]}]}}` |
//! | `POST /interfaces/dxvif-…/capture` | `{"seconds":10,"frames":1000,"bytes":1048576,"snap":1600,"which":"all"}`, `"router"` or `"dropped"` | 200 `{"capture":{"at","frames","bytes","lost","ended"},"pcap_ng":"…"}`, base64 |
//! | `GET /nics` | | `{"nics":[{"id","account","net","vni","net_range","subnet","subnet_range","gateway_address","address","mac","vtep","ipv6_subnet_range","ipv6_gateway_address","ipv6_address"}]}` |
//! | `POST /nics/eni-…/place` | `{"vtep":"10.255.0.9"}`, or `null`: nowhere | 200, the NIC |
//! | `POST /maintenances` | `{"target":{"kind":"router","name":"par1-r1"},"reason":"…"}`: drained now; `from` and `until` for a window; `at_most_seconds` (60) until it is withdrawn; `force` although a Net goes dark, `dry_run` to see which | 201 `{"id","target","state","reason","from","until","interfaces":[{"id","owner","phase",…}],"effect":[{"net","dark","prefixes_lost","interfaces_left"}]}`; `phase` is `moving`, `withdrawn`, `drained`, `returning` or null |
//! | `GET /maintenances`, `GET /maintenances/dxmaint-…` | | `{"maintenances":[…]}`, the latest first; one |
//! | `POST /maintenances/dxmaint-…/end`, `/cancel`, `/move` | `{}`, `{}`, `{"from","until"}` | 200, the maintenance |
//! | `POST /what-if` | `{"change":"gone","kind":"location","name":"PAR1"}`; `nothing`; `order` with `location`; `interface` with `connection` and `net`; `add rule`, `remove rule` with `group`, `protocol`, `from_port`, `to_port`, `range` | 200 `{"effects":[{"net","account","reached_before","reached_after","routes","reach","depends_on"}]}`, the last three `{"gained","lost","kept"}`: it changes nothing |
//! | `POST /accounts/ID/webhooks` | `{"url":"https://hooks.example/…"}` | 201 `{"id":"whk-…","account","url","created_at","secret"}`; the secret is shown only here |
//! | `GET /webhooks`, `GET /accounts/ID/webhooks` | | `{"webhooks":[{"id","account","url","created_at"}]}` |
//! | `GET /webhooks/whk-…/messages` | | `{"messages":[{"id","kind","subject","at","attempts","next_try_at","failure","sent_at","dropped_at"}]}`, the newest first |
//! | `POST /webhooks/whk-…/remove` | `{}` | 200 `{}`: it is told nothing more |
//! | `GET /audit?since=…&until=…&account=…&resource=…` | | `{"audit":[{"at","actor","address","door","act","status","result","resource","what","why"}],"next"}`, the oldest first: what was done, and requests that were refused; `next`: what to ask for then, or null |
//! | `GET /mail` | | `{"mail":[{"id","kind","subject","account","email","at","created_at","attempts","next_try_at","failure","sent_at","dropped_at"}]}`, the newest first |
//! | `GET /clock` | | `{"now":"2026-01-01T00:00:00Z","virtual":false}` |
//! | `POST /clock/advance` | `{"seconds":604800}` | 200 as `GET /clock`; 409 `clock_is_real` otherwise |
//!
//! A refusal is `{"error":{"code":"port_taken","message":"The port … is already taken."}}`: 400 what
//! was asked is not well formed, 401 the token, 404 no such thing, 405 method, 409 in conflict with
//! what is there, 500 our failure.

mod audit;
mod certificates;
mod glass;
mod maintenance;
mod refusal;
#[cfg(test)]
mod tests;
mod webhooks;
mod wire;

use super::Incoming;
use crate::app::{AddAccount, App};
use axum::response::{IntoResponse, Response};
use directlink_model::{
    Fault,
    command::{
        AddLocation, AddPanel, AddPort, AddRoom, AddRouter, ApproveOrder, ChangePort, PlaceNic,
        RecordPatch, RefuseOrder, SetQuota,
    },
    connection::{ConnectionState, PortRef},
    ids::{AccountId, ConnectionId, LocationCode, NicId},
    inventory::RoomRef,
    quota::Quota,
    view::ConnectionView,
};
use http::{Method, StatusCode, header};
use jiff::SignedDuration;
use refusal::Failure;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{error::Error, fmt::Display, str::FromStr};

type Outcome = Result<(StatusCode, Value), Failure>;

pub(super) async fn answer(app: &App, incoming: &Incoming) -> Response {
    let (status, value) = match run(app, incoming).await {
        Ok(answer) => answer,
        Err(failure) => encode_failure(&failure, incoming),
    };
    let json = (header::CONTENT_TYPE, "application/json");
    (status, [json], value.to_string()).into_response()
}

fn encode_failure(failure: &Failure, incoming: &Incoming) -> (StatusCode, Value) {
    let request_id = incoming.id;
    if let Failure::World(error) = failure {
        let cause = error.source().map(ToString::to_string);
        tracing::error!(%request_id, %error, cause, "a call of the operator failed");
    }
    let (status, code, message) = failure.parts();
    (status, json!({ "error": { "code": code, "message": message } }))
}

async fn run(app: &App, incoming: &Incoming) -> Outcome {
    check_token(app, incoming)?;
    let path = incoming.uri.path().strip_prefix("/operator/v1/").unwrap_or_default();
    let words: Vec<_> = path.trim_end_matches('/').split('/').collect();
    match incoming.method {
        Method::GET if words == ["audit"] => {
            let query = incoming.uri.query().unwrap_or_default();
            Ok((StatusCode::OK, app.parts().store.read_in_time(audit::page(app, query)).await??))
        }
        Method::GET => {
            Ok((StatusCode::OK, app.parts().store.read_in_time(read(app, &words)).await??))
        }
        Method::POST => write(app, &words, incoming).await,
        _ => Err(Failure::Method),
    }
}

fn check_token(app: &App, incoming: &Incoming) -> Result<(), Failure> {
    let token = incoming.header("authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match token.is_some_and(|token| app.is_operator_token(token)) {
        true => Ok(()),
        false => Err(Failure::Token),
    }
}

async fn read(app: &App, words: &[&str]) -> Result<Value, Failure> {
    Ok(match words {
        ["state"] => state(app).await?,
        ["accounts"] => json!({ "accounts": accounts(app).await? }),
        ["accounts", id, "quotas"] => quotas(app, word(id)?).await?,
        ["locations"] => json!({ "locations": locations(app).await? }),
        ["locations", code] => location(app, word(code)?).await?,
        ["rooms"] => json!({ "rooms": rooms(app, |_| true).await? }),
        ["panels"] => json!({ "panels": panels(app, |_| true).await? }),
        ["cross-connects"] => {
            let views = app.cross_connects().await?;
            json!({ "cross_connects": views.iter().map(wire::cross_connect).collect::<Vec<_>>() })
        }
        ["letters"] => {
            json!({ "letters": app.letters().await?.iter().map(wire::letter).collect::<Vec<_>>() })
        }
        ["routers"] => json!({ "routers": routers(app).await? }),
        ["authorities"] => certificates::authorities(app).await?,
        ["ports"] => json!({ "ports": ports(app).await? }),
        ["orders"] => json!({ "orders": orders(app).await? }),
        ["orders", "overdue"] => {
            let views = app.overdue_orders().await?;
            json!({ "orders": views.iter().map(wire::connection).collect::<Vec<_>>() })
        }
        ["connections"] => json!({ "connections": connections(app, |_| true).await? }),
        ["connections", id, "diagnosis"] => {
            let told = app.any_connection_diagnosis(word(id)?).await?;
            json!({ "diagnosis": wire::connection_diagnosis(&told) })
        }
        ["interfaces"] => json!({ "interfaces": interfaces(app).await? }),
        ["interfaces", id, "diagnosis"] => {
            json!({ "diagnosis": wire::diagnosis(&app.any_diagnosis(word(id)?).await?) })
        }
        ["interfaces", id, "glass"] => glass::show(app, word(id)?).await?,
        ["nics"] => json!({ "nics": nics(app).await? }),
        ["maintenances"] => maintenance::list(app).await?,
        ["maintenances", id] => maintenance::one(app, word(id)?).await?,
        ["mail"] => {
            json!({ "mail": app.mails().await?.iter().map(wire::mail).collect::<Vec<_>>() })
        }
        ["webhooks"] => webhooks::list(app, None).await?,
        ["accounts", id, "webhooks"] => webhooks::list(app, Some(word(id)?)).await?,
        ["webhooks", id, "messages"] => webhooks::messages(app, id).await?,
        ["clock"] => clock(app),
        _ => return Err(Failure::NoSuchAddress),
    })
}

async fn state(app: &App) -> Result<Value, Failure> {
    Ok(json!({
        "region": wire::region(app.region()),
        "locations": locations(app).await?,
        "routers": routers(app).await?,
        "ports": ports(app).await?,
        "connections": connections(app, |_| true).await?,
        "interfaces": interfaces(app).await?,
        "nics": nics(app).await?,
    }))
}

async fn accounts(app: &App) -> Result<Vec<Value>, Failure> {
    Ok(app.accounts().await?.iter().map(wire::account).collect())
}

async fn quotas(app: &App, account: AccountId) -> Result<Value, Failure> {
    let quotas = app.quotas_of(account).await?;
    Ok(json!({ "quotas": quotas.iter().map(wire::quota).collect::<Vec<_>>() }))
}

async fn locations(app: &App) -> Result<Vec<Value>, Failure> {
    Ok(app.locations().await?.iter().map(wire::location).collect())
}

async fn orders(app: &App) -> Result<Vec<Value>, Failure> {
    let (views, needs) = (app.all_connections(None).await?, app.needs_of_orders().await?);
    let waiting = views.iter().filter(|view| view.state == ConnectionState::Requested);
    Ok(waiting.map(|view| wire::order(view, needs.get(&view.connection.id))).collect())
}

async fn rooms(app: &App, wanted: impl Fn(&RoomRef) -> bool) -> Result<Vec<Value>, Failure> {
    let views = app.rooms().await?;
    Ok(views.iter().filter(|v| wanted(&v.room.at)).map(|v| wire::room(&v.room)).collect())
}

async fn panels(app: &App, wanted: impl Fn(&RoomRef) -> bool) -> Result<Vec<Value>, Failure> {
    let views = app.rooms().await?;
    let wanted = views.iter().filter(|view| wanted(&view.room.at));
    Ok(wanted.flat_map(|view| &view.panels).map(wire::panel_view).collect())
}

/// One location with all that is in it.
async fn location(app: &App, code: LocationCode) -> Result<Value, Failure> {
    let found = app.capacity().await?.into_iter().find(|view| view.location.code == code);
    let view = found.ok_or_else(|| Fault::NoSuchLocation(code.to_string()))?;
    let here = |room: &RoomRef| room.location == code;
    let routers = app.routers().await?;
    let ports = routers.iter().filter(|view| view.router.location == code).flat_map(|r| &r.ports);
    let mut value = wire::capacity(&view);
    value["rooms"] = rooms(app, here).await?.into();
    value["panels"] = panels(app, here).await?.into();
    value["ports"] = ports.map(wire::port).collect();
    Ok(value)
}

async fn routers(app: &App) -> Result<Vec<Value>, Failure> {
    Ok(app.routers().await?.iter().map(wire::router_with_agent).collect())
}

async fn ports(app: &App) -> Result<Vec<Value>, Failure> {
    Ok(app.routers().await?.iter().flat_map(|r| &r.ports).map(wire::port).collect())
}

async fn connections(
    app: &App,
    wanted: fn(&ConnectionView) -> bool,
) -> Result<Vec<Value>, Failure> {
    let views = app.all_connections(None).await?;
    Ok(views.iter().filter(|view| wanted(view)).map(wire::connection).collect())
}

async fn interfaces(app: &App) -> Result<Vec<Value>, Failure> {
    Ok(app.all_interfaces().await?.iter().map(wire::interface).collect())
}

async fn nics(app: &App) -> Result<Vec<Value>, Failure> {
    let ipv6 = app.region().ipv6;
    Ok(app.all_nics().await?.iter().map(|placed| wire::nic(placed, ipv6)).collect())
}

fn clock(app: &App) -> Value {
    json!({ "now": app.now(), "virtual": app.has_virtual_clock() })
}

async fn write(app: &App, words: &[&str], incoming: &Incoming) -> Outcome {
    match words {
        ["accounts"] => add_account(app, body(incoming)?).await,
        ["locations"] => {
            let wire::NewLocation { code, name, subregion } = body(incoming)?;
            let location = app.add_location(AddLocation { code, name, subregion }).await?;
            Ok((StatusCode::CREATED, wire::location(&location)))
        }
        ["routers"] => {
            let wire::NewRouter { name, location, vtep, identity } = body(incoming)?;
            let add = AddRouter { name, location, vtep };
            let made = match identity.unwrap_or(true) {
                true => wire::new_router(&app.add_router(add).await?),
                false => wire::router(&app.add_router_to_enrol(add).await?),
            };
            Ok((StatusCode::CREATED, made))
        }
        ["authorities", what @ ..] => certificates::change_authority(app, what, incoming).await,
        ["routers", router, what @ ..] => {
            certificates::write(app, &word(router)?, what, incoming).await
        }
        ["ports"] => {
            let wire::NewPort { port, speed, optics, position } = body(incoming)?;
            let speed = speed.parse().map_err(|()| Failure::form("speed is 1Gbps or 10Gbps"))?;
            let (optics, position) = (maybe(optics)?, maybe(position)?);
            let port = AddPort { port: port_ref(&port)?, speed, optics, position };
            Ok((StatusCode::CREATED, wire::new_port(&app.add_port(port).await?)))
        }
        ["ports", router, port, what] => {
            change_port(app, port_ref(&format!("{router}/{port}"))?, what, incoming).await
        }
        ["rooms"] | ["panels"] | ["cross-connects", _, _] | ["letters", _, "send"] => {
            write_inventory(app, words, incoming).await
        }
        ["accounts", id, "quotas"] => {
            let (account, wire::NewQuota { quota, limit }) = (word(id)?, body(incoming)?);
            let quota = Quota::of_name(&quota)
                .ok_or_else(|| Failure::form(format!("'{quota}' is not a quota")))?;
            app.set_quota(SetQuota { account, quota, limit }).await?;
            Ok((StatusCode::OK, quotas(app, account).await?))
        }
        ["orders", id, "approve"] => {
            let wire::Approval { port } = body(incoming)?;
            let port = port.as_deref().map(port_ref).transpose()?;
            let command = ApproveOrder { connection: word::<ConnectionId>(id)?, port };
            Ok((StatusCode::OK, wire::connection(&app.approve_order(command).await?)))
        }
        ["orders", id, "refuse"] => {
            let wire::Refusal { reason } = body(incoming)?;
            let command = RefuseOrder { connection: word::<ConnectionId>(id)?, reason };
            Ok((StatusCode::OK, wire::connection(&app.refuse_order(command).await?)))
        }
        ["interfaces", id, what] => glass::ask(app, word(id)?, what, incoming).await,
        ["what-if"] => {
            let asked: super::what_if::Asked = body(incoming)?;
            let effects = app.what_if(None, asked.hypothesis()?).await?;
            Ok((StatusCode::OK, json!({ "effects": super::what_if::effects(&effects) })))
        }
        ["maintenances"] => maintenance::plan(app, incoming).await,
        ["maintenances", id, act] => maintenance::change(app, id, act, incoming).await,
        ["accounts", id, "webhooks"] => webhooks::add(app, id, incoming).await,
        ["webhooks", id, "remove"] => webhooks::remove(app, id, incoming).await,
        ["nics", id, "place"] => place_nic(app, word(id)?, body(incoming)?).await,
        ["clock", "advance"] => advance_clock(app, body(incoming)?).await,
        _ => Err(Failure::NoSuchAddress),
    }
}

async fn advance_clock(app: &App, wire::Advance { seconds }: wire::Advance) -> Outcome {
    if !app.has_virtual_clock() {
        return Err(Failure::ClockIsReal);
    }
    app.advance_clock(SignedDuration::from_secs(seconds)).await?;
    Ok((StatusCode::OK, clock(app)))
}

async fn change_port(app: &App, port: PortRef, what: &str, incoming: &Incoming) -> Outcome {
    match what {
        "release" => {
            let wire::Nothing {} = body(incoming)?;
            Ok((StatusCode::OK, wire::port(&app.release_port(port).await?)))
        }
        "change" => {
            let wire::PortChange { optics, position } = body(incoming)?;
            let optics = optics.map(maybe).transpose()?;
            let position = position.map(maybe).transpose()?;
            app.change_port(ChangePort { port: port.clone(), optics, position }).await?;
            let routers = app.routers().await?;
            let mut ports = routers.iter().flat_map(|view| &view.ports);
            let view = ports.find(|view| view.port.at() == port).ok_or(Failure::NoSuchAddress)?;
            Ok((StatusCode::OK, wire::port(view)))
        }
        _ => Err(Failure::NoSuchAddress),
    }
}

async fn write_inventory(app: &App, words: &[&str], incoming: &Incoming) -> Outcome {
    match words {
        ["rooms"] => {
            let wire::NewRoom { room, data_centre } = body(incoming)?;
            let room = app.add_room(AddRoom { at: word(&room)?, data_centre }).await?;
            Ok((StatusCode::CREATED, wire::room(&room)))
        }
        ["panels"] => {
            let wire::NewPanel { panel, positions, connector } = body(incoming)?;
            let connector = maybe(connector)?.unwrap_or_default();
            let panel = AddPanel { at: word(&panel)?, positions, connector };
            Ok((StatusCode::CREATED, wire::panel(&app.add_panel(panel).await?)))
        }
        ["cross-connects", id, act] => {
            let (connection, wire::Patch { by, at }) = (word(id)?, body(incoming)?);
            let record = RecordPatch { connection, by, at };
            let view = match *act {
                "patch" => app.patch(record).await?,
                "unpatch" => app.unpatch(record).await?,
                _ => return Err(Failure::NoSuchAddress),
            };
            Ok((StatusCode::OK, wire::cross_connect(&view)))
        }
        ["letters", id, "send"] => {
            let wire::SendLetter { renew } = body(incoming)?;
            let view = app.send_letter(word::<ConnectionId>(id)?, renew).await?;
            Ok((StatusCode::OK, wire::connection(&view)))
        }
        _ => Err(Failure::NoSuchAddress),
    }
}

async fn add_account(app: &App, wanted: wire::NewAccount) -> Outcome {
    let wire::NewAccount { email, password } = wanted;
    let made = app.add_account(AddAccount { email, password: password.map(Into::into) }).await?;
    Ok((StatusCode::CREATED, wire::new_account(&made)))
}

async fn place_nic(app: &App, nic: NicId, place: wire::Place) -> Outcome {
    app.place_nic(PlaceNic { nic, vtep: place.vtep }).await?;
    let all = app.all_nics().await?;
    let placed = all.iter().find(|placed| placed.nic.id == nic);
    Ok((
        StatusCode::OK,
        placed.map(|placed| wire::nic(placed, app.region().ipv6)).ok_or(Failure::NoSuchAddress)?,
    ))
}

/// An empty body is an empty object.
fn body<T: DeserializeOwned>(incoming: &Incoming) -> Result<T, Failure> {
    let bytes: &[u8] = match incoming.body.trim_ascii() {
        b"" => b"{}",
        bytes => bytes,
    };
    serde_json::from_slice(bytes).map_err(|error| Failure::form(error.to_string()))
}

/// One word of the address.
fn word<T: FromStr<Err: Display>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error: T::Err| Failure::form(error.to_string()))
}

/// One that may be left out.
fn maybe<T: FromStr<Err: Display>>(text: Option<String>) -> Result<Option<T>, Failure> {
    text.as_deref().map(word).transpose()
}

/// `par1-r1/p0`.
fn port_ref(text: &str) -> Result<PortRef, Failure> {
    let form =
        || Failure::form(format!("'{text}' is not a port: write ROUTER/PORT, as in par1-r1/p0"));
    let (router, port) = text.split_once('/').ok_or_else(form)?;
    Ok(PortRef { router: word(router)?, port: word(port)? })
}
