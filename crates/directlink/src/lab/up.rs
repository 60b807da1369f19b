//! Bringing a lab up, from nothing or from what was left running.
//!
//! ```text
//! server process ──────────► its operator API answers ─► locations, routers, ports, accounts
//! namespaces, links (meanwhile)                              │ identities
//! light keeper                                               ▼
//!                                             an agent per router ─► connected ─► lab.json
//! ```
//!
//! lab.json is written last: where it is missing, a lab was killed half-made, and is taken down
//! before a new one is made.

use super::{
    inventory,
    record::{
        Account, Described, Lab, Listen, OperatorAccess, RouterRecord, Running, write_secret,
    },
    region::{IPV6, Site, region, sites},
};
use crate::{
    client::{Operator, RefusedToOperator},
    clock,
};
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use directlink_lab::{
    LabName, RouterSeat, fabric,
    process::{self, Process},
    teardown,
};
use directlink_model::ids::{PortName, RegionName, RouterName};
use directlink_net::Asn;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    ffi::{OsStr, OsString},
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

const READY_LIMIT: Duration = Duration::from_secs(30);
pub(super) const SERVER: &str = "server";
const LIGHT: &str = "light";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// The machine's.
    Real,
    /// Moves on by itself, and at the operator's word (`directlink clock advance`).
    Virtual,
}

/// What is asked of a new lab.
pub struct Wish {
    pub region: RegionName,
    pub asn: Option<Asn>,
    pub clock: ClockKind,
    /// At each location.
    pub routers: usize,
    /// On each router.
    pub ports: usize,
    /// Whether its physical inventory is kept.
    pub inventory: bool,
}

/// A lab that is ready. One that is there already stays as it is; what has died of it is started.
pub async fn up(dir: &Path, wish: &Wish) -> Result<Lab> {
    let name = LabName::of(dir)?;
    match Lab::read(&name)? {
        Some(lab) => again(lab, wish).await,
        None => {
            if teardown::is_there(&name)? {
                teardown::take_down(&name)?;
            }
            teardown::claim(&name)?;
            new(&name, wish).await
        }
    }
}

async fn again(lab: Lab, wish: &Wish) -> Result<Lab> {
    if lab.described.region != wish.region || lab.running.clock != wish.clock {
        bail!(
            "there is a lab in {} already, of another Region or clock: take it down first",
            lab.name
        );
    }
    let parts = Parts { lab: &lab.name, running: &lab.running, region: &lab.described.region };
    let server = parts.ensure(SERVER, Parts::start_server)?;
    parts.ensure(LIGHT, Parts::start_light)?;
    let operator = lab.operator();
    parts.await_operator(&operator, &server).await?;
    let mut agents = Vec::new();
    for router in &lab.described.routers {
        agents.push(parts.ensure(&agent_name(&router.name), |p| p.start_agent(&router.name))?);
    }
    parts.await_agents(&operator, &agents).await?;
    Ok(lab)
}

async fn new(name: &LabName, wish: &Wish) -> Result<Lab> {
    let region = region(&wish.region, wish.asn)?;
    let sites = sites(&wish.region)?;
    let running = Running {
        clock: wish.clock,
        asn: region.asn.0.as_u32(),
        listen: listen(name).context("TCP ports for the server")?,
    };
    let token = token()?;
    write_secret(&token_path(name), token.as_bytes())?;
    let parts = Parts { lab: name, running: &running, region: &wish.region };
    let server = parts.start_server()?;

    let routers = routers(name, &sites, wish)?;
    let seats: Vec<_> = routers
        .iter()
        .enumerate()
        .map(|(number, r)| RouterSeat { number, name: r.name.clone(), ports: r.ports.clone() })
        .collect();
    fabric::build(name, &seats)?;
    parts.start_light()?;

    let at = running.listen.operator;
    let url = format!("http://{at}/operator/v1");
    let access = OperatorAccess { token, url, cockpit: format!("http://{at}/cockpit") };
    let operator = Operator::new(&access.url, &access.token);
    parts.await_operator(&operator, &server).await?;
    for site in &sites {
        let Site { code, name, subregion } = site;
        let site = json!({ "code": code, "name": name, "subregion": subregion });
        operator.add("locations", &site).await?;
    }
    let mut agents = Vec::new();
    for (number, router) in routers.iter().enumerate() {
        add_router(name, &operator, number, router).await?;
        agents.push(parts.start_agent(&router.name)?);
    }
    if wish.inventory {
        inventory::fill(&operator, &sites, &routers).await?;
    }
    let accounts = vec![account(&operator).await?, account(&operator).await?];
    parts.await_agents(&operator, &agents).await?;

    let lab = Lab {
        name: name.clone(),
        described: described(&running, wish, access, accounts, routers),
        running,
    };
    lab.write()?;
    Ok(lab)
}

