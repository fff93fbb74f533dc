"""The panel in Debian's headless Chromium, on a real `focusd` with a virtual controller.

Every page is watched while a test looks at it: nothing may break its Content-Security-Policy, complain on its
console, or go anywhere but to its daemon.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.support.processes import Focusd
from tests.support.waiting import BOUND_S, wait_until

CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
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


class Daemon(Focusd):
    """A `focusd` process with a panel, and ways to it beside the panel.

    Args:
        folder: for its files.
        serial_port: options of `sim://`.
        changes: of the configuration.
    """

    # 2 mm/s on the clock on the wall: time enough to step in.
    def __init__(self, folder: Path, serial_port: dict[str, Any] | None = None, **changes: Any) -> None:
        options = {"time_scale": 10, **(serial_port or {})}
        changes = {"anti_backlash_mm": 0.1, "alpaca": {}, **changes}
        super().__init__(folder, "dome", serial_port=options, **changes)
        self.port = self.alpaca.port
        self.url = f"http://127.0.0.1:{self.port}/"

    def end_well(self) -> None:
        """End it in good order, if it still runs; it may have been suspended."""
        if self.is_running:
            self.send_signal(signal.SIGCONT)
            self.end()

    def connections(self) -> int:
        """How many the panel has open."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        established = "01"
        return sum(row[1].endswith(f":{self.port:04X}") and row[3] == established for row in rows)

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
        # The charts take their size from their place when a frame is drawn: measured before, they are not what is seen.
        drawn = "requestAnimationFrame(() => requestAnimationFrame(arguments[arguments.length - 1]))"
        self.driver.execute_async_script(drawn)

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
        made.append(Daemon(folder, **changes))
        made[-1].start()
        return made[-1]

    yield make
    try:
        for daemon in made:
            daemon.end_well()
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
