//! What the tests do over and over: a Region, a connection with light, a Net with a host, an
//! interface with a router that speaks on it.

use anyhow::{Context as _, Result, ensure};
use directlink::{client::Customer, lab::Lab};
use directlink_lab::{
    clock,
    customer::{Brand, Router, Session, furnish},
    netns,
};
use directlink_net::Ipv4Net;
use serde_json::{Value, json};
use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) const SOON: Duration = Duration::from_secs(10);
pub(crate) const BGP_SOON: Duration = Duration::from_secs(40);

/// A lab that is taken down when the test ends, however it ends.
pub(crate) struct Region {
    pub(crate) lab: Lab,
    pub(crate) dir: PathBuf,
    runtime: Runtime,
    made: Cell<u32>,
    _around: TempDir,
}

/// A connection that is available, and the namespace at its far end.
pub(crate) struct Fibre {
    pub(crate) account: usize,
    pub(crate) connection: String,
    pub(crate) port: String,
    pub(crate) netns: String,
}

/// A Net with a gateway, and a host in it that no rule admits anybody to yet.
pub(crate) struct Cloud {
    pub(crate) account: usize,
    pub(crate) range: String,
    pub(crate) gateway: String,
    pub(crate) group: String,
    pub(crate) table: String,
    pub(crate) host: Host,
}

/// Where a host is, as `lab host` prints it.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) netns: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) ipv6: Ipv6Addr,
}

/// An interface as it was asked for, and both sides' addresses.
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) vlan: u16,
    pub(crate) router: Ipv4Net,
    pub(crate) customer: Ipv4Net,
}

impl Region {
    pub(crate) fn up() -> Result<Self> {
        Self::up_with(&[])
    }

    pub(crate) fn up_with(arguments: &[&str]) -> Result<Self> {
        Self::up_in(&[], arguments)
    }

    /// With these variables in the environment of its server and agents, which their command lines read.
    pub(crate) fn up_in(environment: &[(&str, &str)], arguments: &[&str]) -> Result<Self> {
        Self::up_by(env!("CARGO_BIN_EXE_directlink"), environment, arguments)
    }

