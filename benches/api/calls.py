"""Signed calls as the bytes that boto3 sends, and clients that keep their connection.

Calls are signed before the clock runs: what is measured is sending, the server, and reading the whole answer. Head and
body go in one segment, as botocore does it; a connection is kept for as long as its server keeps it.
"""

import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def signed(netloc: str, key: Credentials, operation: str, **parameters) -> bytes:
    body = json.dumps(parameters)
    request = AWSRequest("POST", f"http://{netloc}/", data=body)
    request.headers["Content-Type"] = "application/x-amz-json-1.1"
    request.headers["User-Agent"] = "directlink-bench"
    request.headers["X-Amz-Target"] = f"OvertureService.{operation}"
    SigV4Auth(key, "directconnect", "eu-west-2").add_auth(request)
    head = [f"Host: {netloc}", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in request.headers.items())]
    return ("POST / HTTP/1.1\r\n" + "\r\n".join(head) + "\r\n\r\n" + body).encode()


class Clients:
    """So many that ask one server at the same time, each on a connection of its own."""

    def __init__(self, netloc: str, many: int):
        host, port = netloc.rsplit(":", 1)
        self.address, self.many = (host, int(port)), many
        self.pool = ThreadPoolExecutor(many)
        self.own = threading.local()

    def ask(self, calls: list[bytes]) -> list[tuple[float, bytes]]:
        """Each answer, and the seconds that it took."""
        return list(self.pool.map(self.one, calls))

    def one(self, call: bytes) -> tuple[float, bytes]:
        before = time.perf_counter()
        kept = getattr(self.own, "socket", None)
        self.own.socket = None
        connection = kept or self.dial()
        connection.sendall(call)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = answer.read()
        if answer.will_close:
            connection.close()
        else:
            self.own.socket = connection
        took = time.perf_counter() - before
        if answer.status != 200:
            raise SystemExit(f"{self.address}: {answer.status} {body.decode()}")
        return took, body

    def dial(self) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

