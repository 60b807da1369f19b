"""The OUTSCALE API, which has Nets."""

import http.client
import json

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from servers import Server


def net_and_gateway(server: Server, account: dict) -> str:
    def call(action: str, **parameters) -> dict:
        return oapi(server.netloc, account, action, parameters)

    net = call("CreateNet", IpRange="10.0.0.0/16")["Net"]["NetId"]
    call("CreateSubnet", NetId=net, IpRange="10.0.1.0/24")
    gateway = call("CreateVirtualGateway", ConnectionType="ipsec.1")["VirtualGateway"]["VirtualGatewayId"]
    call("LinkVirtualGateway", NetId=net, VirtualGatewayId=gateway)
    return gateway


def oapi(netloc: str, account: dict, action: str, parameters: dict) -> dict:
    body = json.dumps(parameters)
    request = AWSRequest("POST", f"http://{netloc}/api/v1/{action}", data=body)
    request.headers["Content-Type"] = "application/json"
    key = Credentials(account["access_key"], account["secret_key"])
    SigV4Auth(key, "api", "eu-west-2").add_auth(request)
    connection = http.client.HTTPConnection(netloc, timeout=60)
    connection.request("POST", f"/api/v1/{action}", body, dict(request.headers))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{action}: {answer.status} {text}")
    return json.loads(text)
