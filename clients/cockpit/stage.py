"""What a browser test needs around the pages: Debian's Chromium, people at their desks, and a customer's router that
runs what Cockpit wrote for it.

    Desk      a browser window of one person; whatever its console complains of fails the test
    Office    a namespace at the end of a cable: VLANs, an office network, BIRD with the configuration from Cockpit
"""

import os
import re
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from region import Region, directlink, run

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
    " --disable-sync"
).split()
OFFICE = "192.168.10.0/24"


@contextmanager
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Desk:
    """One person's window. `seen` collects what the console and the network complain of."""

    def __init__(self, browser, url: str, **options):
        self.url = url
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _console(self, message):
        # That a page is not there, or a form came back, the browser tells as well: it is what was asked.
        if message.type in ("error", "warning") and "responded with a status of 4" not in message.text:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def open(self, path: str = ""):
        return self.page.goto(self.url + path, wait_until="load")

    def sign_in_as_customer(self, account):
        self.open()
        self.page.get_by_label("E-mail address").fill(account.login)
        self.page.get_by_label("Password").fill(account.password)
        self.press("Sign in")

    def sign_in_as_operator(self, token: str):
        self.open()
        self.page.get_by_label("Operator token").fill(token)
        self.press("Sign in")

    def press(self, name: str):
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str, exact: bool = False):
        self.page.get_by_role("link", name=name, exact=exact).first.click()

    def close(self):
        self.context.close()


class Office:
    """A customer's side of one cable."""

    def __init__(self, region: Region, port: str, vlans: list[int]):
        self.region, self.port, self.vlans = region, port, vlans
        self.netns = f"dlk-{os.getpid()}-{port.replace('/', '-')}"
        self.dir = Path(tempfile.mkdtemp(prefix="office-", dir=region.state))
        self.bird: subprocess.Popen | None = None
        run("ip", "netns", "add", self.netns)
        inside = ("ip", "-netns", self.netns)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "add", "office0", "type", "veth", "peer", "name", "desk0")
        for link in ("office0", "desk0"):
            run(*inside, "link", "set", link, "up")
        run(*inside, "address", "add", OFFICE.replace(".0/", ".1/"), "dev", "office0")

    def plug(self):
        words = ["lab", "cable", "--state", self.region.state, "--port", self.port, "--netns", self.netns]
        vlans = [word for vlan in self.vlans for word in ("--vlan", f"{vlan}=vl{vlan}")]
        directlink(*words, "--ifname", "fibre", *vlans)

    def pull(self):
        directlink("lab", "uncable", "--state", self.region.state, "--port", self.port)

    def speak(self, configuration: str, vlan: int):
        """BIRD with what Cockpit wrote, its two marked places filled in: the port, and the office's prefix."""
        [own] = re.findall(r"ip address add (\S+) dev", configuration)
        inside = ("ip", "-netns", self.netns)
        run(*inside, "address", "replace", own, "dev", f"vl{vlan}")
        run(*inside, "link", "set", f"vl{vlan}", "up")
        out, policy_in = configuration.split("_IN = [", 1)
        text = out.replace("192.0.2.0/24", OFFICE) + "_IN = [" + policy_in.replace("192.0.2.0/24", "10.0.0.0/8{8,32}")
        config = self.dir / "bird.conf"
        config.write_text(text)
        bird = ["ip", "netns", "exec", self.netns, "/usr/sbin/bird", "-f", "-c", config, "-s", self.dir / "bird.ctl"]
        log = open(self.dir / "bird.log", "w")
        self.bird = subprocess.Popen([str(word) for word in bird], stdout=log, stderr=log)

    def be_silent(self):
        if self.bird:
            self.bird.terminate()
            self.bird.wait(10)
            self.bird = None

    def ping(self, address: str, times: int):
        """Traffic, whether or not somebody answers."""
        command = ["ip", "netns", "exec", self.netns, "ping", "-q", "-i", "0.02", "-c", str(times), "-W", "1"]
        subprocess.run([*command, "-I", OFFICE.replace(".0/24", ".1"), address], capture_output=True, timeout=60)

    def close(self):
        self.be_silent()
        with suppress(AssertionError):
            self.pull()
        run("ip", "netns", "del", self.netns)
