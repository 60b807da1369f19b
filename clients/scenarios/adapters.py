"""Every client of the scenarios behind one way to call it: of `clients.py`, two that are no Python, the neighbours.

    dialect     clients                                             neighbour
    outscale    osc-sdk-python · osc-cli · outscale_api (Rust)      PlainOutscale: JSON, signed by hand
    aws         boto3 · AWS CLI · npm SDK                           PlainAws

A client that is no Python runs as a process of its own: a call per line on its standard input, an answer per line back
(`rust-client/`, `node-client/`; installed by `scripts/setup-clients`).

A neighbour does what a client's dialect has no operation for, and what the client's own types do not let one say
(`Unsayable`): the scenario goes on, and its end says how often that was.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from botocore.exceptions import ParamValidationError
from osc_sdk_python.outscale_gateway import ParameterHasWrongType, ParameterIsRequired, ParameterNotValid

from clients import AwsCli, AwsFace, Boto3, Gateway, OscCli, OscSdkPython, OutscaleFace, Refused
from region import TOP, Account, Region
from signing import to_aws, to_outscale

TARGET = TOP / "target"
RUST_CLIENT = TARGET / "rust-client/debug/outscale-api-client"
NODE_CLIENT, NODE_PACKAGES = TOP / "clients/scenarios/node-client/client.mjs", TARGET / "node-client"


class Unsayable(Exception):
    """The client does not let one ask this."""


class Spoken:
    """A client as a process, one line each way."""

    def __init__(self, *command, environment: dict):
        assert RUST_CLIENT.exists() and NODE_PACKAGES.exists(), "not installed: run scripts/setup-clients"
        path = f"{os.environ['PATH']}:{Path(sys.executable).parent}"
        self._process = subprocess.Popen(
            [str(word) for word in command],
            env={"PATH": path, "LANG": "C.UTF-8"} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, call: str, parameters: dict) -> dict:
        """The answer, or what the refusal says."""
        self._process.stdin.write(json.dumps({"call": call, "parameters": parameters}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self._process.args[0]} fell over at {call} {parameters}: exit {self._process.wait(10)}"
        [(kind, told)] = json.loads(line).items()
        match kind:
            case "answer" | "refused":
                return {kind: told}
            case "unsayable":
                raise Unsayable(told)
            case _:
                raise AssertionError(f"{self._process.args[0]}: {call} {parameters}: {told}")

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


class OutscaleApi(OutscaleFace):
    """The Rust crate outscale_api."""

    def __init__(self, region: Region, account: Account, home: Path):
        profile = {
            "access_key": account.access_key,
            "secret_key": account.secret_key,
            "region": region.name,
            "endpoints": {"api": region.api},
        }
        config = home / "outscale_api.json"
        config.write_text(json.dumps({"default": profile}))
        self._spoken = Spoken(RUST_CLIENT, environment={"OSC_CONFIG_FILE": str(config)})
        self.close = self._spoken.close

    def call(self, action: str, **parameters) -> dict:
        told = self._spoken.ask(action, parameters)
        return told["answer"] if "answer" in told else raise_refusal(told["refused"])


class AwsSdkJs(AwsFace):
    """npm's @aws-sdk/client-direct-connect."""

    def __init__(self, region: Region, account: Account, home: Path):
        AwsCli(region, account, home)  # the same configuration files
        self._spoken = Spoken("node", NODE_CLIENT, NODE_PACKAGES, environment={"HOME": str(home)})
        self.close = self._spoken.close

    def call(self, operation: str, **parameters) -> dict:
        told = self._spoken.ask(operation, parameters)
        if "refused" in told:
            raise Refused(told["refused"]["code"], told["refused"]["text"])
        return told["answer"]


class SharedOscSdkPython(OscSdkPython):
    """osc-sdk-python reads the whole specification, for seconds, at each start; so one `Gateway` takes all profiles."""

    def __init__(self, region: Region, account: Account, home: Path):
        profile = {
            "access_key": account.access_key,
            "secret_key": account.secret_key,
            "region": region.name,
            "endpoints": {"api": region.api},
        }
        self._config = home / "osc-sdk-python.json"
        self._config.write_text(json.dumps({"default": profile}))

    def call(self, action: str, **parameters) -> dict:
        self.gateway = gateway(str(self._config))
        self.gateway.update_profile(path=str(self._config), profile="default")
        try:
            return super().call(action, **parameters)
        except (ParameterNotValid, ParameterIsRequired, ParameterHasWrongType):
            # What the SDK's own look refuses, its `raw` sends.
            return self.raw(action, **parameters)


_gateways: list[Gateway] = []


def gateway(config: str) -> Gateway:
    """The one of this run, made with the first configuration."""
    if not _gateways:
        _gateways.append(Gateway(path=config, profile="default", limiter_max_requests=1000))
    return _gateways[0]


class CarefulBoto3(Boto3):
    def call(self, operation: str, **parameters) -> dict:
        try:
            return super().call(operation, **parameters)
        except ParamValidationError as refused:
            raise Unsayable(str(refused)) from None


class CarefulAwsCli(AwsCli):
    def call(self, operation: str, **parameters) -> dict:
        try:
            return super().call(operation, **parameters)
        except AssertionError as fell:
            if "Parameter validation failed" in str(fell):
                raise Unsayable(str(fell)) from None
            raise


class PlainOutscale(OutscaleFace):
    def __init__(self, region: Region, account: Account, _home: Path):
        self._where = region, account

    def call(self, action: str, **parameters) -> dict:
        answer = to_outscale(*self._where, action, parameters).send()
        return answer.json() if answer.ok else raise_refusal(answer.json())


class PlainAws(AwsFace):
    def __init__(self, region: Region, account: Account, _home: Path):
        self._where = region, account

    def call(self, operation: str, **parameters) -> dict:
        answer = to_aws(*self._where, operation, parameters).send()
        if not answer.ok:
            refusal = answer.json()
            raise Refused(refusal["__type"], refusal["message"])
        return answer.json()


def raise_refusal(body: dict):
    [error] = body["Errors"]
    raise Refused(error["Code"], error["Details"])


CLIENTS = {
    "osc-sdk-python": SharedOscSdkPython,
    "osc-cli": OscCli,
    "outscale_api": OutscaleApi,
    "boto3": CarefulBoto3,
    "aws-cli": CarefulAwsCli,
    "client-direct-connect": AwsSdkJs,
}
# A process for each call, and most of a second of Python for each process.
SLOW = {"osc-cli", "aws-cli"}
NEIGHBOURS = {"outscale": PlainOutscale, "aws": PlainAws}


def dialect(client) -> str:
    """Of a client, or of its class."""
    made = client if isinstance(client, type) else type(client)
    return "outscale" if issubclass(made, OutscaleFace) and not issubclass(made, AwsFace) else "aws"
