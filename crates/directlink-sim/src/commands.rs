//! What people ask a Region for, and how a server does it: by the application, as the dialects do.

use directlink_model::{
    account::Caller,
    command::{
        AllocateConnection, ApproveOrder, ChangeInterface, ConfirmInterface, CreateInterface,
        CreateLag, LinkGateway, MoveInterface, OrderConnection, RefuseOrder, SetMember,
        StartFailoverTest,
    },
    connection::Bandwidth,
    ids::{AccountId, ConnectionId, InterfaceId, LagId, MaintenanceId},
    interface::CONFIRM_WITHIN,
    maintenance::{State, Wish},
    needs::Needs,
    tag_set::TagSet,
    view::{ConnectionView, InterfaceView, LagView},
};
use directlink_net::Mtu;
use directlink_server::{
    app::{App, InterfaceFilter, Refusal},
    store,
};
use std::fmt;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Order { name: String, location: &'static str },
    Approve(ApproveOrder),
    Refuse(ConnectionId),
    Create(CreateInterface),
    Confirm(ConfirmInterface),
    ChangeMtu(InterfaceId, Mtu),
    Move(MoveInterface),
    Link(LinkGateway),
    Unlink(LinkGateway),
    DeleteInterface(InterfaceId),
    DeleteConnection(ConnectionId),
    // A share of a connection, for another account.
    Allocate(AllocateConnection),
    TakeShare(ConnectionId),
    CreateLag(CreateLag),
    Join(SetMember),
    Leave(SetMember),
    DeleteLag(LagId),
    StartTest(StartFailoverTest),
    StopTest(InterfaceId),
    // Of the operator's.
    Drain(Wish),
    EndDrain(MaintenanceId),
    Read,
}

/// What somebody read.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) connections: Vec<ConnectionView>,
    pub(crate) interfaces: Vec<InterfaceView>,
    pub(crate) lags: Vec<LagView>,
    /// Those that run.
    pub(crate) maintenances: Vec<MaintenanceId>,
}

pub(crate) enum Reply {
    Done(String),
    Seen(Seen),
    Refused(String),
    Unknown,
    /// What must never be answered.
    Wrong(String),
}

/// `account`: `None` for the operator.
pub(crate) async fn execute(app: &App, account: Option<AccountId>, command: Command) -> Reply {
    let outcome = match account {
        Some(account) => as_customer(app, account, command).await,
        None => as_operator(app, command).await,
    };
    match outcome {
        Ok(reply) => reply,
        Err(Refusal::Fault(fault)) => Reply::Refused(format!("{fault:?}")),
        Err(Refusal::Error(store::Error::Unknown)) => Reply::Unknown,
        // As the dialects have it: it changed nothing.
        Err(Refusal::Error(error)) => Reply::Refused(format!("{error:?}")),
    }
}

async fn as_operator(app: &App, command: Command) -> Result<Reply, Refusal> {
    Ok(Reply::Done(match command {
        Command::Approve(c) => {
            let view = app.approve_order(c).await?;
            let port = view.connection.approval.map(|approval| approval.port.to_string());
            port.unwrap_or_default()
        }
        Command::Refuse(connection) => {
            let refuse = RefuseOrder { connection, reason: "there is no room".into() };
            app.refuse_order(refuse).await?.connection.id.to_string()
        }
        Command::Drain(wish) => {
            app.plan_maintenance(wish, (true, false)).await?.maintenance.id.to_string()
        }
        Command::EndDrain(id) => app.end_maintenance(id).await?.maintenance.id.to_string(),
        _ => {
            let maintenances = app.maintenances().await?;
            let running = maintenances.into_iter().filter(|it| it.state == State::Running);
            return Ok(Reply::Seen(Seen {
                connections: app.all_connections(None).await?,
                interfaces: app.all_interfaces().await?,
                lags: Vec::new(),
                maintenances: running.map(|it| it.maintenance.id).collect(),
            }));
        }
    }))
}

