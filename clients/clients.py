"""The real, unmodified clients behind the field's words: what a customer orders and reads, whichever tool is used.

    Customer ─┬─ OutscaleFace ─┬─ OscCli            osc-cli api …            signs OSC4, sends //api/latest/X
              │                └─ OscSdkPython      Gateway().X()            signs OSC4, host without port
              └─ AwsFace ──────┬─ OscCliDirectLink  osc-cli directlink …     signs AWS4 for `directlink`
                               ├─ AwsCli            aws directconnect …      signs AWS4 for `directconnect`
                               └─ Boto3             boto3.client(…)          the same, from Python

Each is set up as its manual says, with its own configuration file; nothing is patched. A refusal becomes `Refused`
from what the tool shows to a person.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import boto3
import botocore.session
import requests
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from osc_sdk_python import Gateway

from region import TOP, Account, Region

VENV_BIN = Path(sys.executable).parent


class Refused(Exception):
    def __init__(self, code: str, text: str, status: int | None = None):
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.status = status
        """Of HTTP, where the client tells."""


@dataclass(frozen=True)
class Connection:
    id: str
    account: str
    name: str
    location: str
    bandwidth: str
    state: str


@dataclass(frozen=True)
class Interface:
    id: str
    account: str
    connection: str
    name: str
    vlan: int
    asn: int
    key: str | None
    router_address: str
    customer_address: str
    mtu: int
    gateway: str | None
    state: str

    def stateless(self) -> "Interface":
        """The two APIs have different words for an interface that does not forward: `pending`, or AWS's `down`."""
        return replace(self, state="")


@dataclass(frozen=True)
class Wish:
    """What a customer says about an interface to be made."""

    name: str
    vlan: int
    asn: int
    gateway: str | None = None
    key: str | None = None
    router_address: str | None = None
    customer_address: str | None = None


def given(**members) -> dict:
    return {name: value for name, value in members.items() if value is not None}


class OutscaleFace:
    def call(self, action: str, **parameters) -> dict:
        raise NotImplementedError

    def order(self, location: str, bandwidth: str, name: str) -> Connection:
        answer = self.call("CreateDirectLink", Location=location, Bandwidth=bandwidth, DirectLinkName=name)
        return self._connection(answer["DirectLink"])

    def connection(self, id: str) -> Connection:
        [found] = self.call("ReadDirectLinks", Filters={"DirectLinkIds": [id]})["DirectLinks"]
        return self._connection(found)

    def connections(self) -> list[Connection]:
        return [self._connection(c) for c in self.call("ReadDirectLinks")["DirectLinks"]]

    def delete_connection(self, id: str):
        self.call("DeleteDirectLink", DirectLinkId=id)

    def create_interface(self, connection: str, wish: Wish) -> Interface:
        described = given(
            DirectLinkInterfaceName=wish.name,
            Vlan=wish.vlan,
            BgpAsn=wish.asn,
            BgpKey=wish.key,
            OutscalePrivateIp=wish.router_address,
            ClientPrivateIp=wish.customer_address,
            VirtualGatewayId=wish.gateway,
        )
        answer = self.call("CreateDirectLinkInterface", DirectLinkId=connection, DirectLinkInterface=described)
        return self._interface(answer["DirectLinkInterface"])

    def interface(self, id: str) -> Interface:
        filters = {"DirectLinkInterfaceIds": [id]}
        [found] = self.call("ReadDirectLinkInterfaces", Filters=filters)["DirectLinkInterfaces"]
        return self._interface(found)

    def interfaces(self) -> list[Interface]:
        return [self._interface(i) for i in self.call("ReadDirectLinkInterfaces")["DirectLinkInterfaces"]]

    def delete_interface(self, id: str):
        self.call("DeleteDirectLinkInterface", DirectLinkInterfaceId=id)

    def locations(self) -> dict[str, str]:
        return {location["Code"]: location["Name"] for location in self.call("ReadLocations")["Locations"]}

    @staticmethod
    def _connection(c: dict) -> Connection:
        return Connection(
            c["DirectLinkId"], c["AccountId"], c["DirectLinkName"], c["Location"], c["Bandwidth"], c["State"]
        )

    @staticmethod
    def _interface(i: dict) -> Interface:
        return Interface(
            id=i["DirectLinkInterfaceId"],
            account=i["AccountId"],
            connection=i["DirectLinkId"],
            name=i["DirectLinkInterfaceName"],
            vlan=i["Vlan"],
            asn=i["BgpAsn"],
            key=i.get("BgpKey"),
            router_address=i["OutscalePrivateIp"],
            customer_address=i["ClientPrivateIp"],
            mtu=i["Mtu"],
            gateway=i.get("VirtualGatewayId") or None,
            state=i["State"],
        )


