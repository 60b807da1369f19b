"""Requests signed by hand (signature v4, both brands): for what no client sends, such as a day-old date or a broken body.

    brand   algorithm          key seed       scope ends with   date header
    osc     OSC4-HMAC-SHA256   "OSC4" + key   osc4_request      X-Osc-Date
    aws     AWS4-HMAC-SHA256   "AWS4" + key   aws4_request      X-Amz-Date
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import requests

DATE_HEADERS = {"osc": "X-Osc-Date", "aws": "X-Amz-Date"}


@dataclass
class Asked:
    """A request to be; a test changes one thing of a good one."""

    url: str
    body: bytes
    access_key: str
    secret_key: str = field(repr=False)
    brand: str = "osc"
    region: str = "eu-west-2"
    service: str = "api"
    headers: dict = field(default_factory=dict)
    age: timedelta = timedelta()

    def signed_headers(self) -> dict:
        name, upper, date_header = self.brand, self.brand.upper(), DATE_HEADERS[self.brand]
        date = (datetime.now(timezone.utc) - self.age).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{date[:8]}/{self.region}/{self.service}/{name}4_request"
        url = urlsplit(self.url)
        signed = {"host": url.netloc, date_header.lower(): date} | {k.lower(): v for k, v in self.headers.items()}
        names = ";".join(sorted(signed))
        canonical = "\n".join(
            [
                "POST",
                url.path or "/",
                url.query,
                *(f"{key}:{signed[key]}" for key in sorted(signed)),
                "",
                names,
                hashlib.sha256(self.body).hexdigest(),
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"{upper}4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text = f"{upper}4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        authorization = (
            f"{upper}4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return {**self.headers, date_header: date, "Authorization": authorization}

    def send(self, **changes) -> requests.Response:
        """Sends it; `changes` replace `headers` or `body` after the signing, as a thief on the way would."""
        sent = {"data": self.body, "headers": self.signed_headers()} | changes
        return requests.post(self.url, timeout=30, **sent)


def to_outscale(region, account, action: str, parameters: dict | None = None, **changes) -> Asked:
    good = {
        "url": f"{region.api}/{action}",
        "body": json.dumps(parameters or {}).encode(),
        "access_key": account.access_key,
        "secret_key": account.secret_key,
        "region": region.name,
        "headers": {"Content-Type": "application/json"},
    }
    return Asked(**(good | changes))


def to_aws(region, account, operation: str, parameters: dict | None = None, **changes) -> Asked:
    good = {
        "url": f"{region.aws}/",
        "body": json.dumps(parameters or {}).encode(),
        "access_key": account.access_key,
        "secret_key": account.secret_key,
        "brand": "aws",
        "region": region.name,
        "service": "directconnect",
        "headers": {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"OvertureService.{operation}",
        },
    }
    return Asked(**(good | changes))
