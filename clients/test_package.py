"""The Debian package as whoever installs it finds it: made of the binary under test, unpacked into a folder."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from region import DIRECTLINK, eventually

PROJECT = Path(__file__).parent.parent


def run(*words, **settings):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **settings)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    made = run(PROJECT / "scripts/package", DIRECTLINK, folder, "none")
    assert made.returncode == 0, made.stderr
    (package,) = folder.glob("directlink_*.deb")
    for words in (["--extract", package, folder / "root"], ["--control", package, folder / "control"]):
        assert run("dpkg-deb", *words).returncode == 0
    return folder


@pytest.fixture
def root(package):
    return package / "root"


def settings(root, command):
    return root / f"etc/directlink/{command}.toml"


def test_settings_are_an_operators_to_keep_and_not_everybodys_to_read(package, root):
    files = (package / "control/conffiles").read_text().split()
    assert sorted(files) == ["/etc/directlink/agent.toml", "/etc/directlink/server.toml"]
    assert {(root / file.lstrip("/")).stat().st_mode & 0o777 for file in files} == {0o640}


def test_the_server_runs_with_the_packages_settings(root, tmp_path):
    state = {"DIRECTLINK_SERVER_STATE": str(tmp_path), "DIRECTLINK_LISTEN": "127.0.0.1:0"}
    listen = {f"DIRECTLINK_LISTEN_{what}": "127.0.0.1:0" for what in ("OPERATOR", "AGENTS")}
    words = [root / "usr/bin/directlink", "serve", "--config", settings(root, "server")]
    server = subprocess.Popen(words, env=os.environ | state | listen, stderr=subprocess.PIPE, text=True)
    try:
        assert any(" serving " in line or '"serving"' in line for line in server.stderr)
        assert server.poll() is None
    finally:
        server.send_signal(signal.SIGTERM)
    assert server.wait(20) == 0, server.stderr.read()


def test_an_agent_that_does_not_know_its_router_is_told_so_before_it_starts(root):
    binary, file = root / "usr/bin/directlink", settings(root, "agent")
    refused = run(binary, "check-config", "agent", file)
    assert refused.returncode != 0 and "--router <NAME>" in refused.stderr
    names = 'router = "par1-r1"\nservers = ["https://127.0.0.1:8082"]\nidentity = "/etc/directlink/identity"\n'
    file.write_text(names + file.read_text())
    checked = run(binary, "check-config", "agent", file)
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"^router +par1-r1 +file$", checked.stdout, re.M)
    assert re.search(r"^state +/var/lib/directlink-agent +file$", checked.stdout, re.M)


@pytest.mark.parametrize(("unit", "exposure"), [("server", 2.0), ("agent", 6.0)])
def test_units_are_right_and_hardened(root, tmp_path, unit, exposure):
    name = f"directlink-{unit}.service"
    text = (root / "lib/systemd/system" / name).read_text()
    # Where it would be installed there is nothing here.
    (tmp_path / name).write_text(text.replace("/usr/bin/directlink", str(root / "usr/bin/directlink")))
    verified = run("systemd-analyze", "verify", "--man=no", tmp_path / name)
    assert (verified.returncode, verified.stderr) == (0, "")
    security = run("systemd-analyze", "security", "--offline=true", "--no-pager", tmp_path / name)
    (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", security.stdout)
    assert float(level) <= exposure


def test_it_brings_manual_pages_and_completions(root):
    assert {"directlink.1.gz", "directlink-serve.1.gz"} <= {page.name for page in (root / "usr/share/man/man1").iterdir()}
    bash = root / "usr/share/bash-completion/completions/directlink"
    assert run("bash", "-n", bash).returncode == 0 and "check-config" in bash.read_text()


def test_scripts_of_the_package_are_sound(package):
    for script in ("postinst", "prerm", "postrm"):
        assert run("sh", "-n", package / "control" / script).returncode == 0, script
