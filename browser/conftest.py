"""The panel in Debian's headless Chromium, on a real `focusd` with a virtual controller.

Every page is watched while a test looks at it: nothing may break its Content-Security-Policy, complain on its
console, or go anywhere but to its daemon.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import Pyro4
import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from rockit.focuser.ok3z.simulator.control import tell

BIN = Path(sys.executable).parent
CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
# How long anything may take before a test gives up on it.
BOUND_S = 30.0
POLL_S = 0.02
OBJECT_NAME = "dome_focuser"

CONFIG: dict[str, Any] = {
    "daemon": "browser_test",
    "log_name": "focusd@browser_test",
    "control_machines": ["LocalHost"],
    "serial_baud": 38400,
    "serial_timeout": 5,
    "move_timeout": 180,
    "steps_per_mm": 5088,
    "anti_backlash_mm": 0.1,
    "focus_range_mm": 6.0,
    "speed_mm_sec": 0.2,
    "acceleration_mm_sec_sec": 5,
}
# 2 mm/s on the clock on the wall: time enough to step in.
SIMULATOR = {"start_mm": 0.3, "time_scale": 10}

# In every document, before its own scripts: counts what breaks the policy, how often the chart is drawn, and how often
# it must be because its size has changed.
WATCH = """
window.watched = {violations: [], drawn: 0, resized: 0};
document.addEventListener("securitypolicyviolation", (event) => {
  window.watched.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
window.ResizeObserver = class extends ResizeObserver {
  constructor(callback) {
    super((...changes) => {
      window.watched.resized += 1;
      callback(...changes);
    });
  }
};
const clearRect = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...area) {
  window.watched.drawn += 1;
  return clearRect.apply(this, area);
};
"""


def wait_until(holds: Callable[[], Any], what: str) -> Any:
    """Poll until something true comes, and give it."""
    deadline_s = time.monotonic() + BOUND_S
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"this never came: {what}"
        time.sleep(POLL_S)


class Daemon:
    """A `focusd` process with a panel, and ways to it beside the panel.

    Args:
        folder: for its files.
        changes: of the configuration; a dict for `serial_port` is options of `sim://`.
    """

    def __init__(self, folder: Path, changes: dict[str, Any]) -> None:
        self._reserved = [_reserved_port() for _ in range(2)]
        self.pyro_port, self.port = (sock.getsockname()[1] for sock in self._reserved)
        self.url = f"http://127.0.0.1:{self.port}/"
        self.control = str(folder / "control")
        self._folder = folder
        self._config_path = folder / "focuser.json"
        self._site_path = folder / "site.json"
        self._popen: subprocess.Popen[bytes] | None = None
        self._write(changes)

    def _write(self, changes: dict[str, Any]) -> None:
        simulator = {**SIMULATOR, **changes.pop("serial_port", {}), "control": self.control}
        port = "sim://?" + "&".join(f"{key}={value}" for key, value in simulator.items())
        values = {**CONFIG, "serial_port": port, "alpaca": {"port": self.port}, **changes}
        self._config_path.write_text(json.dumps(values))
        own = {"name": OBJECT_NAME, "machine": "LocalHost", "port": self.pyro_port}
        site = {"machines": {"Elsewhere": "127.0.0.2"}, "daemons": {"browser_test": own}}
        self._site_path.write_text(json.dumps(site))

    @property
    def log(self) -> str:
        return (self._folder / "focusd.log").read_text(errors="replace")

    def start(self) -> Daemon:
        """Start, and wait until the panel answers."""
        environment = {**os.environ, "ROCKIT_SITE_PATH": str(self._site_path), "PYTHONUNBUFFERED": "1"}
        environment["STATE_DIRECTORY"] = str(self._folder / "state")
        with (self._folder / "focusd.log").open("ab") as log:
            self._popen = subprocess.Popen(
                [str(BIN / "focusd"), str(self._config_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        wait_until(self._is_up, "the panel answers")
        return self

    def _is_up(self) -> bool:
        assert self._popen is not None
        assert self._popen.poll() is None, self.log
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait(BOUND_S)
        Path(self.control).unlink(missing_ok=True)

    def signal(self, number: int) -> None:
        assert self._popen is not None
        self._popen.send_signal(number)

    def end(self) -> None:
        """End it in good order, if it still runs."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(signal.SIGCONT)
            self._popen.terminate()
            assert self._popen.wait(BOUND_S) == 0, self.log
            assert "Traceback" not in self.log

    def dispose(self) -> None:
        for sock in self._reserved:
            sock.close()
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait(BOUND_S)

    def call(self, method: str, *arguments: Any) -> Any:
        """One call over Pyro, as the observatory makes it."""
        with Pyro4.Proxy(f"PYRO:{OBJECT_NAME}@127.0.0.1:{self.pyro_port}") as proxy:
            proxy._pyroTimeout = BOUND_S
            return getattr(proxy, method)(*arguments)

    def connections(self) -> int:
        """How many the panel has open."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        established = "01"
        return sum(row[1].endswith(f":{self.port:04X}") and row[3] == established for row in rows)

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = self.call("report_status")
        return report

    def post(self, command: str, values: dict[str, Any], sender: str) -> dict[str, Any]:
        """A command of the panel from another address of this machine."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=BOUND_S, source_address=(sender, 0)
        )
        try:
            body = json.dumps(values)
            connection.request("POST", f"/panel/{command}", body, {"Content-Type": "application/json"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer

    def tell(self, line: str) -> None:
        """Do something to the virtual controller."""
        answer = tell(self.control, line)
        assert answer["ok"], answer


def _reserved_port() -> socket.socket:
    # Bound and not listening: who sets SO_REUSEADDR too can listen there, and nobody is given the port by chance.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


class Page:
    """What a person sees and does."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        # What a browser says by itself of a server that is away.
        self.may_lose_daemon = False

    def open(self, daemon: Daemon, path: str = "") -> Page:
        """Look at the panel of a daemon, and wait for what it says."""
        self.driver.get(daemon.url + path)
        return self.wait_for("#daemon-link", "Live")

    def find(self, selector: str) -> WebElement:
        element: WebElement = self.driver.find_element("css selector", selector)
        return element

    def all(self, selector: str) -> list[WebElement]:
        elements: list[WebElement] = self.driver.find_elements("css selector", selector)
        return elements

    def text(self, selector: str) -> str:
        """What is written there, as a whole."""
        script = "return document.querySelector(arguments[0])?.textContent ?? ''"
        return str(self.driver.execute_script(script, selector))

    def wait_for(self, selector: str, text: str) -> Page:
        """Wait until something stands there."""
        said = ""

        def stands() -> bool:
            nonlocal said
            said = self.text(selector)
            return text in said

        try:
            wait_until(stands, f"{text!r} in {selector}")
        except AssertionError:
            pytest.fail(f"{text!r} never came in {selector}; it says {said!r}, and {self.text('#refusal')!r}")
        return self

    def wait_until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait until something is so."""
        wait_until(holds, what)

    def hide(self, hidden: bool) -> None:
        """As if the tab were behind another one, or in front again."""
        script = """
            const hidden = arguments[0];
            Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
            document.dispatchEvent(new Event("visibilitychange"));
        """
        self.run(script, hidden)

    @contextmanager
    def script_in_every_document(self, source: str) -> Iterator[None]:
        """Runs before the scripts of a page itself."""
        add, remove = "Page.addScriptToEvaluateOnNewDocument", "Page.removeScriptToEvaluateOnNewDocument"
        added = self.driver.execute_cdp_cmd(add, {"source": source})
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd(remove, added)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def click(self, selector: str) -> None:
        """As a finger does: the place must be on the screen, and nothing else over it."""
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        self.find(selector).click()

    def press(self, *keys: str) -> None:
        """Keys, wherever the focus is."""
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def type_into(self, selector: str, *keys: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(*keys)

    def set(self, text: str) -> None:
        """Type a position, and send it."""
        self.type_into("#set-to", text, Keys.ENTER)

    def initialise(self) -> Page:
        self.click("[data-opens=initialise]")
        self.click("#initialise-now")
        return self.wait_for("#answer", "Initialise: done.")

    def emulate(self, width: int, height: int, mobile: bool = False, scale: float = 1) -> None:
        """The size of the window's inside, in CSS pixels."""
        details = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", details)
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": mobile})

    def assert_behaved(self, origin: str) -> None:
        """Nothing broke the policy, nothing complained, and nothing went elsewhere."""
        assert self.run("return window.watched ? window.watched.violations : []") == []
        complaints = [entry["message"] for entry in self.driver.get_log("browser") if self._counts(entry)]
        assert complaints == []
        requested = [url for url in self._requested() if not url.startswith(("data:", "about:"))]
        assert requested, "the log of requests is empty"
        assert [url for url in requested if not url.startswith(origin)] == []

    def _counts(self, entry: dict[str, Any]) -> bool:
        return not (self.may_lose_daemon and "net::ERR_" in entry["message"])

    def _requested(self) -> list[str]:
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="session", autouse=True)
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One Chromium for all tests. Where it is missing, they fail: Debian's chromium and chromium-driver."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("chromium")
    for word in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(word)
    options.add_argument(f"--user-data-dir={profile}")
    if os.geteuid() == 0:
        # Chromium's sandbox does not work for root, as in most containers.
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Makes and starts daemons; keywords are keys of the configuration."""
    made: list[Daemon] = []

    def make(**changes: Any) -> Daemon:
        folder = tmp_path / f"d{len(made)}"
        folder.mkdir()
        made.append(Daemon(folder, changes))
        return made[-1].start()

    yield make
    try:
        for daemon in made:
            daemon.end()
    finally:
        for daemon in made:
            daemon.dispose()


@pytest.fixture
def daemon(make_daemon: Callable[..., Daemon]) -> Daemon:
    """Not initialised yet."""
    return make_daemon()


@pytest.fixture
def page(driver: Any, make_daemon: Callable[..., Daemon]) -> Iterator[Page]:
    """A window as wide as a desk's, which behaves to the end of the test."""
    # Its own end must come before that of the daemons.
    assert callable(make_daemon)
    # What is left of the test before must not be heard.
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    page = Page(driver)
    page.emulate(1280, 860)
    yield page
    page.assert_behaved(page.run("return location.origin"))
    page.run("localStorage.clear()")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.get("about:blank")


@pytest.fixture
def ready(page: Page, daemon: Daemon) -> Page:
    """The panel of a focuser that is homed."""
    assert daemon.call("initialize") == 0
    return page.open(daemon).wait_for("#state", "IDLE")
