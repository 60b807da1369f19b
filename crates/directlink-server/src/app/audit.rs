//! The audit trail as it is exported: every event, and every request for a change that was refused.

use super::{App, Refusal};
pub use crate::store::audit::Line;
use crate::store::audit::{self, Kind};
use directlink_model::ids::AccountId;
use jiff::Timestamp;

/// Which lines are wanted.
#[derive(Clone, Debug)]
pub struct AuditWanted {
    pub since: Timestamp,
    pub until: Timestamp,
    /// Behind these lines of `since`: an event, a request.
    pub after: [String; 2],
    pub account: Option<AccountId>,
    /// The id of a connection, an interface, an account …
    pub resource: Option<String>,
}

/// Lines in order of time, and from where the next are.
#[derive(Debug)]
pub struct AuditPage {
    pub lines: Vec<Line>,
    /// `None`: there is nothing more.
    pub next: Option<(Timestamp, [String; 2])>,
}

const PAGE: usize = 1000;

impl App {
    pub async fn audit(&self, wanted: &AuditWanted) -> Result<AuditPage, Refusal> {
        self.audit_by(wanted, PAGE).await
    }

    /// So many lines of each kind at once.
    pub(crate) async fn audit_by(
        &self,
        wanted: &AuditWanted,
        page: usize,
    ) -> Result<AuditPage, Refusal> {
        // Whoever asks reads what was answered before.
        self.write_api_logs().await?;
        let mut db = self.store().snapshot().await?;
        let AuditWanted { since, until, after: [event, request], .. } = wanted;
        let done = audit::lines(&mut db, Kind::Done, (*since, event), *until, page).await?;
        let refused = audit::lines(&mut db, Kind::Refused, (*since, request), *until, page).await?;
        // Where one kind ends early, the other's later lines wait for it.
        let end = [&done, &refused]
            .into_iter()
            .filter(|lines| lines.len() == page)
            .filter_map(|lines| lines.last())
            .map(|line| line.at)
            .min();
        let within = |line: &Line| end.is_none_or(|end| line.at <= end);
        let last = |lines: &[Line], was: &str| {
            let of_end = lines.iter().rfind(|line| Some(line.at) == end);
            of_end.map_or_else(
                || if end == Some(*since) { was.to_owned() } else { String::new() },
                |line| line.id.clone(),
            )
        };
        let next = end.map(|end| (end, [last(&done, event), last(&refused, request)]));
        let mut lines: Vec<_> = done.into_iter().chain(refused).filter(within).collect();
        lines.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        lines.retain(|line| wanted.admits(line));
        Ok(AuditPage { lines, next })
    }
}

impl AuditWanted {
    fn admits(&self, line: &Line) -> bool {
        let is = |field: &Option<String>, text: &str| field.as_deref() == Some(text);
        let of_account = self.account.is_none_or(|account| {
            let account = account.to_string();
            is(&line.actor, &account) || is(&line.subject, &account)
        });
        let of_resource = self.resource.as_deref().is_none_or(|resource| {
            let named = line.act.as_deref().is_some_and(|act| act.contains(resource));
            is(&line.subject, resource) || named
        });
        of_account && of_resource
    }
}