fn described(
    running: &Running,
    wish: &Wish,
    operator: OperatorAccess,
    accounts: Vec<Account>,
    routers: Vec<RouterRecord>,
) -> Described {
    let Listen { api, aws, operator: operator_address, .. } = running.listen;
    Described {
        api: format!("http://{api}/api/v1"),
        aws: format!("http://{aws}"),
        cockpit: format!("http://{api}/cockpit"),
        metrics: format!("http://{operator_address}/metrics"),
        region: wish.region.clone(),
        accounts,
        operator,
        routers,
    }
}

fn routers(lab: &LabName, sites: &[Site], wish: &Wish) -> Result<Vec<RouterRecord>> {
    let mut routers = Vec::new();
    for site in sites {
        for n in 1..=wish.routers {
            let name: RouterName = format!("{}-r{n}", site.code.as_str().to_lowercase()).parse()?;
            let ports: Vec<PortName> =
                (0..wish.ports).map(|port| format!("p{port}").parse()).collect::<Result<_, _>>()?;
            let netns = lab.router(&name);
            routers.push(RouterRecord { name, netns, location: site.code.clone(), ports });
        }
    }
    Ok(routers)
}

/// The last port of each router is for 10 Gb/s, where there are several.
fn speed(port: usize, ports: usize) -> &'static str {
    if ports > 1 && port + 1 == ports { "10Gbps" } else { "1Gbps" }
}

async fn add_router(
    lab: &LabName,
    operator: &Operator,
    number: usize,
    router: &RouterRecord,
) -> Result<()> {
    let vtep = fabric::router_vtep(number);
    let described = json!({
        "name": router.name, "location": router.location, "vtep": vtep, "identity": false,
    });
    operator.add("routers", &described).await?;
    let token = operator.add(&format!("routers/{}/enrol", router.name), &json!({})).await?;
    let identity = agent_dir(lab, &router.name).join("identity");
    fs::create_dir_all(&identity).with_context(|| identity.display().to_string())?;
    keep_token(&identity.join("enrol-token"), &token)?;
    for (n, port) in router.ports.iter().enumerate() {
        let port = format!("{}/{port}", router.name);
        let described = json!({ "port": port, "speed": speed(n, router.ports.len()) });
        operator.add("ports", &described).await?;
    }
    Ok(())
}

/// What an agent proves itself with: three PEM files.
pub fn keep_identity(dir: &Path, identity: &Value) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    for name in ["ca", "cert", "key"] {
        let member = format!("{name}_pem");
        let pem =
            identity[&member].as_str().with_context(|| format!("the answer lacks {member}"))?;
        write_secret(&dir.join(format!("{name}.pem")), pem.as_bytes())?;
    }
    Ok(())
}

/// By which an agent comes to its identity: once.
pub fn keep_token(path: &Path, made: &Value) -> Result<()> {
    let token = made["token"].as_str().context("the answer lacks a token")?;
    write_secret(path, token.as_bytes())
}

async fn account(operator: &Operator) -> Result<Account> {
    let answer = operator.add("accounts", &json!({})).await?;
    serde_json::from_value(answer).context("what the server says of a new account")
}

/// The processes of a lab: how each is started, and when it is ready.
struct Parts<'a> {
    lab: &'a LabName,
    running: &'a Running,
    region: &'a RegionName,
}

