//! The Region that every run begins with: two locations, three routers, two accounts with Nets. Made once.

use directlink_model::{
    account::Caller,
    command::{AddLocation, AddPort, AddRouter, CreateNet, LinkGateway},
    connection::{Bandwidth, PortRef},
    ids::{AccountId, GatewayId, NetId, PortName, RouterName},
    location::Region,
};
use directlink_net::RegionAsn;
use directlink_server::{
    app::{AddAccount, ApiLogs, App, Figures, Parts},
    ca::{Authorities, Authority},
    chance::Chance,
    clock::Clock,
    config::{Links, Rules},
    reconcile::Agents,
    store::{Address, Store},
};
use jiff::{SignedDuration, Timestamp};
use std::{error::Error, net::Ipv4Addr, path::Path};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

/// A run's time begins here.
pub(crate) const START: Timestamp = Timestamp::constant(1_767_225_600, 0);
pub(crate) const LOCATIONS: [&str; 2] = ["PAR1", "PAR4"];
const ROUTERS: [(&str, usize); 3] = [("par1-r1", 0), ("par1-r2", 0), ("par4-r1", 1)];
const PORTS: usize = 3;
const NETS: usize = 3;

pub struct Template {
    dir: TempDir,
    pub(crate) accounts: Vec<Account>,
    pub(crate) routers: Vec<Place>,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) gateways: Vec<(GatewayId, NetId)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: RouterName,
    pub(crate) vtep: Ipv4Addr,
    pub(crate) ports: Vec<PortName>,
}

impl Template {
    /// # Errors
    /// The disk refused.
    pub async fn new() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let dir = folder()?;
        let store = Store::open(&Address::Sqlite(dir.path().join("region.db"))).await?;
        let app = app(store.clone(), (Clock::stopped_at(START), Chance::from_seed(0)))?;
        for (n, code) in LOCATIONS.into_iter().enumerate() {
            let location = AddLocation {
                code: code.parse()?,
                name: "A site, France".into(),
                subregion: format!("eu-west-2{}", ["a", "b"][n]).parse()?,
            };
            app.add_location(location).await?;
        }
        let mut routers = Vec::new();
        for (n, (name, location)) in (1u8..).zip(ROUTERS) {
            let (name, vtep) = (name.parse::<RouterName>()?, Ipv4Addr::new(10, 255, 0, n));
            let location = LOCATIONS[location].parse()?;
            app.add_router(AddRouter { name: name.clone(), location, vtep }).await?;
            let mut ports = Vec::new();
            for port in 0..PORTS {
                let port = PortRef { router: name.clone(), port: format!("p{port}").parse()? };
                ports.push(port.port.clone());
                let speed = Bandwidth::OneGbps;
                app.add_port(AddPort { port, speed, optics: None, position: None }).await?;
            }
            routers.push(Place { name, vtep, ports });
        }
        let mut accounts = Vec::new();
        for _ in 0..2 {
            let account = app.add_account(AddAccount::default()).await?.account.id;
            let ctx = app.context(Caller { account }, false);
            let mut gateways = Vec::new();
            for n in 0..NETS {
                let range = format!("10.{n}.0.0/16").parse()?;
                let net = app.create_net(&ctx, CreateNet { range }).await?.id;
                let gateway = app.create_gateway(&ctx).await?.gateway.id;
                app.link_gateway(&ctx, LinkGateway { gateway, net }).await?;
                gateways.push((gateway, net));
            }
            accounts.push(Account { id: account, gateways });
        }
        store.close().await;
        Ok(Self { dir, accounts, routers })
    }

    /// A Region of one's own, as it began.
    pub(crate) fn copy(&self) -> std::io::Result<TempDir> {
        let dir = folder()?;
        std::fs::copy(self.dir.path().join("region.db"), dir.path().join("region.db"))?;
        Ok(dir)
    }
}

/// In memory where the machine has a file system for that: a simulated crash loses no page.
fn folder() -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    let named = builder.prefix("directlink-sim-");
    if memory.is_dir() { named.tempdir_in(memory) } else { named.tempdir() }
}

/// A server on that store.
pub(crate) fn app(
    store: Store,
    (clock, chance): (Clock, Chance),
) -> Result<App, Box<dyn Error + Send + Sync>> {
    let ever = SignedDuration::from_hours(100_000);
    Ok(App::new(Parts {
        region: Region {
            name: "eu-west-2".parse()?,
            asn: RegionAsn(50624u32.try_into()?),
            ipv6: None,
        },
        // What is gone stays readable, so that whoever checks finds it.
        rules: Rules { keep_deleted: ever, keep_lapsed: ever, ..Rules::default() },
        clock,
        chance,
        store,
        authorities: Authorities::of(Authority::make(Timestamp::UNIX_EPOCH)?),
        links: Links::to("https://directlink.example"),
        operator_token: "token".into(),
        agents: Agents::default(),
        api_logs: ApiLogs::default(),
        figures: Figures::default(),
        wake: Notify::new(),
        wake_mail: Notify::new(),
        drain: watch::Sender::new(false),
        stop: watch::Sender::new(false),
    }))
}
