"""A scenario as it happens to one client: who takes part, what exists by which name, and what each step does.

    scenarios/*.yaml ──► Story.tell ──► a step ──► the client under test            where its dialect has the operation
                                             ├──► the neighbour (adapters.py)       where it has not
                                             └──► the operator, the clock, a cable

What customers do is in steps.py; the operator's steps are here. The words are those of scenarios/README.md; what a
refusal and a state is called in each dialect is in scenarios/dialects.yaml, and nowhere else.
"""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import yaml

from adapters import CLIENTS, NEIGHBOURS, SLOW, Unsayable, dialect
from clients import Refused
from region import Region, eventually
from steps import FOLDER, STEPS, unlike

OVER = {"deleted", "rejected", "expired"}

# Steps that a neighbour did: (client, step) → how often. Shown at the end of the run.
by_neighbour = Counter()


class Person:
    """An account, with the client under test and both neighbours."""

    def __init__(self, region: Region, home: Path, client: str):
        home.mkdir()
        self.account = region.new_account()
        self._region, self._home, self._client = region, home, client
        self._made = {}

    def __getitem__(self, name: str):
        if name not in self._made:
            self._made[name] = (CLIENTS | NEIGHBOURS)[name](self._region, self.account, self._home)
        return self._made[name]

    @property
    def tested(self):
        return self[self._client]

    def close(self):
        for client in self._made.values():
            getattr(client, "close", lambda: None)()


