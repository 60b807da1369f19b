"""The steps that customers take in scenarios: what each asks of a client, and how its answer is judged.

    order · create interface · host interface · accept · delete …    asks, and hands back the id of what was made
    see · see connections · see interfaces · see locations           looks, and compares
    refused: …                                                       `unlike` compares a refusal with dialects.yaml

A step is a function of (story, client, person, what the scenario says); `STEPS` names them, and who has them.
"""

import re
from fnmatch import fnmatchcase

import yaml

from adapters import dialect
from clients import Connection, Interface, Refused, Wish
from region import TOP, eventually

FOLDER = TOP / "scenarios"
WORDS = yaml.safe_load((FOLDER / "dialects.yaml").read_text())


def order(_story, client, _person, said):
    return client.order(said["location"], said["bandwidth"], said["name"]).id


def create_interface(story, client, _person, said):
    return client.create_interface(story.resolve(said["over"]), wish(story, said)).id


def host_interface(story, client, _person, said):
    return client.allocate_interface(story.resolve(said["over"]), story.resolve(said["for"]), wish(story, said)).id


def wish(story, said: dict) -> Wish:
    return Wish(
        said.get("name", "of a scenario"),
        said["vlan"],
        said.get("asn", 65000),
        story.resolve(said.get("to")),
        said.get("key"),
        said.get("our address"),
        said.get("customer address"),
    )


def accept(story, client, _person, said):
    client.confirm_interface(story.resolve(said["interface"]), story.resolve(said["to"]))


def delete_connection(story, client, _person, said):
    client.delete_connection(story.resolve(said))


def delete_interface(story, client, _person, said):
    client.delete_interface(story.resolve(said))


def change_mtu(story, client, _person, said):
    client.call("UpdateDirectLinkInterface", DirectLinkInterfaceId=story.resolve(said["of"]), Mtu=said["to"])


def create_net(_story, client, _person, said):
    return client.call("CreateNet", IpRange=said)["Net"]["NetId"]


def delete_net(story, client, _person, said):
    client.call("DeleteNet", NetId=story.resolve(said))


def create_gateway(_story, client, _person, _said):
    return client.call("CreateVirtualGateway", ConnectionType="ipsec.1")["VirtualGateway"]["VirtualGatewayId"]


def delete_gateway(story, client, _person, said):
    client.call("DeleteVirtualGateway", VirtualGatewayId=story.resolve(said))


def link_gateway(story, client, _person, said):
    client.call("LinkVirtualGateway", NetId=story.resolve(said["to"]), VirtualGatewayId=story.resolve(said["gateway"]))


def unlink_gateway(story, client, _person, said):
    client.call(
        "UnlinkVirtualGateway", NetId=story.resolve(said["from"]), VirtualGatewayId=story.resolve(said["gateway"])
    )


def see_locations(_story, client, _person, said):
    assert client.locations() == said


def see_connections(story, client, _person, said):
    assert [seen.id for seen in client.connections()] == [story.things[name] for name in said]


def see_interfaces(story, client, _person, said):
    assert [seen.id for seen in client.interfaces()] == [story.things[name] for name in said]


def see(story, client, person, said):
    """States come with time: the plain client waits for them, then the client under test must see the same."""
    for name, wanted in said.items():
        wanted = wanted if isinstance(wanted, dict) else {"state": wanted}
        if "state" in wanted:
            plain, words = person[dialect(client)], states(story, client, name, wanted["state"])
            eventually(lambda: look(story, plain, name).state, words.__contains__)
        seen = look(story, client, name)
        for member, value in wanted.items():
            got = getattr(seen, MEMBERS.get(member, member))
            match value:
                case _ if member == "state":
                    fits = got in states(story, client, name, value)
                case "some address":
                    fits = re.fullmatch(r"169\.254\.\d+\.\d+/30", got)
                case "none":
                    fits = got is None
                case _:
                    fits = got == story.resolve(value)
            assert fits, f"{member} of {name} is {got!r}, not {value!r}"


MEMBERS = {"owner": "account", "our address": "router_address", "customer address": "customer_address"}


def kind_of(story, name: str) -> str:
    return "interface" if story.things[name].startswith("dxvif-") else "connection"


def look(story, client, name: str) -> Connection | Interface:
    return getattr(client, kind_of(story, name))(story.things[name])


def states(story, client, name: str, state: str) -> list[str]:
    """The words that the client's dialect may have for a state."""
    return WORDS["states"][kind_of(story, name)][state][dialect(client)].split()


def unlike(fault: str, dialect: str, refusal: Refused) -> str | None:
    """How a refusal differs from what the dialect has for the fault."""
    said = WORDS["faults"][fault].get(dialect)
    assert said is not None, f"dialects.yaml has nothing for {fault!r} in {dialect}"
    if dialect == "outscale":
        codes = str(said).split()
        fits = any(fnmatchcase(refusal.code, code) for code in codes)
        return None if fits else f"{fault} is {codes}, but came as {refusal}"
    fits = refusal.code == "DirectConnectClientException" and re.search(said, refusal.text, re.IGNORECASE)
    return None if fits else f"{fault} is a DirectConnectClientException with {said!r}, but came as {refusal}"


STEPS = {
    "order": ("both", order),
    "create interface": ("both", create_interface),
    "host interface": ("aws", host_interface),
    "accept": ("aws", accept),
    "delete connection": ("both", delete_connection),
    "delete interface": ("both", delete_interface),
    "change MTU": ("outscale", change_mtu),
    "create Net": ("outscale", create_net),
    "delete Net": ("outscale", delete_net),
    "create gateway": ("outscale", create_gateway),
    "delete gateway": ("outscale", delete_gateway),
    "link gateway": ("outscale", link_gateway),
    "unlink gateway": ("outscale", unlink_gateway),
    "see": ("both", see),
    "see locations": ("both", see_locations),
    "see connections": ("both", see_connections),
    "see interfaces": ("both", see_interfaces),
}
