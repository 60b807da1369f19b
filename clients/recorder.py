"""A tap between a real client and the Region: it passes every byte on, and remembers each exchange.

    client ──HTTP──► Recorder ──HTTP──► server
                        └─ exchanges: what specification.py reads afterwards

Nothing is changed on the way: the path as sent (osc-cli's `//api/latest/…`), the Host header and with it the
signature, the order and case of headers. So the clients stay unmodified, and what they got is what is checked.
"""

import http.client
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    request_headers: Message
    request_body: bytes
    status: int
    headers: Message
    body: bytes


class Recorder:
    def __init__(self, netloc: str):
        self._server = netloc
        self._exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, name=f"tap of {netloc}", daemon=True)
        self._thread.start()

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self._http.server_port}"

    def take(self) -> list[Exchange]:
        """What was exchanged since the last take."""
        with self._lock:
            taken, self._exchanges = self._exchanges, []
        return taken

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _pass_on(self, method: str, path: str, headers: Message, body: bytes) -> Exchange:
        connection = http.client.HTTPConnection(self._server, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Exchange(method, path, headers, body, answer.status, answer.msg, answer.read())
        finally:
            connection.close()

    def _handler(self):
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                # `self.path` has its leading slashes folded; the request line has what was sent.
                exchange = recorder._pass_on(self.command, self.requestline.split()[1], self.headers, body)
                with recorder._lock:
                    recorder._exchanges.append(exchange)
                self.send_response_only(exchange.status)
                for name, value in exchange.headers.items():
                    if name.lower() not in HOP_BY_HOP | {"content-length"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(exchange.body)))
                self.end_headers()
                self.wfile.write(exchange.body)

            do_GET = do_POST = do_OPTIONS = do_PUT = do_DELETE = _serve

            def log_message(self, *_):
                pass

        return Handler


@contextmanager
def tapped(*urls: str):
    """Taps in front of the servers of `urls`: the same URLs through them, and a way to take what passed."""
    recorders = {netloc: Recorder(netloc) for netloc in {urlsplit(url).netloc for url in urls}}
    try:
        through = [urlsplit(url)._replace(netloc=recorders[urlsplit(url).netloc].netloc).geturl() for url in urls]
        yield through, lambda: [exchange for r in recorders.values() for exchange in r.take()]
    finally:
        for recorder in recorders.values():
            recorder.close()
