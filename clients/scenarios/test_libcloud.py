"""apache-libcloud lists interfaces by posting `DeleteDirectLink` with filters: refused, and nothing is deleted.

Its driver writes the address of the real service; the subclass puts the lab's there, and nothing else.
"""

import pytest
from libcloud.compute.drivers.outscale import OutscaleNodeDriver

from adapters import PlainOutscale
from region import eventually
from story import Story


@pytest.fixture
def story(region, tmp_path):
    told = Story(region, tmp_path / "homes", "osc-sdk-python")
    yield told
    told.end()


@pytest.fixture
def plain(story) -> PlainOutscale:
    return story.person("customer")["outscale"]


@pytest.fixture
def driver(region, story) -> OutscaleNodeDriver:
    class InTheLab(OutscaleNodeDriver):
        def _get_outscale_endpoint(self, _region, version, action):
            return f"{region.api.removesuffix('/v1')}/{version}/{action}"

    account = story.person("customer").account
    return InTheLab(key=account.access_key, secret=account.secret_key, region=region.name)


def test_a_listing_that_posts_a_deletion_is_refused_and_deletes_nothing(story, driver, plain):
    story.tell(
        {
            "scenario": "two lines and an interface",
            "given": {
                "line": "available connection",
                "ordered": "requested connection",
                "gate": "gateway of a Net",
            },
            "steps": [{"create interface": {"over": "line", "to": "gate", "vlan": 601}, "as": "office"}],
        }
    )
    before = plain.connections(), [i.stateless() for i in plain.interfaces()]
    line, ordered, office = (story.things[name] for name in ("line", "ordered", "office"))
    for filters in (
        {"direct_link_ids": [ordered]},
        {"direct_link_ids": [line]},
        {"direct_link_interface_ids": [office]},
    ):
        # The driver hands the refusal on as if it were the list.
        [error] = driver.ex_list_direct_link_interfaces(**filters)["Errors"]
        assert (error["Code"], error["Type"]) == ("3001", "InvalidParameter")
        assert (plain.connections(), [i.stateless() for i in plain.interfaces()]) == before


def test_libcloud_orders_and_deletes(driver, plain):
    assert {location.id: location.country for location in driver.list_locations()} == {
        "PAR1": "France",
        "PAR4": "France",
    }
    driver.ex_create_direct_link(bandwidth="1Gbps", direct_link_name="by libcloud", location="PAR1")
    [made] = driver.ex_list_direct_links()
    assert (made["DirectLinkName"], made["State"]) == ("by libcloud", "requested")
    assert driver.ex_delete_direct_link(direct_link_id=made["DirectLinkId"])
    eventually(lambda: plain.connection(made["DirectLinkId"]).state, "deleted")