class AwsFace:
    def call(self, operation: str, **parameters) -> dict:
        raise NotImplementedError

    def order(self, location: str, bandwidth: str, name: str) -> Connection:
        return self._connection(
            self.call("CreateConnection", location=location, bandwidth=bandwidth, connectionName=name)
        )

    def connection(self, id: str) -> Connection:
        [found] = self.call("DescribeConnections", connectionId=id)["connections"]
        return self._connection(found)

    def connections(self) -> list[Connection]:
        return [self._connection(c) for c in self.call("DescribeConnections")["connections"]]

    def delete_connection(self, id: str):
        self.call("DeleteConnection", connectionId=id)

    def create_interface(self, connection: str, wish: Wish) -> Interface:
        described = {**self._described(wish), **given(virtualGatewayId=wish.gateway)}
        answer = self.call(
            "CreatePrivateVirtualInterface", connectionId=connection, newPrivateVirtualInterface=described
        )
        return self._interface(answer)

    def allocate_interface(self, connection: str, owner: str, wish: Wish) -> Interface:
        """A hosted interface: on our connection, for another account."""
        answer = self.call(
            "AllocatePrivateVirtualInterface",
            connectionId=connection,
            ownerAccount=owner,
            newPrivateVirtualInterfaceAllocation=self._described(wish),
        )
        return self._interface(answer)

    def confirm_interface(self, id: str, gateway: str) -> str:
        answer = self.call("ConfirmPrivateVirtualInterface", virtualInterfaceId=id, virtualGatewayId=gateway)
        return answer["virtualInterfaceState"]

    def interface(self, id: str) -> Interface:
        [found] = self.call("DescribeVirtualInterfaces", virtualInterfaceId=id)["virtualInterfaces"]
        return self._interface(found)

    def interfaces(self) -> list[Interface]:
        return [self._interface(i) for i in self.call("DescribeVirtualInterfaces")["virtualInterfaces"]]

    def delete_interface(self, id: str):
        self.call("DeleteVirtualInterface", virtualInterfaceId=id)

    def locations(self) -> dict[str, str]:
        return {place["locationCode"]: place["locationName"] for place in self.call("DescribeLocations")["locations"]}

    @staticmethod
    def _described(wish: Wish) -> dict:
        # The 31-bit `asn` is the older member; a number that needs more goes as `asnLong`.
        number = {"asn": wish.asn} if wish.asn < 2**31 else {"asnLong": wish.asn}
        return number | given(
            virtualInterfaceName=wish.name,
            vlan=wish.vlan,
            authKey=wish.key,
            amazonAddress=wish.router_address,
            customerAddress=wish.customer_address,
        )

    @staticmethod
    def _connection(c: dict) -> Connection:
        return Connection(
            c["connectionId"],
            c["ownerAccount"],
            c["connectionName"],
            c["location"],
            c["bandwidth"],
            c["connectionState"],
        )

    @staticmethod
    def _interface(i: dict) -> Interface:
        return Interface(
            id=i["virtualInterfaceId"],
            account=i["ownerAccount"],
            connection=i["connectionId"],
            name=i["virtualInterfaceName"],
            vlan=i["vlan"],
            asn=i["asnLong"],
            key=i.get("authKey"),
            router_address=i["amazonAddress"],
            customer_address=i["customerAddress"],
            mtu=i["mtu"],
            gateway=i.get("virtualGatewayId") or None,
            state=i["virtualInterfaceState"],
        )


class OscSdkPython(OutscaleFace):
    def __init__(self, region: Region, account: Account, home: Path, **knobs):
        profile = {
            "access_key": account.access_key,
            "secret_key": account.secret_key,
            "region": region.name,
            "endpoints": {"api": region.api},
        }
        config = home / "osc-sdk-python.json"
        config.write_text(json.dumps({"default": profile}))
        # The limiter is the client's own knob for how fast it may ask; a suite asks faster than a person.
        self.gateway = Gateway(path=str(config), profile="default", limiter_max_requests=1000, **knobs)

    def call(self, action: str, **parameters) -> dict:
        return self._told(lambda: getattr(self.gateway, action)(**parameters))

    def raw(self, action: str, **parameters) -> dict:
        """Without the client's own look at the parameters: for what the server must refuse."""
        return self._told(lambda: self.gateway.raw(action, **parameters))

    @staticmethod
    def _told(ask) -> dict:
        try:
            return ask()
        except requests.HTTPError as refusal:
            [error] = refusal.response.json()["Errors"]
            raise Refused(error["Code"], error["Details"], refusal.response.status_code) from None


class OscCli(OutscaleFace):
    SERVICE = "api"

    def __init__(self, region: Region, account: Account, home: Path):
        # One endpoint, without scheme or path, serves both of its faces.
        profile = {
            "access_key": account.access_key,
            "secret_key": account.secret_key,
            "region": region.name,
            "https": False,
            "endpoint": region.api.split("/")[2],
        }
        config = home / ".osc/config.json"
        config.parent.mkdir(exist_ok=True)
        config.write_text(json.dumps({"default": profile}))
        self._home = home

    def call(self, action: str, **parameters) -> dict:
        words = [word for name, value in parameters.items() for word in (f"--{name}", as_word(value))]
        done = shell(self._home, "osc-cli", self.SERVICE, action, *words)
        if done.returncode:
            told = re.search(r"Error --> status = \d+, code = (\S+), (?:code_type = .*?, )?Reason = (.*), request_id = \S+$",
                             done.stderr, re.MULTILINE)  # fmt: skip
            assert told, f"osc-cli {action} fell over:\n{done.stderr}{done.stdout}"
            raise Refused(told[1], told[2])
        return json.loads(done.stdout)


