"""What moto's tests of Direct Connect ask, asked of moto and of a Region by the same boto3.

moto, which many use in place of AWS, comes without its tests, so the behaviours that they hold are written here in our
words. `SAME`: a client cannot tell the two apart. A text: moto takes a short cut there, and why ours differs.
"""

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

SAME = None
IF_OFFERED = "if offered"
UNKNOWN_OPERATION = "UnknownOperationException"

ORDER = {"location": "PAR1", "bandwidth": "10Gbps", "connectionName": "TestConnection"}


def created(client):
    made = client.create_connection(**ORDER)
    return made["connectionName"], made["bandwidth"], made["location"]


def id_prefix(client):
    return client.create_connection(**ORDER)["connectionId"].rsplit("-", 1)[0]


def state_after_create(client):
    return client.create_connection(**ORDER)["connectionState"]


def listed(client):
    # moto makes an id of name and second: two orders of one name would be one.
    orders = [ORDER | {"connectionName": name} for name in ("One", "Two")]
    made = [client.create_connection(**order)["connectionId"] for order in orders]
    seen = [c["connectionId"] for c in client.describe_connections()["connections"]]
    return [made.index(id) for id in seen if id in made]


def read_by_id(client):
    made = client.create_connection(**ORDER)["connectionId"]
    return [c["connectionId"] == made for c in client.describe_connections(connectionId=made)["connections"]]


def state_after_delete(client):
    made = client.create_connection(**ORDER)["connectionId"]
    return client.delete_connection(connectionId=made)["connectionState"]


def listed_after_delete(client):
    made = client.create_connection(**ORDER)["connectionId"]
    client.delete_connection(connectionId=made)
    return [c["connectionState"] for c in client.describe_connections(connectionId=made)["connections"]]


def renamed(client):
    made = client.create_connection(**ORDER)["connectionId"]
    return client.update_connection(connectionId=made, connectionName="New")["connectionName"]


def unknown_read(client):
    return client.describe_connections(connectionId="dxcon-00000000")


def unknown_delete(client):
    return client.delete_connection(connectionId="dxcon-00000000")


def other_location(client):
    return client.create_connection(**ORDER | {"location": "EqDC2"})["location"]


def encryption(client):
    return client.create_connection(**ORDER, requestMACSec=True).get("encryptionMode")


def key_associated(client):
    made = client.create_connection(**ORDER)["connectionId"]
    return len(client.associate_mac_sec_key(connectionId=made, ckn="ckn", cak="cak")["macSecKeys"])


def lag_size(client):
    lag = client.create_lag(numberOfConnections=1, location="PAR1", connectionsBandwidth="10Gbps", lagName="TestLag")
    return len(lag["connections"])


def lag_listed(client):
    lag = client.create_lag(numberOfConnections=1, location="PAR1", connectionsBandwidth="10Gbps", lagName="TestLag")
    return [found["lagName"] for found in client.describe_lags(lagId=lag["lagId"])["lags"]]


TABLE = [
    (created, SAME),
    (id_prefix, "an id is dxcon- with eight digits, as clients check"),
    (state_after_create, "an order waits for the operator and the cable; moto's is available at once"),
    (listed, SAME),
    (read_by_id, SAME),
    (state_after_delete, SAME),
    (listed_after_delete, SAME),
    (renamed, IF_OFFERED),
    (unknown_read, "AWS has one type of refusal, DirectConnectClientException; moto invents ConnectionNotFound"),
    (unknown_delete, "AWS has one type of refusal, DirectConnectClientException; moto invents ConnectionNotFound"),
    (other_location, "a location must exist; moto takes any word"),
    (encryption, "no port here does MACsec, so none says that it must"),
    (key_associated, "no port here does MACsec: the operation is not known"),
    (lag_size, SAME),
    (lag_listed, SAME),
]


@pytest.fixture
def region_client(region):
    """With an account of its own, as moto starts empty."""
    account = region.new_account()
    keys = {"aws_access_key_id": account.access_key, "aws_secret_access_key": account.secret_key}
    return boto3.client("directconnect", region_name=region.name, endpoint_url=region.aws, **keys)


@pytest.mark.parametrize("ask, difference", TABLE, ids=[ask.__name__ for ask, _ in TABLE])
def test_as_moto_or_for_a_reason_not(ask, difference, region_client, region):
    ours = outcome(ask, region_client)
    with mock_aws():
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        motos = outcome(ask, boto3.client("directconnect", region_name=region.name, **keys))
    match difference:
        case None:
            assert ours == motos
        case "if offered":
            assert ours == motos or ours == UNKNOWN_OPERATION
        case reason:
            assert ours != motos, f"no longer a difference: {reason}"


def outcome(ask, client):
    """What is seen, or the code of the refusal."""
    try:
        return ask(client)
    except ClientError as refusal:
        return refusal.response["Error"]["Code"]