impl Parts<'_> {
    fn ensure(&self, name: &str, start: impl FnOnce(&Self) -> Result<Process>) -> Result<Process> {
        match process::find(self.lab, name)? {
            Some(process) => Ok(process),
            None => start(self),
        }
    }

    fn start_server(&self) -> Result<Process> {
        let Listen { api, aws, operator, agents } = self.running.listen;
        let clock = match self.running.clock {
            ClockKind::Real => "real",
            ClockKind::Virtual => "virtual",
        };
        let text = |value: &dyn ToString| OsString::from(value.to_string());
        self.start(
            SERVER,
            &[
                "serve".into(),
                "--state".into(),
                self.lab.dir().join(SERVER).into(),
                "--region".into(),
                text(self.region),
                "--asn".into(),
                text(&self.running.asn),
                "--ipv6".into(),
                IPV6.into(),
                "--clock".into(),
                clock.into(),
                "--listen".into(),
                text(&api),
                "--listen-aws".into(),
                text(&aws),
                "--listen-operator".into(),
                text(&operator),
                "--listen-agents".into(),
                text(&agents),
                "--operator-token-file".into(),
                token_path(self.lab).into(),
                // All of a lab's customers are tests at one address.
                "--account-rate=off".into(),
                "--address-rate=off".into(),
            ],
        )
    }

    fn start_light(&self) -> Result<Process> {
        let words = ["lab".into(), "light".into(), "--state".into(), self.lab.dir().into()];
        self.start(LIGHT, &words)
    }

    fn start_agent(&self, router: &RouterName) -> Result<Process> {
        let dir = agent_dir(self.lab, router);
        self.start(
            &agent_name(router),
            &[
                "agent".into(),
                "--router".into(),
                router.to_string().into(),
                "--server".into(),
                format!("https://{}", self.running.listen.agents).into(),
                "--identity".into(),
                dir.join("identity").into(),
                "--state".into(),
                dir.join("ledger").into(),
                "--netns".into(),
                self.lab.router(router).into(),
                "--netns-prefix".into(),
                format!("{}-", self.lab.router(router)).into(),
                "--pins".into(),
                dir.join("pins").into(),
            ],
        )
    }

    fn start(&self, name: &str, words: &[OsString]) -> Result<Process> {
        let program = std::env::current_exe().context("where is this program?")?;
        let words: Vec<_> = words.iter().map(OsString::as_os_str).collect::<Vec<&OsStr>>();
        process::start(self.lab, name, None, &program, &words)
    }

    async fn await_operator(&self, operator: &Operator, server: &Process) -> Result<()> {
        clock::until("the server to answer", READY_LIMIT, async || {
            match operator.list("locations").await {
                Ok(_) => Ok(Some(())),
                Err(error) if error.is::<RefusedToOperator>() => Err(error),
                Err(_) => self.still_runs(server).map(|()| None),
            }
        })
        .await
    }

    /// Every router has an agent that the server hears, and that has applied what it was told.
    async fn await_agents(&self, operator: &Operator, agents: &[Process]) -> Result<()> {
        clock::until("every agent to be connected", READY_LIMIT, async || {
            agents.iter().try_for_each(|agent| self.still_runs(agent))?;
            let answer = operator.list("routers").await?;
            let mut routers = answer["routers"].as_array().into_iter().flatten();
            Ok(routers.all(|router| is_in_step(&router["agent"])).then_some(()))
        })
        .await
    }

    /// What has died is not waited for; its last words say why.
    fn still_runs(&self, process: &Process) -> Result<()> {
        if process::is_running(process.pid) {
            return Ok(());
        }
        let log = process::log_path(self.lab, &process.name);
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        bail!("{} has died (see {}):\n{last}", process.name, log.display())
    }
}

fn is_in_step(agent: &Value) -> bool {
    let mut scopes = agent["scopes"].as_array().into_iter().flatten();
    agent["connected"] == true
        && scopes.all(|scope| scope["wanted_generation"] == scope["acknowledged_generation"])
}

pub(super) fn agent_name(router: &RouterName) -> String {
    format!("agent-{router}")
}

fn agent_dir(lab: &LabName, router: &RouterName) -> PathBuf {
    lab.dir().join("routers").join(router.as_str())
}

fn token_path(lab: &LabName) -> PathBuf {
    lab.dir().join("operator.token")
}

/// 128 bits from the kernel.
fn token() -> Result<String> {
    let mut bytes = [0_u8; 16];
    let mut source = fs::File::open("/dev/urandom").context("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes).context("/dev/urandom")?;
    Ok(hex::encode(bytes))
}

/// Four free TCP ports below those that the kernel gives to dialling programs, so that a server
/// that was killed finds its own again. Where to begin differs from lab to lab.
fn listen(lab: &LabName) -> Result<Listen> {
    const LOWEST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    let mut free = (0..COUNT)
        .map(|n| LOWEST + (lab.number() % COUNT + n) % COUNT)
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .filter(|address| TcpListener::bind(address).is_ok());
    let mut next = || free.next().context("no free port between 20000 and 32000");
    Ok(Listen { api: next()?, aws: next()?, operator: next()?, agents: next()? })
}
