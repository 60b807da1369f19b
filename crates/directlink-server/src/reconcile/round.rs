//! Everything planned anew: in case a mark was missed, or an earlier version of the program planned otherwise. A batch
//! at a time, so that whatever is marked meanwhile comes first, however large the Region is.

use super::plan;
use crate::{
    app::App,
    store::{Error, plans, sites},
};
use directlink_model::{connection::PortRef, ids::NetId};

/// So much is a batch: commands wait meanwhile. A port may have thousands of interfaces.
const PORTS_AT_ONCE: usize = 1;
const NETS_AT_ONCE: usize = 4;

/// What is still to be looked at.
#[derive(Default)]
pub(crate) struct Round {
    ports: Vec<PortRef>,
    nets: Vec<NetId>,
}

impl Round {
    /// Every port, and every Net that one leads to.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn begin(app: &App) -> Result<Self, Error> {
        let read = async {
            let mut db = app.parts().store.reader().await?;
            let ports = sites::ports(&mut db).await?;
            let nets = plans::carried_nets(&mut db).await?;
            let ports = ports.into_iter().map(|it| PortRef { router: it.router, port: it.name });
            Ok(Self { ports: ports.collect(), nets })
        };
        app.parts().store.in_time(read).await
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.ports.is_empty() && self.nets.is_empty()
    }

    /// Looks at the next batch. Whether any document was another.
    ///
    /// # Errors
    /// The store's; the batch is then the next again.
    pub(crate) async fn step(&mut self, app: &App) -> Result<bool, Error> {
        // From the end.
        let ports = self.ports.len().saturating_sub(PORTS_AT_ONCE);
        let nets = self.nets.len().saturating_sub(NETS_AT_ONCE);
        let work = plan(app, (self.ports.split_at(ports).1, self.nets.split_at(nets).1));
        let has_changed = app.parts().store.in_time(work).await?;
        self.ports.truncate(ports);
        self.nets.truncate(nets);
        Ok(has_changed)
    }
}

/// A whole round.
///
/// # Errors
/// The store's.
pub async fn plan_all(app: &App) -> Result<(), Error> {
    let mut round = Round::begin(app).await?;
    while !round.is_over() {
        round.step(app).await?;
    }
    Ok(())
}
