"""Who may ask: signature v4 in both brands, the few actions that take a password, and those that need nothing.

A key that fails too often is locked for a while, so each of these tests spends an account of its own.
"""

import json
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from clients import Customer, Refused, shell
from region import Account
from signing import to_aws, to_outscale

ASK = {"outscale": (to_outscale, "ReadDirectLinks"), "aws": (to_aws, "DescribeConnections")}
FACES = list(ASK)


@pytest.fixture
def key(region) -> Account:
    return region.new_account()


def good(face, region, key, **changes):
    ask, action = ASK[face]
    return ask(region, key, action, **changes)


def refusal(face, answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and text."""
    body = answer.json()
    if face == "aws":
        return answer.status_code, body["__type"], body["message"]
    return answer.status_code, body["Errors"][0]["Code"], body["Errors"][0]["Details"]


NO_ONE = {"outscale": {(401, "1")}, "aws": {(401, "AuthFailure"), (400, "MissingAuthenticationTokenException")}}
WRONG = {"outscale": {(401, "1")}, "aws": {(403, "SignatureDoesNotMatch"), (400, "InvalidSignatureException")}}
UNKNOWN = {"outscale": {(401, "1")}, "aws": {(401, "AuthFailure"), (400, "UnrecognizedClientException")}}
STALE = {"outscale": {(401, "15")}, "aws": {(400, "RequestExpired"), (400, "InvalidSignatureException")}}


@pytest.mark.parametrize("face", FACES)
def test_a_good_signature_is_taken(face, region, key):
    assert good(face, region, key).send().status_code == 200


@pytest.mark.parametrize("brand", ["osc", "aws"])
@pytest.mark.parametrize("service", ["api", "oapi", "directlink", "directconnect"])
def test_the_outscale_api_takes_both_brands_and_any_service_name(brand, service, region, key):
    assert good("outscale", region, key, brand=brand, service=service).send().status_code == 200


@pytest.mark.parametrize("path", ["/api/v1", "/api/V1", "/api/latest", "//api/latest", "/api/v1.42"])
def test_the_outscale_api_answers_under_every_path_that_clients_use(path, region, key):
    netloc = region.api.split("/")[2]
    asked = to_outscale(region, key, "ReadDirectLinks", url=f"http://{netloc}/{path.lstrip('/')}/ReadDirectLinks")
    headers = asked.signed_headers()  # clients sign the path with one slash
    asked.url = f"http://{netloc}{path}/ReadDirectLinks"
    answer = asked.send(headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("face", FACES)
def test_a_wrong_secret_key_is_refused(face, region, key):
    answer = good(face, region, key, secret_key="0" * 40).send()
    assert refusal(face, answer)[:2] in WRONG[face], answer.text


@pytest.mark.parametrize("face", FACES)
def test_a_body_changed_after_signing_is_refused(face, region, key):
    answer = good(face, region, key).send(data=b'{ }')
    assert refusal(face, answer)[:2] in WRONG[face], answer.text


@pytest.mark.parametrize("face", FACES)
def test_a_signed_header_changed_after_signing_is_refused(face, region, key):
    asked = good(face, region, key)
    headers = asked.signed_headers() | {"Content-Type": asked.headers["Content-Type"] + "; charset=utf-8"}
    answer = asked.send(headers=headers)
    assert refusal(face, answer)[:2] in WRONG[face], answer.text


@pytest.mark.parametrize("face", FACES)
def test_an_unknown_access_key_is_refused(face, region, key):
    answer = good(face, region, key, access_key="A" * 20).send()
    assert refusal(face, answer)[:2] in UNKNOWN[face], answer.text


@pytest.mark.parametrize("face", FACES)
def test_no_signature_is_refused(face, region, key):
    asked = good(face, region, key)
    answer = asked.send(headers=asked.headers)
    assert refusal(face, answer)[:2] in NO_ONE[face], answer.text


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("age", [timedelta(days=1), -timedelta(hours=1)], ids=["a day old", "an hour ahead"])
def test_a_request_of_another_time_is_refused(face, age, region, key):
    answer = good(face, region, key, age=age).send()
    assert refusal(face, answer)[:2] in STALE[face], answer.text


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("authorization", ["", "Bearer x", "OSC4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=, Signature="])
def test_an_authorization_that_is_none_is_refused_and_never_an_error_of_ours(face, authorization, region, key):
    asked = good(face, region, key)
    answer = asked.send(headers=asked.signed_headers() | {"Authorization": authorization})
    assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"a":' * 200], ids=["half", "list", "string", "no UTF-8", "deep"])
def test_a_body_that_is_no_object_is_refused_and_never_an_error_of_ours(face, body, region, key):
    answer = good(face, region, key, body=body).send()
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("body", [b"", b"{}", b"null"])
def test_no_parameters_can_be_said_in_three_ways(body, region, key):
    assert good("outscale", region, key, body=body).send().status_code == 200


def test_another_content_type_is_refused(region, key):
    answer = good("outscale", region, key, headers={"Content-Type": "text/xml"}).send()
    assert refusal("outscale", answer)[:2] == (400, "3010"), answer.text


@pytest.mark.parametrize("action", ["ReadLocations", "ReadRegions"])
def test_what_needs_no_signature_is_answered_without_and_with_a_wrong_one(action, region, key):
    asked = to_outscale(region, key, action, secret_key="0" * 40)
    assert asked.send(headers=asked.headers).status_code == 200
    assert asked.send().status_code == 200


def test_a_password_reads_the_access_keys_and_nothing_else(region, owner, tmp_path):
    def ask(action, password):
        endpoint = region.api.removesuffix("/api/v1")
        words = ("--authentication_method=password", "--login", owner.account.login, "--password", password)
        return shell(tmp_path, "osc-cli", "api", action, *words, "--endpoint", endpoint)

    read = ask("ReadAccessKeys", owner.account.password)
    assert read.returncode == 0, read.stderr
    assert owner.account.access_key in {key["AccessKeyId"] for key in json.loads(read.stdout)["AccessKeys"]}
    assert "SecretKey" not in read.stdout
    assert "code = 1," in ask("ReadAccessKeys", "guessed").stderr
    assert "code = 1," in ask("ReadDirectLinks", owner.account.password).stderr


def test_a_new_access_key_works_in_every_client(region, owner, connection, tmp_path):
    made = owner.outscale.call("CreateAccessKey")["AccessKey"]
    key = replace(owner.account, access_key=made["AccessKeyId"], secret_key=made["SecretKey"])
    customer = Customer(region, key, tmp_path / "home")
    for client in "osc-cli", "aws-cli":
        assert customer[client].connection(connection.id) == connection


def test_curl_can_sign_for_both_faces(region, owner, connection):
    key = owner.account

    def curl(*words):
        done = subprocess.run(
            ["curl", "--silent", "--fail-with-body", "--noproxy", "*", "--user", f"{key.access_key}:{key.secret_key}", *words],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout)

    outscale = curl(f"{region.api}/ReadDirectLinks", "--aws-sigv4", f"osc:osc:{region.name}:api",
                    "--header", "Content-Type: application/json", "--data", "{}")  # fmt: skip
    aws = curl(f"{region.aws}/", "--aws-sigv4", f"aws:amz:{region.name}:directlink",
               "--header", "X-Amz-Target: OvertureService.DescribeConnections",
               "--header", "Content-Type: application/x-amz-json-1.1", "--data", "{}")  # fmt: skip
    assert connection.id in {seen["DirectLinkId"] for seen in outscale["DirectLinks"]}
    assert connection.id in {seen["connectionId"] for seen in aws["connections"]}


def test_a_refused_signature_is_shown_by_the_clients(region, key, tmp_path):
    customer = Customer(region, replace(key, secret_key="0" * 40), tmp_path / "home")
    for client in ("osc-cli", "aws-cli"):
        with pytest.raises(Refused):
            customer[client].connections()