class OscCliDirectLink(AwsFace, OscCli):
    SERVICE = "directlink"
    call = OscCli.call


class AwsCli(AwsFace):
    def __init__(self, region: Region, account: Account, home: Path):
        folder = home / ".aws"
        folder.mkdir(exist_ok=True)
        (folder / "config").write_text(
            f"[default]\nregion = {region.name}\nendpoint_url = {region.aws}\noutput = json\n"
        )
        (folder / "credentials").write_text(
            f"[default]\naws_access_key_id = {account.access_key}\naws_secret_access_key = {account.secret_key}\n"
        )
        self._home = home

    def call(self, operation: str, **parameters) -> dict:
        words = [
            word for name, value in parameters.items() for word in (f"--{xform_name(name, '-')}", as_word(value))
        ]
        done = shell(self._home, "aws", "directconnect", xform_name(operation, "-"), *words)
        if done.returncode:
            told = re.search(r"An error occurred \((.*?)\) when calling the \w+ operation: (.*)", done.stderr)
            assert told, f"aws directconnect {operation} fell over:\n{done.stderr}{done.stdout}"
            raise Refused(told[1], told[2])
        return json.loads(done.stdout or "{}")


class Boto3(AwsFace):
    def __init__(self, region: Region, account: Account, home: Path):
        self.client = self._session(home).client(
            "directconnect",
            region_name=region.name,
            endpoint_url=region.aws,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _session(self, _home: Path) -> boto3.Session:
        return boto3.Session()

    def call(self, operation: str, **parameters) -> dict:
        try:
            return getattr(self.client, xform_name(operation))(**parameters)
        except ClientError as refusal:
            told, status = refusal.response["Error"], refusal.response["ResponseMetadata"]["HTTPStatusCode"]
            raise Refused(told["Code"], told["Message"], status) from None


class Boto3Cbor(Boto3):
    """The same with a model, in its folder for models, that has the newer of the two published protocols only."""

    def _session(self, home: Path) -> boto3.Session:
        model = json.loads((TOP / "spec/aws-directconnect-service-2.json").read_text())
        model["metadata"]["protocols"] = ["smithy-rpc-v2-cbor"]
        folder = home / "models/directconnect" / model["metadata"]["apiVersion"]
        folder.mkdir(parents=True)
        (folder / "service-2.json").write_text(json.dumps(model))
        session = botocore.session.Session()
        session.set_config_variable("data_path", str(home / "models"))
        return boto3.Session(botocore_session=session)


CLIENTS = {
    "osc-cli": OscCli,
    "osc-sdk-python": OscSdkPython,
    "osc-cli directlink": OscCliDirectLink,
    "aws-cli": AwsCli,
    "boto3": Boto3,
    "boto3 in CBOR": Boto3Cbor,
}


class Customer:
    """An account with every client set up, each made when first asked for."""

    def __init__(self, region: Region, account: Account, home: Path):
        home.mkdir()
        self.account = account
        self._region, self._home = region, home
        self._clients = {}

    def __getitem__(self, client: str):
        if client not in self._clients:
            self._clients[client] = CLIENTS[client](self._region, self.account, self._home)
        return self._clients[client]

    @property
    def outscale(self) -> OscSdkPython:
        """The quickest client of the OUTSCALE API, for what a test needs beside its point."""
        return self["osc-sdk-python"]

    @property
    def aws(self) -> Boto3:
        return self["boto3"]

    def net(self, ip_range: str = "10.0.0.0/16") -> str:
        """A Net with a Subnet; `gateway` makes it one that an interface can lead to."""
        net = self.outscale.call("CreateNet", IpRange=ip_range)["Net"]["NetId"]
        subnet = ip_range.rsplit(".", 2)[0] + ".1.0/24"
        self.outscale.call("CreateSubnet", NetId=net, IpRange=subnet)
        return net

    def gateway(self, net: str) -> str:
        made = self.outscale.call("CreateVirtualGateway", ConnectionType="ipsec.1")["VirtualGateway"]
        self.outscale.call("LinkVirtualGateway", NetId=net, VirtualGatewayId=made["VirtualGatewayId"])
        return made["VirtualGatewayId"]


def as_word(value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def shell(home: Path, command: str, *words: str) -> subprocess.CompletedProcess:
    """As a person would call it: own home, own configuration files, nothing inherited but the PATH."""
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return subprocess.run(
        [VENV_BIN / command, *words], env=environment, capture_output=True, text=True, timeout=120
    )
