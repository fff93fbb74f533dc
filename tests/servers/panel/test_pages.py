"""The page: who gets which, with which headers, and that it needs nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import rockit.focuser.ok3z.servers.panel.panel as panel
from tests.support.http import EventStream

STATIC = Path(str(panel.__file__)).with_name("static")
HTML = ["page.html", "controls.html", "no_controls.html"]
SCRIPTS = sorted(path.name for path in STATIC.glob("*.js"))
PAGES = ["/", "/setup", "/setup/v1/focuser/0/setup"]


def text_of(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES)
def test_the_page_is_where_it_is_looked_for_and_who_may_not_control_gets_no_controls(
    wire: Any, stranger: Any, path: str
) -> None:
    answers = [client.ask("GET", path) for client in (wire, stranger)]
    for answer in answers:
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    controls, no_controls = (answer.body.decode() for answer in answers)
    assert 'id="position"' in controls
    assert 'id="stop"' in controls
    assert 'id="position"' in no_controls
    assert "control_machines" in no_controls
    for word in ('id="stop"', "<form", "<input", "data-offset", "Initialise", "Disconnect"):
        assert word not in no_controls, word


def test_every_answer_is_strict(server: Any, dial: Any, wire: Any, stranger: Any) -> None:
    paths = [*PAGES, "/panel/panel.js", "/panel/panel.css", "/panel/icon.svg"]
    stream = EventStream(dial(server))
    answers = [wire.ask("GET", path) for path in paths]
    answers += [wire.post("stop"), wire.ask("POST", "/panel/set", b"odd"), stranger.post("stop")]
    assert [answer.status for answer in answers] == [200] * 7 + [415, 403]
    for headers in (stream.headers, *(answer.headers for answer in answers)):
        policy = headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'none'", "script-src 'self'"} <= set(policy)
        assert not [rule for rule in policy if "unsafe" in rule or "http" in rule or "*" in rule]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control")]


def test_every_part_is_served_as_what_it_is(wire: Any) -> None:
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    parts = [path for path in STATIC.iterdir() if path.suffix in kinds]
    assert len(parts) > 5
    for path in parts:
        answer = wire.ask("GET", f"/panel/{path.name}")
        kind = answer.headers["content-type"].partition(";")[0]
        assert (answer.status, kind) == (200, kinds[path.suffix]), path.name
        assert answer.body == path.read_bytes(), path.name


def test_nothing_else_is_served(wire: Any) -> None:
    for path in (
        "/panel/",
        "/panel/page.html",
        "/panel/controls.html",
        "/panel/..%2fpages.py",
        "/panel/%2e%2e%2fpages.py",
        "/panel/pages.py",
        "/panel/static",
        "/panel/none.js",
        "/panel/%00",
        "/setup/v1/focuser/1/setup",
        "/panel/panel.js/x",
    ):
        assert wire.ask("GET", path).status == 404, path


@pytest.mark.parametrize("name", HTML)
def test_the_page_holds_nothing_inline_and_nothing_from_elsewhere(name: str) -> None:
    text = text_of(name)
    assert not re.search(
        r"<style|\sstyle=|\son\w+=|javascript:|https?:|\ssrcset=|<iframe|<form[^>]*action", text
    )
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    for address in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert re.fullmatch(r"/panel/[a-z]+\.(js|css|svg)", address)
        assert (STATIC / address.rpartition("/")[2]).is_file()


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_make_no_html_of_data_and_call_nobody_else(name: str) -> None:
    text = text_of(name)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|https?:", text
    )
    imported = re.findall(r'from "([^"]+)"', text)
    assert len(imported) == len(re.findall(r"^import\b", text, re.MULTILINE))
    for address in imported:
        assert (STATIC / address.removeprefix("./")).is_file()
    assert len(text.splitlines()) < 300


def test_the_style_sheet_fetches_nothing() -> None:
    assert not re.search(r"url\(|@import|https?:", text_of("panel.css"))


def test_what_a_script_looks_for_is_on_the_page() -> None:
    ids = {name: set(re.findall(r'\sid="([^"]+)"', text_of(name))) for name in HTML}
    made = {"lost-age"}
    for name in SCRIPTS:
        wanted = set(re.findall(r'(?:find|put|putOrHide|getElementById)\("([^"]+)"', text_of(name)))
        controls = ids["controls.html"] if name in ("controls.js", "panel.js", "stop.js") else set()
        here = ids["page.html"] | made | controls
        assert wanted <= here, name


@pytest.mark.parametrize("name", HTML)
def test_everything_that_can_be_pressed_has_a_name(name: str) -> None:
    text = text_of(name)
    for attributes, content in re.findall(r"<button([^>]*)>(.*?)</button>", text, re.DOTALL):
        assert 'type="' in attributes
        assert "aria-label=" in attributes or re.sub(r"<[^>]*>", "", content).strip()
    labels = set(re.findall(r'<label for="([^"]+)"', text))
    for attributes in re.findall(r"<input([^>]*)>", text):
        (name_of_input,) = re.findall(r'\sid="([^"]+)"', attributes)
        wrapped = re.search(rf'<label[^>]*>\s*<input[^>]*id="{name_of_input}"', text)
        assert wrapped or name_of_input in labels