class Story:
    def __init__(self, region: Region, home: Path, client: str):
        self.region, self.client = region, client
        self.dialect = dialect(CLIENTS[client])
        self.people: dict[str, Person] = {}
        self.things: dict[str, str] = {}
        self._owners: dict[str, str] = {}
        self._ports: dict[str, str] = {}
        self._cables: dict[str, ExitStack] = {}
        self._home = home
        home.mkdir()

    # ---- what a scenario says -------------------------------------------------------------------------------------

    def tell(self, scenario: dict):
        for name, kind in scenario.get("given", {}).items():
            kind, _, of = kind.partition(", of ")
            self._give(name, kind, of or "customer")
        last_look = max((number for number, step in enumerate(scenario["steps"], 1) if "see" in step), default=0)
        for number, step in enumerate(scenario["steps"], 1):
            # What a client has done once it need not do again, and a slow one looks once; the plain one does the rest.
            plainly = self.client in SLOW and "see" in step and number != last_look
            try:
                for _ in range(step.get("times", 1) - 1):
                    self._take(dict(step), plainly=True)
                self._take(dict(step), plainly)
            except (AssertionError, Refused, ValueError) as what:
                what.add_note(f"in step {number} of '{scenario['scenario']}' with {self.client}: {step}")
                raise

    def end(self):
        """Takes away what would hold ports; the accounts are not used again."""
        for name, id in self.things.items():
            if id.startswith("dxvif-"):
                self._clear(name, lambda plain: plain.delete_interface(id), lambda plain: plain.interface(id))
        for name, id in self.things.items():
            if id.startswith("dxcon-"):
                self._clear(name, lambda plain: plain.delete_connection(id), lambda plain: plain.connection(id))
        for cable in self._cables.values():
            cable.close()
        for person in self.people.values():
            person.close()

    def _clear(self, name: str, delete, look):
        plain = self.person(self._owners[name])["aws"]
        try:
            if look(plain).state not in OVER:
                delete(plain)
                eventually(lambda: look(plain).state, OVER.__contains__)
        except Refused:
            pass  # forgotten already

    # ---- who and what ---------------------------------------------------------------------------------------------

    def person(self, name: str) -> Person:
        if name not in self.people:
            self.people[name] = Person(self.region, self._home / name, self.client)
        return self.people[name]

    def resolve(self, value):
        """A name in a scenario stands for the id of a thing, or for a person's account; anything else for itself."""
        if isinstance(value, str) and value in self.things:
            return self.things[value]
        if value in ("customer", "guest", "stranger"):
            return self.person(value).account.id
        return value

    def _name(self, name: str | None, id: str, owner: str) -> str:
        name = name or id
        self.things[name], self._owners[name] = id, owner
        return id

    def _give(self, name: str, kind: str, of: str):
        plain = self.person(of)["outscale"]
        if kind in ("requested connection", "approved connection", "available connection"):
            self._name(name, plain.order("PAR1", "1Gbps", name).id, of)
            if kind != "requested connection":
                self.approve(name)
            if kind == "available connection":
                self.plug(name)
                eventually(lambda: plain.connection(self.things[name]).state, "available")
        elif kind == "Net":
            self._name(name, self._made(plain, "CreateNet", IpRange="10.0.0.0/16"), of)
        elif kind in ("gateway of a Net", "gateway without a Net", "deleted gateway"):
            id = self._name(name, self._made(plain, "CreateVirtualGateway", ConnectionType="ipsec.1"), of)
            if kind == "gateway of a Net":
                net = self._made(plain, "CreateNet", IpRange="10.0.0.0/16")
                plain.call("LinkVirtualGateway", NetId=net, VirtualGatewayId=id)
            if kind == "deleted gateway":
                plain.call("DeleteVirtualGateway", VirtualGatewayId=id)
        else:
            raise ValueError(f"nothing known as a given: {kind!r}")

    @staticmethod
    def _made(plain, action: str, **parameters) -> str:
        made = plain.call(action, **parameters)[action.removeprefix("Create")]
        return made[f"{action.removeprefix('Create')}Id"]

    # ---- a step ---------------------------------------------------------------------------------------------------

    def _take(self, step: dict, plainly: bool = False):
        by, name, fault = step.pop("by", "customer"), step.pop("as", None), step.pop("refused", None)
        step.pop("times", None)
        [(verb, said)] = step.items()
        if verb in OPERATOR:
            OPERATOR[verb](self, said)
            return
        served_by, do = STEPS[verb]
        person = self.person(by)
        if served_by not in ("both", self.dialect):
            by_neighbour[self.client, verb] += 1
            id = self._do(do, person[served_by], person, said, fault)
        elif plainly:
            id = self._do(do, person[self.dialect], person, said, fault)
        else:
            try:
                id = self._do(do, person.tested, person, said, fault)
            except Unsayable:
                by_neighbour[self.client, f"{verb}, as its types do not allow it"] += 1
                id = self._do(do, person[self.dialect], person, said, fault)
        if id:
            self._name(name, id, by)

    def _do(self, do, client, person, said, fault):
        if fault is None:
            return do(self, client, person, said)
        try:
            done = do(self, client, person, said)
        except Refused as refusal:
            wrong = unlike(fault, dialect(client), refusal)
            assert not wrong, wrong
            return None
        raise AssertionError(f"done ({done}), though it should be refused: {fault}")

    # ---- the operator's steps -------------------------------------------------------------------------------------

    def approve(self, name: str):
        self._ports[name] = self.region.approve(self.things[name])

    def plug(self, name: str):
        cable = self._cables[name] = ExitStack()
        cable.enter_context(self.region.cable(self._ports[name]))

    def unplug(self, name: str):
        self._cables.pop(name).close()

    def wait(self, how_long: str):
        number, unit = how_long.split()
        seconds = int(number) * {"day": 86400, "hour": 3600, "minute": 60, "second": 1}[unit.rstrip("s")]
        self.region.advance_clock(seconds)


OPERATOR = {"approve": Story.approve, "plug": Story.plug, "unplug": Story.unplug, "wait": Story.wait}


def scenarios() -> list[dict]:
    """All of scenarios/*.yaml, but the table of words."""
    files = sorted(file for file in FOLDER.glob("*.yaml") if file.name != "dialects.yaml")
    return [scenario for file in files for scenario in yaml.safe_load(file.read_text())]


def says_something_to(client: str, scenario: dict) -> bool:
    """Whether any step of the scenario is the client's: else it would only be its neighbour's."""
    verbs = [verb for step in scenario["steps"] for verb in step if verb in STEPS]
    return any(STEPS[verb][0] in ("both", dialect(CLIENTS[client])) for verb in verbs)
