//! Accounts and what each may have.

use super::super::{
    Cockpit,
    connections::{Done, Search},
    door::{Operator, Posted},
    page::{Page, Trouble, see_other},
    words::{When, quota_words, when},
};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Response,
};
use directlink_model::{command::SetQuota, ids::AccountId, quota::Quota};
use http::StatusCode;

struct Row {
    id: String,
    email: String,
    since: When,
}

#[derive(Template)]
#[template(path = "operator/accounts.html")]
struct List<'a> {
    search: &'a Search,
    rows: Vec<Row>,
}

pub(in crate::cockpit) async fn list(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Query(search): Query<Search>,
) -> Result<Response, Trouble> {
    let rows = cockpit.app.accounts().await?.into_iter().map(|account| Row {
        id: account.id.to_string(),
        email: account.email,
        since: when(account.created_at),
    });
    let rows = rows.filter(|row| search.admits(&search.state, &[&row.id, &row.email])).collect();
    Page::new("Accounts", "accounts", &List { search: &search, rows })?.show(&cockpit, &signed)
}

struct QuotaRow {
    name: &'static str,
    what: String,
    used: u32,
    limit: u32,
    full: bool,
}

#[derive(Template)]
#[template(path = "operator/account.html")]
struct Account<'a> {
    id: String,
    quotas: Vec<QuotaRow>,
    complaint: Option<String>,
    csrf: &'a str,
}

pub(in crate::cockpit) async fn show(
    State(cockpit): State<Cockpit>,
    Operator(signed): Operator,
    Path(id): Path<String>,
    Query(Done { done }): Query<Done>,
) -> Result<Response, Trouble> {
    let id: AccountId = id.parse().map_err(|_| Trouble::NothingThere)?;
    page(&cockpit, &Operator(signed), id, (done.as_deref(), None)).await
}

async fn page(
    cockpit: &Cockpit,
    Operator(signed): &Operator,
    id: AccountId,
    (done, complaint): (Option<&str>, Option<String>),
) -> Result<Response, Trouble> {
    let quotas = cockpit.app.quotas_of(id).await?.into_iter().map(|view| QuotaRow {
        name: view.quota.as_str(),
        what: quota_words(view.quota),
        used: view.used,
        limit: view.limit,
        full: view.used >= view.limit,
    });
    let status = match complaint {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let body =
        Account { id: id.to_string(), quotas: quotas.collect(), complaint, csrf: &signed.csrf };
    Page::new(format!("Account {id}"), "accounts", &body)?
        .under("/cockpit/accounts", "Accounts")
        .after(done)
        .with_status(status, cockpit, signed)
}

pub(in crate::cockpit) async fn set_quota(
    State(cockpit): State<Cockpit>,
    Path(id): Path<String>,
    Posted { who, form }: Posted<Operator>,
) -> Result<Response, Trouble> {
    let account: AccountId = id.parse().map_err(|_| Trouble::NothingThere)?;
    let quota = Quota::of_name(form.text("quota")).ok_or(Trouble::NothingThere)?;
    let limit = match form.text("limit") {
        "" => None,
        text => match text.parse::<u32>() {
            Ok(limit) => Some(limit),
            Err(_) => {
                let what = quota_words(quota);
                let text = format!(
                    "{what}: '{text}' is not a number. Empty stands for the Region's own rule."
                );
                return page(&cockpit, &who, account, (None, Some(text))).await;
            }
        },
    };
    cockpit.app.set_quota(SetQuota { account, quota, limit }).await?;
    Ok(see_other(&format!("/cockpit/accounts/{account}?done=quota")))
}