async fn as_customer(app: &App, account: AccountId, command: Command) -> Result<Reply, Refusal> {
    let ctx = app.context(Caller { account }, false);
    Ok(Reply::Done(match command {
        Command::Order { name, location } => {
            let order = OrderConnection {
                name,
                location: location.into(),
                bandwidth: Bandwidth::OneGbps,
                lag: None,
                tags: TagSet::default(),
                needs: Needs::default(),
            };
            app.order_connection(&ctx, order).await?.connection.id.to_string()
        }
        Command::Create(c) => app.create_interface(&ctx, c).await?.interface.id.to_string(),
        Command::Confirm(c) => {
            let it = app.confirm_interface(&ctx, c).await?.interface;
            if ctx.now >= it.created_at + CONFIRM_WITHIN {
                return Ok(Reply::Wrong(format!("{} is confirmed after its seven days", it.id)));
            }
            it.id.to_string()
        }
        Command::TakeShare(id) => {
            let it = app.confirm_connection(&ctx, id).await?.connection;
            if ctx.now >= it.requested_at + CONFIRM_WITHIN {
                return Ok(Reply::Wrong(format!("{id} is confirmed after its seven days")));
            }
            id.to_string()
        }
        Command::ChangeMtu(id, mtu) => {
            let change = ChangeInterface { id, mtu: Some(mtu), name: None };
            app.change_interface(&ctx, change).await?.interface.id.to_string()
        }
        Command::Move(c) => app.move_interface(&ctx, c).await?.interface.id.to_string(),
        Command::DeleteInterface(id) => {
            app.delete_interface(&ctx, id).await?.interface.id.to_string()
        }
        Command::DeleteConnection(id) => {
            app.delete_connection(&ctx, id).await?.connection.id.to_string()
        }
        Command::Approve(_)
        | Command::Refuse(_)
        | Command::Drain(_)
        | Command::EndDrain(_)
        | Command::Read => {
            return Ok(Reply::Seen(Seen {
                connections: app.connections(&ctx, None).await?,
                interfaces: app.interfaces(&ctx, &InterfaceFilter::default()).await?,
                lags: app.lags(&ctx, None).await?,
                maintenances: Vec::new(),
            }));
        }
        other => return rarer(app, account, other).await,
    }))
}

/// What a customer asks for now and then.
async fn rarer(app: &App, account: AccountId, command: Command) -> Result<Reply, Refusal> {
    let ctx = app.context(Caller { account }, false);
    Ok(Reply::Done(match command {
        Command::Link(c) => app.link_gateway(&ctx, c).await?.gateway.id.to_string(),
        Command::Unlink(c) => app.unlink_gateway(&ctx, c).await?.gateway.id.to_string(),
        Command::Allocate(c) => app.allocate_connection(&ctx, c).await?.connection.id.to_string(),
        Command::CreateLag(c) => app.create_lag(&ctx, c).await?.lag.id.to_string(),
        Command::Join(c) => app.join_lag(&ctx, c).await?.connection.id.to_string(),
        Command::Leave(c) => app.leave_lag(&ctx, c).await?.connection.id.to_string(),
        Command::DeleteLag(id) => app.delete_lag(&ctx, id).await?.lag.id.to_string(),
        Command::StartTest(c) => app.start_failover_test(&ctx, c).await?.id.to_string(),
        Command::StopTest(id) => app.stop_failover_test(&ctx, id).await?.id.to_string(),
        _ => unreachable!("a customer's every command is done"),
    }))
}

/// A command in few words.
pub(crate) struct Short<'a>(pub(crate) &'a Command);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Command::Create(c) => write!(f, "interface '{}' {:?} {}", c.name, c.trunk, c.vlan),
            other => write!(f, "{other:?}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(what) => write!(f, "done {what}"),
            Self::Seen(seen) => {
                write!(f, "{} and {}", seen.connections.len(), seen.interfaces.len())
            }
            Self::Refused(why) => write!(f, "no: {why}"),
            Self::Unknown => f.write_str("unknown"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}
