"""The README's pictures of Cockpit: a Region in a lab, two connections, a BIRD at the far end, and Chromium.

    screenshots.py FOLDER

Nothing is staged: orders, approvals and interfaces are made as people make them, and the router runs what Cockpit wrote
for it. Needs target/debug/directlink; DIRECTLINK names another.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "clients"), str(TOP / "clients/cockpit")]

from clients import Customer, Wish  # noqa: E402
from region import Region, eventually  # noqa: E402
from stage import Desk, Office, chromium  # noqa: E402

BYTES_MAX = 150_000


def furnish(region: Region, desk: Desk, ann: Customer) -> tuple[dict, list[Office]]:
    """Two locations, one Net reached from both, one interface offered to another account, one order that waits."""
    net = ann.net("10.0.0.0/16")
    gateway = ann.gateway(net)
    call = ann.outscale.call
    call("CreateSubnet", NetId=net, IpRange="10.0.2.0/24")
    [group] = [g for g in call("ReadSecurityGroups")["SecurityGroups"] if g["NetId"] == net]
    call(
        "CreateSecurityGroupRule",
        Flow="Inbound", SecurityGroupId=group["SecurityGroupId"], IpProtocol="-1", IpRange="192.168.0.0/16",
    )  # fmt: skip
    [table] = [t for t in call("ReadRouteTables")["RouteTables"] if t["NetId"] == net]
    call("UpdateRoutePropagation", Enable=True, RouteTableId=table["RouteTableId"], VirtualGatewayId=gateway)
    things, offices = {}, []
    for place, name, vlan in (("PAR1", "Paris office", 101), ("PAR4", "Second way", 102)):
        made = ann.aws.order(place, "1Gbps", name)
        office = Office(region, region.approve(made.id), [vlan])
        offices.append(office)
        office.plug()
        eventually(lambda id=made.id: ann.aws.connection(id).state, "available")
        wish = Wish(f"{name} to my Net", vlan, 65010, gateway, "tgyn26example")
        interface = ann.aws.create_interface(made.id, wish)
        things[place] = (made.id, interface.id)
    speak(desk, things["PAR1"][1], offices[0], 101)
    eventually(lambda: ann.aws.interface(things["PAR1"][1]).state, "available", 60)
    ann.aws.allocate_interface(things["PAR1"][0], region.accounts[1].id, Wish("For the subsidiary", 110, 65020))
    ann.aws.order("PAR1", "10Gbps", "Data centre B")
    return things, offices


def speak(desk: Desk, interface: str, office: Office, vlan: int):
    desk.open(f"/interfaces/{interface}/router?software=bird")
    desk.press("Show with the key")
    office.speak(desk.page.locator("pre.code").inner_text(), vlan)


def shoot(desk: Desk, folder: Path, name: str, height: int = 900):
    desk.page.set_viewport_size({"width": desk.page.viewport_size["width"], "height": height})
    desk.page.wait_for_timeout(700)
    path = folder / f"cockpit-{name}.png"
    desk.page.screenshot(path=path)
    size = path.stat().st_size
    if size > BYTES_MAX:
        raise SystemExit(f"{path}: {size} bytes, at most {BYTES_MAX}")
    print(f"{path}  {size // 1000} kB")


def letter(desk: Desk, folder: Path, connection: str):
    """The page that goes to the colocation desk."""
    url = desk.page.url.split("/cockpit")[0] + f"/cockpit/connections/{connection}/loa.pdf"
    pdf = desk.page.request.get(url).body()
    path = folder / "letter.png"
    subprocess.run(
        ["pdftoppm", "-png", "-singlefile", "-r", "72", "-", str(path.with_suffix(""))], input=pdf, check=True
    )
    print(f"{path}  {path.stat().st_size // 1000} kB")


def customers_pages(desk: Desk, folder: Path, things: dict):
    connection, interface = things["PAR1"]
    desk.open()
    shoot(desk, folder, "overview", 860)
    desk.open("/connections/new")
    shoot(desk, folder, "order", 820)
    letter(desk, folder, connection)
    desk.open(f"/interfaces/{interface}")
    shoot(desk, folder, "interface", 820)
    desk.open(f"/interfaces/new?connection={connection}")
    desk.page.get_by_label("Name").fill("another path")
    desk.page.get_by_label("Your BGP AS number").fill("50624")
    desk.press("Create the interface")
    shoot(desk, folder, "create", 860)
    desk.page.emulate_media(color_scheme="dark")
    desk.page.set_viewport_size({"width": 390, "height": 844})
    desk.open(f"/connections/{connection}")
    shoot(desk, folder, "phone", 844)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (TOP / "target").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOP / "target", prefix="screenshots-") as state, chromium() as browser:
        region = Region.up(Path(state) / "lab", "real", "--inventory")
        offices = []
        try:
            desk = Desk(browser, region.cockpit)
            desk.sign_in_as_customer(region.accounts[0])
            ann = Customer(region, region.accounts[0], Path(state) / "home")
            things, offices = furnish(region, desk, ann)
            customers_pages(desk, folder, things)
            operator = Desk(browser, region.operator_cockpit)
            operator.sign_in_as_operator(region.operator_token)
            shoot(operator, folder, "operator", 620)
            operator.open("/routers/par1-r1")
            shoot(operator, folder, "routers", 900)
            operator.open("/inventory")
            shoot(operator, folder, "inventory", 900)
        finally:
            for office in offices:
                office.close()
            region.down()


if __name__ == "__main__":
    main()