    /// With the server and the agents of another build of ours.
    pub(crate) fn up_by(
        directlink: &str,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Self> {
        let around = tempfile::tempdir()?;
        let dir = around.path().join("lab");
        let mut words = vec!["env".to_owned()];
        words.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
        let command = [directlink, "lab", "up", "--state"];
        words.extend(command.map(str::to_owned));
        words.push(dir.to_str().context("a directory's name")?.to_owned());
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        let up = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let lab = up.and_then(|_| Lab::open(&dir));
        if lab.is_err() {
            directlink_in(&dir, "down", &[])?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { lab: lab?, dir, runtime, made: Cell::new(0), _around: around })
    }

    /// `directlink lab COMMAND --state DIR …`
    pub(crate) fn directlink(&self, command: &str, arguments: &[&str]) -> Result<String> {
        directlink_in(&self.dir, command, arguments)
    }

    /// `directlink WORDS … --output json`, as the operator.
    pub(crate) fn directlink_of(&self, words: &[&str]) -> Result<Value> {
        let state = self.dir.to_str().context("a directory's name")?;
        let more = ["--state", state, "--output", "json"];
        let said = run(&[&[env!("CARGO_BIN_EXE_directlink")], words, &more[..]].concat())?;
        Ok(serde_json::from_str(&said)?)
    }

    pub(crate) fn call(&self, account: usize, action: &str, parameters: Value) -> Result<Value> {
        let account = self.lab.described.accounts.get(account).context("an account")?;
        let customer: Customer = self.lab.customer(account);
        self.runtime.block_on(customer.call(action, &parameters))
    }

    /// An operation of the AWS API, signed by curl.
    pub(crate) fn overture(&self, account: usize, operation: &str, body: Value) -> Result<Value> {
        self.overture_with(account, operation, body, "accept: */*")
    }

    /// With a header that is not signed.
    pub(crate) fn overture_with(
        &self,
        account: usize,
        operation: &str,
        body: Value,
        header: &str,
    ) -> Result<Value> {
        let lab = &self.lab.described;
        let account = lab.accounts.get(account).context("an account")?;
        let answer = run(&[
            "curl",
            "--silent",
            "--show-error",
            "--aws-sigv4",
            &format!("aws:amz:{}:directconnect", lab.region),
            "--user",
            &format!("{}:{}", account.access_key, account.secret_key),
            "--header",
            &format!("x-amz-target: OvertureService.{operation}"),
            "--header",
            "content-type: application/x-amz-json-1.1",
            "--header",
            header,
            "--data",
            &body.to_string(),
            &lab.aws,
        ])?;
        let answer: Value = serde_json::from_str(&answer)?;
        ensure!(answer.get("__type").is_none(), "{operation}: {answer}");
        Ok(answer)
    }

    /// A namespace of the lab's own, so that taking the lab down takes it too.
    pub(crate) fn namespace(&self, name: &str) -> Result<String> {
        self.made.set(self.made.get() + 1);
        let name = self.lab.name.customer(&format!("{name}{}", self.made.get()));
        run(&["ip", "netns", "add", &name])?;
        Ok(name)
    }

    /// Ordered, approved, plugged, with an untagged interface `vlanN` for each VLAN; available.
    pub(crate) fn fibre(&self, account: usize, location: &str, vlans: &[u16]) -> Result<Fibre> {
        let wish = json!({ "Location": location, "Bandwidth": "1Gbps", "DirectLinkName": "fibre" });
        let ordered = self.call(account, "CreateDirectLink", wish)?;
        let connection = text(&ordered["DirectLink"], "DirectLinkId");
        let approved = self.approve(&connection)?;
        let netns = self.namespace("router")?;
        let fibre = Fibre { account, connection, port: text(&approved, "port"), netns };
        self.plug(&fibre, vlans)?;
        self.await_connection(&fibre, "available")?;
        Ok(fibre)
    }

    /// At the first port that fits.
    pub(crate) fn approve(&self, connection: &str) -> Result<Value> {
        self.runtime.block_on(self.lab.operator().approve(connection, None))
    }

    /// An operation of the operator's API.
    pub(crate) fn operate(&self, path: &str, described: Value) -> Result<Value> {
        self.runtime.block_on(self.lab.operator().add(path, &described))
    }

    /// A list of the operator's API.
    pub(crate) fn look(&self, what: &str) -> Result<Value> {
        self.runtime.block_on(self.lab.operator().list(what))
    }

    pub(crate) fn plug(&self, fibre: &Fibre, vlans: &[u16]) -> Result<()> {
        let vlans: Vec<_> = vlans.iter().map(|vlan| format!("--vlan={vlan}=vlan{vlan}")).collect();
        let mut words = vec!["--port", &fibre.port, "--netns", &fibre.netns, "--ifname", "fibre"];
        words.extend(vlans.iter().map(String::as_str));
        self.directlink("cable", &words).map(drop)
    }

    pub(crate) fn pull(&self, fibre: &Fibre) -> Result<()> {
        self.directlink("uncable", &["--port", &fibre.port]).map(drop)
    }

    /// A Net of that /16, with a Subnet, an attached and propagated gateway, and a host.
    pub(crate) fn cloud(&self, account: usize, range: &str) -> Result<Cloud> {
        let call = |action: &str, parameters| self.call(account, action, parameters);
        let net = text(&call("CreateNet", json!({ "IpRange": range }))?["Net"], "NetId");
        let subnet = range.replace("/16", "/24");
        let subnet = call("CreateSubnet", json!({ "NetId": net, "IpRange": subnet }))?;
        let gateway = call("CreateVirtualGateway", json!({ "ConnectionType": "ipsec.1" }))?;
        let gateway = text(&gateway["VirtualGateway"], "VirtualGatewayId");
        call("LinkVirtualGateway", json!({ "NetId": net, "VirtualGatewayId": gateway }))?;
        let tables = call("ReadRouteTables", json!({ "Filters": { "NetIds": [net] } }))?;
        let table = text(&tables["RouteTables"][0], "RouteTableId");
        let propagate =
            json!({ "Enable": true, "RouteTableId": table, "VirtualGatewayId": gateway });
        call("UpdateRoutePropagation", propagate)?;
        let group = json!({ "NetId": net, "SecurityGroupName": "hosts", "Description": "hosts" });
        let group = text(&call("CreateSecurityGroup", group)?["SecurityGroup"], "SecurityGroupId");
        let nic =
            json!({ "SubnetId": text(&subnet["Subnet"], "SubnetId"), "SecurityGroupIds": [group] });
        let nic = text(&call("CreateNic", nic)?["Nic"], "NicId");
        let placed: Value = serde_json::from_str(&self.directlink("host", &["--nic", &nic])?)?;
        let host = Host {
            netns: text(&placed, "netns"),
            address: text(&placed, "address").parse()?,
            ipv6: text(&placed, "ipv6_address").parse()?,
        };
        Ok(Cloud { account, range: range.to_owned(), gateway, group, table, host })
    }

    /// Lets everything from a range in to the Net's host.
    pub(crate) fn admit(&self, cloud: &Cloud, range: &str) -> Result<()> {
        let rule = json!({
            "SecurityGroupId": cloud.group, "Flow": "Inbound", "IpProtocol": "-1", "IpRange": range,
        });
        self.call(cloud.account, "CreateSecurityGroupRule", rule).map(drop)
    }

    pub(crate) fn interface(
        &self,
        fibre: &Fibre,
        cloud: &Cloud,
        vlan: u16,
        key: Option<&str>,
    ) -> Result<Interface> {
        let mut described = json!({
            "DirectLinkInterfaceName": "to the Net", "Vlan": vlan, "BgpAsn": ASN,
            "VirtualGatewayId": cloud.gateway,
        });
        if let Some(key) = key {
            described["BgpKey"] = key.into();
        }
        let asked = json!({ "DirectLinkId": fibre.connection, "DirectLinkInterface": described });
        let made =
            self.call(fibre.account, "CreateDirectLinkInterface", asked)?["DirectLinkInterface"]
                .clone();
        ensure!(text(&made, "State") == "pending", "{made}");
        Ok(Interface {
            id: text(&made, "DirectLinkInterfaceId"),
            vlan,
            router: text(&made, "OutscalePrivateIp").parse()?,
            customer: text(&made, "ClientPrivateIp").parse()?,
        })
    }

    /// The customer's side of an interface, as a person would configure it.
    pub(crate) fn session(
        &self,
        interface: &Interface,
        key: Option<&str>,
        announced: &str,
    ) -> Result<Session> {
        Ok(Session {
            interface: format!("vlan{}", interface.vlan),
            address: interface.customer,
            asn: ASN.try_into()?,
            neighbour: interface.router.addr(),
            neighbour_asn: self.lab.running.asn.try_into()?,
            key: key.map(TryInto::try_into).transpose()?,
            announced: vec![announced.parse()?],
            bfd: false,
        })
    }

    pub(crate) fn router(&self, fibre: &Fibre, brand: Brand, session: &Session) -> Result<Router> {
        self.made.set(self.made.get() + 1);
        let name = format!("{}{}", brand.to_string().to_lowercase(), self.made.get());
        Router::start(&self.lab.name, &name, &fibre.netns, brand, session)
    }

    /// A computer on the LAN behind the customer's router, as its namespace.
    pub(crate) fn office(&self, fibre: &Fibre, lan: &str) -> Result<String> {
        let name = format!("{}-office", fibre.netns);
        furnish(&fibre.netns, &name, lan.parse()?)?;
        Ok(name)
    }

    pub(crate) fn connection_state(&self, fibre: &Fibre) -> Result<String> {
        let filter = json!({ "Filters": { "DirectLinkIds": [fibre.connection] } });
        let read = self.call(fibre.account, "ReadDirectLinks", filter)?;
        Ok(text(&read["DirectLinks"][0], "State"))
    }

    pub(crate) fn interface_state(&self, account: usize, interface: &Interface) -> Result<String> {
        let filter = json!({ "Filters": { "DirectLinkInterfaceIds": [interface.id] } });
        let read = self.call(account, "ReadDirectLinkInterfaces", filter)?;
        Ok(text(&read["DirectLinkInterfaces"][0], "State"))
    }

    pub(crate) fn await_connection(&self, fibre: &Fibre, wanted: &str) -> Result<()> {
        clock::until(&format!("{} {wanted}", fibre.connection), SOON, || {
            Ok((self.connection_state(fibre)? == wanted).then_some(()))
        })
    }

    pub(crate) fn await_interface(
        &self,
        account: usize,
        interface: &Interface,
        wanted: &str,
    ) -> Result<()> {
        clock::until(&format!("{} {wanted}", interface.id), BGP_SOON, || {
            Ok((self.interface_state(account, interface)? == wanted).then_some(()))
        })
    }

    pub(crate) fn routes(&self, cloud: &Cloud) -> Result<Vec<String>> {
        let filter = json!({ "Filters": { "RouteTableIds": [cloud.table] } });
        let read = self.call(cloud.account, "ReadRouteTables", filter)?;
        let routes = read["RouteTables"][0]["Routes"].as_array().cloned().unwrap_or_default();
        Ok(routes.iter().map(|route| text(route, "DestinationIpRange")).collect())
    }

    /// The process of that name, as `lab status` shows it.
    pub(crate) fn pid(&self, name: &str) -> Result<i32> {
        let status: Value =
            serde_json::from_str(&self.directlink("status", &["--output", "json"])?)?;
        let processes = status["processes"].as_array().into_iter().flatten();
        let mut pids = processes.filter(|p| p["name"] == name).filter_map(|p| p["pid"].as_i64());
        let pid = pids.next().with_context(|| format!("no process {name} in {status}"))?;
        Ok(pid.try_into()?)
    }

    pub(crate) fn kill(&self, name: &str) -> Result<()> {
        run(&["kill", "-9", &self.pid(name)?.to_string()]).map(drop)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os("DIRECTLINK_TEST_LOGS").is_some() {
            let log = self.dir.join("log");
            eprintln!(
                "{}",
                run(&["sh", "-c", &format!("tail -n 30 {}/*", log.display())]).unwrap_or_default()
            );
        }
        if let Err(error) = self.directlink("down", &[]) {
            eprintln!("{error:#}");
        }
    }
}

pub(crate) const ASN: u32 = 65010;

pub(crate) fn directlink_in(dir: &Path, command: &str, arguments: &[&str]) -> Result<String> {
    let dir = dir.to_str().context("a directory's name")?;
    let mut words = vec![env!("CARGO_BIN_EXE_directlink"), "lab", command, "--state", dir];
    words.extend(arguments);
    run(&words)
}

pub(crate) fn run(words: &[&str]) -> Result<String> {
    let output = Command::new(words[0]).args(&words[1..]).output().context(words[0].to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", words.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether one echo comes back.
pub(crate) fn reaches(netns: &str, to: impl Into<IpAddr>) -> Result<bool> {
    let to = to.into();
    netns::within(netns, || {
        let words = ["-c", "1", "-W", "1", &to.to_string()];
        Ok(Command::new("ping").args(words).output()?.status.success())
    })
}

pub(crate) fn await_reach(netns: &str, to: impl Into<IpAddr>) -> Result<()> {
    let to = to.into();
    clock::until(&format!("{netns} to reach {to}"), SOON, || Ok(reaches(netns, to)?.then_some(())))
}

pub(crate) fn text(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_default().to_owned()
}
