"""What every page owes to whoever reads it: eyes, ears, a keyboard, a telephone, a slow line."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from clients import Wish
from region import eventually, run

PAGE_BYTES_MAX = 200_000
CUSTOMER = [
    "",
    "/connections",
    "/connections?q=nothing+fits",
    "/connections/new",
    "/quotas",
    "/connections/{connection}",
    "/connections/{connection}/edit",
    "/connections/{connection}/delete",
    "/interfaces",
    "/interfaces/new",
    "/interfaces/new?connection={connection}",
    "/interfaces/{interface}",
    "/interfaces/{interface}/edit",
    "/interfaces/{interface}/delete",
    "/interfaces/{interface}/router",
    "/interfaces/{hosted}",
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
    "/routers",
    "/accounts",
    "/accounts/{account}",
    "/mail",
    "/trail",
    "/nowhere",
]


@pytest.fixture(scope="session")
def things(cockpit_region, ann) -> dict:
    """Something of each kind, made through the API."""
    made = ann.aws.order("PAR4", "1Gbps", "furnished")
    port = cockpit_region.approve(made.id)
    with cockpit_region.cable(port):
        eventually(lambda: ann.aws.connection(made.id).state, "available")
        gateway = ann.gateway(ann.net("10.9.0.0/16"))
        interface = ann.aws.create_interface(made.id, Wish("to a Net", 201, 65020, gateway))
        guest = cockpit_region.accounts[1].id
        hosted = ann.aws.allocate_interface(made.id, guest, Wish("for a guest", 202, 65021))
        order = ann.aws.order("PAR1", "1Gbps", "waits")
        yield {
            "connection": made.id,
            "interface": interface.id,
            "hosted": hosted.id,
            "order": order.id,
            "account": cockpit_region.accounts[0].id,
        }


def violations(desk, **options) -> list[str]:
    found = Axe().run(desk.page, options=options).response["violations"]
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


def test_no_page_weighs_more_than_a_slow_line_bears(desks, cockpit_region, things):
    desk = desks(cockpit_region.cockpit)
    weights = []
    desk.page.on("response", lambda response: weights.append(response))
    desk.sign_in_as_customer(cockpit_region.accounts[0])
    for path in ("", "/connections/{connection}", "/interfaces/{interface}", "/interfaces/{interface}/router"):
        weights.clear()
        # A window of its own has nothing kept.
        fresh = desk.context.browser.new_context(storage_state=desk.context.storage_state())
        page = fresh.new_page()
        page.on("response", lambda response: weights.append(response))
        page.goto(cockpit_region.cockpit + path.format(**things))
        weight = sum(len(r.body()) for r in weights if not r.url.split("?")[0].endswith("/live"))
        fresh.close()
        assert 10_000 < weight < PAGE_BYTES_MAX, f"{path}: {weight} bytes"


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
