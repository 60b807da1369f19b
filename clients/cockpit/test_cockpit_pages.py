"""What every page owes to whoever reads it: eyes, ears, a keyboard, a telephone, a slow line."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from region import TOP, run

PAGE_BYTES_MAX = 200_000
CUSTOMER = [
    "",
    "/connections",
    "/connections?q=nothing+fits",
    "/connections/new",
    "/quotas",
    "/maintenance",
    "/webhooks",
    "/webhooks/{webhook}",
    "/connections/{connection}",
    "/connections/{connection}/diagnosis",
    "/connections/{connection}/edit",
    "/connections/{connection}/delete",
    "/interfaces",
    "/interfaces/new",
    "/interfaces/new?connection={connection}",
    "/interfaces/{interface}",
    "/interfaces/{interface}/edit",
    "/interfaces/{interface}/delete",
    "/interfaces/{interface}/peers/new",
    "/interfaces/{interface}/peers/{peer}/delete",
    "/interfaces/{interface}/router",
    "/interfaces/{interface}/glass",
    "/interfaces/{interface}/diagnosis",
    "/interfaces/{interface}?over=30d",
    "/interfaces/{hosted}",
    "/interfaces/{offered}/accept",
    "/nowhere",
]
OPERATOR = [
    "",
    "/orders/{order}",
    "/connections",
    "/interfaces",
    "/inventory",
    "/cross-connects",
    "/letters",
    "/interfaces/{interface}/diagnosis",
    "/connections/{connection}/diagnosis",
    "/routers",
    "/routers/{router}",
    "/accounts",
    "/accounts/{account}",
    "/maintenance",
    "/mail",
    "/trail",
    "/nowhere",
]


def violations(desk, **options) -> list[str]:
    # Reading the sheets of a shadow tree, axe would add a style of its own, which our policy forbids.
    found = Axe().run(desk.page, options={"preload": False, **options}).response["violations"]
    return [f"{v['id']}: {node['target']} {node['failureSummary']}" for v in found for node in v["nodes"]]


def look_at(desk, paths, things):
    """Every page, then its colours in the dark at a telephone's width; what is wrong with any."""
    wrong = []
    for path in paths:
        desk.page.emulate_media(color_scheme="light")
        desk.page.set_viewport_size({"width": 1280, "height": 900})
        desk.open(path.format(**things))
        wrong += [f"{path}: {text}" for text in violations(desk)]
        desk.page.emulate_media(color_scheme="dark")
        desk.page.set_viewport_size({"width": 390, "height": 844})
        wrong += [f"{path}, dark: {text}" for text in violations(desk, runOnly=["color-contrast", "target-size"])]
        if desk.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{path}: wider than a telephone")
    return "\n".join(wrong)


def test_customers_pages_are_for_everybody(customer, things):
    assert not look_at(customer, CUSTOMER, things)


def test_the_operators_pages_are_for_everybody(operator, things):
    assert not look_at(operator, OPERATOR, things)


def test_the_doors_are_for_everybody(desks, cockpit_region, things):
    for url in (cockpit_region.cockpit, cockpit_region.operator_cockpit):
        assert not look_at(desks(url), ["/sign-in"], things)


def test_whoever_holds_a_letter_sees_what_it_is_worth(customer, desks, cockpit_region, things, tmp_path):
    pdf = tmp_path / "letter.pdf"
    letter = customer.page.request.get(f"{cockpit_region.cockpit}/connections/{things['connection']}/loa.pdf")
    pdf.write_bytes(letter.body())
    # The address takes more than one line.
    text = "".join(run("pdftotext", "-raw", pdf, "-").split())
    (address,) = re.findall(r"https?://\S+?/loa/verify/[0-9a-f]{40}", text)
    stranger = desks(cockpit_region.cockpit)
    stranger.page.goto(address)
    expect(stranger.page.locator(".state .badge")).to_have_text("In use")
    expect(stranger.page.get_by_text(things["connection"])).to_be_visible()
    assert not violations(stranger)
    stranger.page.goto(address[:-1] + ("0" if address[-1] != "0" else "1"))
    expect(stranger.page.locator(".state .badge")).to_have_text("Unknown letter")


def routes(door: str) -> set[str]:
    """Pages that the server has, read from its own table: one that is new must be looked at above."""
    source = (TOP / "crates/directlink-server/src/cockpit/mod.rs").read_text()
    customers, operators = source.split("pub(crate) fn operators", 1)
    of = {"customers": customers, "operators": operators.split("fn finish", 1)[0]}[door]
    found = re.findall(r'\.route\(\s*"/cockpit([^"]*)",\s*get\(', of)
    return {path for path in found if not path.endswith(("/live", "/figures", ".pdf")) and "/assets/" not in path}


def is_at(route: str, path: str) -> bool:
    return bool(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path.split("?")[0]))


@pytest.mark.parametrize(("door", "looked_at"), [("customers", CUSTOMER), ("operators", OPERATOR)])
def test_every_page_that_there_is_is_looked_at(door, looked_at):
    there = routes(door)
    assert len(there) > 8, there
    forgotten = {route for route in there if not any(is_at(route, path) for path in [*looked_at, "/sign-in"])}
    assert not forgotten


def weigh(desk, path: str) -> int:
    """The page, and all that it loads, as nobody who comes for the first time has it."""
    origin = desk.url.removesuffix("/cockpit")
    page = desk.page.request.get(desk.url + path)
    assets = set(re.findall(r'(?:src|href)="(/cockpit/assets/[^"]+)"', page.text()))
    # The graphs' own sheet is loaded by their script.
    assets |= {asset.replace("graphs.js", "uplot.css") for asset in assets}
    return len(page.body()) + sum(len(desk.page.request.get(origin + asset).body()) for asset in assets)


def test_no_page_weighs_more_than_a_slow_line_bears(customer, operator, things):
    for desk, paths in ((customer, CUSTOMER), (operator, OPERATOR)):
        for path in paths:
            weight = weigh(desk, path.format(**things))
            assert 10_000 < weight < PAGE_BYTES_MAX, f"{path}: {weight} bytes"


def test_a_first_visit_transfers_no_more_than_it_was_weighed_for(customer, things):
    path = "/interfaces/{interface}".format(**things)
    # A window of its own has nothing kept.
    fresh = customer.context.browser.new_context(storage_state=customer.context.storage_state())
    page, answers = fresh.new_page(), []
    page.on("response", lambda response: answers.append(response))
    page.goto(customer.url + path, wait_until="load")
    page.wait_for_timeout(500)
    weight = sum(len(r.body()) for r in answers if not r.url.split("?")[0].endswith("/live"))
    fresh.close()
    assert weight < PAGE_BYTES_MAX, f"{weight} bytes"
    names = {r.url.split("?")[0].rsplit("/", 1)[-1] for r in answers}
    assert {"htmx.js", "hx-sse.js", "cockpit.css"} <= names


def test_the_keyboard_reaches_the_content_first(customer):
    page = customer.page
    customer.open("/connections")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("furnished")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Show all")).to_be_visible()


def test_a_form_that_hides_a_field_shows_it_when_it_counts(customer, things):
    page = customer.page
    customer.open(f"/interfaces/new?connection={things['connection']}")
    owner = page.get_by_label("Its intended owner", exact=True)
    expect(owner).to_be_hidden()
    page.get_by_role("radio", name="Another account").check()
    expect(owner).to_be_visible()
    expect(page.get_by_role("group", name="Virtual gateway")).to_be_hidden()
