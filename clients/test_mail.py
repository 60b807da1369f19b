"""The letters and a real relay (aiosmtpd): away for a while, killed over, and with a door that wants TLS and a password."""

import datetime
import email
import email.policy
import ipaddress
import ssl
from collections import Counter
from contextlib import contextmanager

import pytest
import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from region import eventually
from server import Server, free_ports
from signing import to_outscale

LETTERS = 3


class Relay:
    """Takes every mail. `on_mail` runs when one is there whole, before it is acknowledged."""

    def __init__(self, port: int, **options):
        self.port, self.options = port, options
        self.mails = []
        self.logins = []
        self.on_mail = lambda: None

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        self.on_mail()
        return "250 taken"

    def authenticate(self, server, session, envelope, mechanism, data):
        self.logins.append((data.login, data.password, session.ssl is not None))
        return AuthResult(success=data.password == b"open sesame")

    @contextmanager
    def running(self):
        controller = Controller(self, hostname="127.0.0.1", port=self.port, **self.options)
        controller.start()
        try:
            yield self
        finally:
            controller.stop()

    def ids(self) -> Counter:
        return Counter(mail["Message-ID"] for mail in self.mails)


@pytest.fixture
def relay() -> Relay:
    return Relay(free_ports(4)[-1])


@contextmanager
def server_with(relay, folder, *options):
    way = ["--smtp-host", "127.0.0.1", "--smtp-port", str(relay.port), "--mail-from", "Desk <desk@directlink.example>"]
    with Server.running(folder, *way, *options) as server:
        server.site(ports=8)
        yield server


def approved_order(server, account, name: str) -> str:
    wish = {"Location": "PAR1", "Bandwidth": "1Gbps", "DirectLinkName": name}
    asked = to_outscale(server, account, "CreateDirectLink", wish)
    answer = requests.post(asked.url, data=asked.body, headers=asked.signed_headers(), timeout=30)
    assert answer.ok, answer.text
    connection = answer.json()["DirectLink"]["DirectLinkId"]
    server.approve(connection)
    return connection


def mail_states(server) -> list[tuple[bool, bool]]:
    """Of each mail: whether it is sent, and whether an attempt failed."""
    return [(mail["sent_at"] is not None, bool(mail["failure"])) for mail in server.operator("GET", "/mail")["mail"]]


def test_each_letter_arrives_once_although_the_relay_was_away(relay, tmp_path):
    with server_with(relay, tmp_path, "--smtp-security", "none") as server:
        account = server.new_account()
        connections = {approved_order(server, account, f"fibre {n}") for n in range(LETTERS)}
        eventually(lambda: mail_states(server), lambda seen: any(failed for _, failed in seen))
        with relay.running():
            eventually(lambda: mail_states(server), [(True, False)] * LETTERS, within_seconds=40)
            # What comes after shows that nothing comes twice: not after another start either.
            server.kill()
            server.start()
            connections.add(approved_order(server, account, "one more"))
            eventually(lambda: len(relay.mails), LETTERS + 1)
        assert set(relay.ids().values()) == {1}
        assert len(relay.ids()) == LETTERS + 1
        assert {mail["To"] for mail in relay.mails} == {account.login}
        told = {mail["Subject"].split()[4] for mail in relay.mails}
        assert told == connections
        for mail in relay.mails:
            (letter,) = mail.iter_attachments()
            assert letter.get_content_type() == "application/pdf"
            assert letter.get_content().startswith(b"%PDF-")


def test_a_server_killed_between_the_relays_yes_and_its_own_note_sends_the_same_message_again(relay, tmp_path):
    with server_with(relay, tmp_path, "--smtp-security", "none", "--clock", "virtual") as server, relay.running():
        account = server.new_account()
        kills = [server.process.kill, lambda: None]
        relay.on_mail = lambda: kills[min(len(relay.mails), 2) - 1]()
        approved_order(server, account, "fibre")
        eventually(lambda: len(relay.mails), 1)
        server.process.wait()
        server.start()
        assert mail_states(server) == [(False, False)], "nobody has noted that it was taken"
        server.advance_clock(60)
        eventually(lambda: mail_states(server), [(True, False)])
        server.advance_clock(24 * 3600)
        approved_order(server, account, "another")
        eventually(lambda: mail_states(server), [(True, False)] * 2)
        assert sorted(relay.ids().values()) == [1, 2]
        first, second = relay.mails[:2]
        assert bytes(first) == bytes(second), "a copy is one to the byte"


def test_a_relay_with_starttls_and_a_password_is_spoken_to_in_secret_or_not_at_all(relay, tmp_path):
    authority, certificate, key = own_certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    relay.options = {"tls_context": context, "require_starttls": True, "auth_required": True}
    relay.options["authenticator"] = relay.authenticate
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    login = ["--smtp-user", "desk", "--smtp-password-file", str(password)]
    with relay.running():
        (tmp_path / "stranger").mkdir()
        with server_with(relay, tmp_path / "stranger", *login) as server:
            approved_order(server, server.new_account(), "fibre")
            (failure,) = eventually(
                lambda: [mail["failure"] for mail in server.operator("GET", "/mail")["mail"]], lambda seen: all(seen)
            )
            assert "certificate" in failure.lower(), failure
        assert relay.logins == [], "whom it does not know it tells nothing"
        (tmp_path / "friend").mkdir()
        with server_with(relay, tmp_path / "friend", *login, "--smtp-ca-file", str(authority)) as server:
            approved_order(server, server.new_account(), "fibre")
            eventually(lambda: mail_states(server), [(True, False)])
            assert "open sesame" not in (tmp_path / "friend" / "log").read_text()
        assert set(relay.logins) == {(b"desk", b"open sesame", True)}
        assert len(relay.mails) == 1


def own_certificates(folder):
    """Of an authority that nobody knows, and of a relay at 127.0.0.1 with its key: three PEM files."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("authority", "relay")]
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = []
    for name, key, extension in zip(names, keys, (x509.BasicConstraints(ca=True, path_length=None), here)):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=name == names[0])
        builder = builder.not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=1))
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    format, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    made.append(keys[1].private_bytes(serialization.Encoding.PEM, format, none))
    files = [folder / name for name in ("authority.pem", "relay.pem", "relay.key")]
    for file, pem in zip(files, made):
        file.write_bytes(pem)
    return files
