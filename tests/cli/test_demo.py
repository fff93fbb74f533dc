"""The parts of the demonstration that can be looked at without running it: its frames, and its picture."""

from __future__ import annotations

import json
import os
import re
import socket
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest

from tests.support.ports import free_port
from tests.support.processes import BIN, clean_environment, run

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def _script(name: str) -> ModuleType:
    spec = spec_from_loader(name, SourceFileLoader(name, str(PACKAGING / name)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    return _script("demo")


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    return _script("record-demo")


def test_the_picture_shows_what_stands_on_the_terminal_and_fetches_nothing(recorder: ModuleType) -> None:
    picture = recorder.draw(
        "\x1b[1m$ ./focus status\x1b[0m\r\nbar 10\r\n\x1b[1A\x1b[2Kbar 90\r\n\x1b[31mlast\x1b[0m\r\n"
    )

    assert picture.startswith("<svg")
    assert "bar&#160;90" in picture
    assert "bar&#160;10" not in picture
    assert re.search(r"fill: #cc555a.*>last<", picture, re.DOTALL)
    assert "url(http" not in picture.replace('"', "").replace("'", "")
    assert "@font-face" not in picture


def test_of_a_line_that_is_redrawn_the_last_frame_is_printed(
    demo: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.write(
        writer, b"\x1b[?25l\x1b[32m10 %\x1b[0m\r\x1b[2K50 %\r\x1b[2K100 %\r\n\x1b[?25hFocuser is IDLE\r\n"
    )
    os.close(writer)
    frames = demo.Frames(reader)
    assert frames.show(1.0)
    os.close(reader)

    assert capsys.readouterr().out == "100 %\nFocuser is IDLE\n"


@pytest.fixture
def at_the_panel(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str | None], Any]:
    """A demonstration that has come to the panel, whose configuration says that it is at an address."""
    monkeypatch.chdir(PACKAGING.parent)

    def make(address: str | None) -> Any:
        one = demo.Demo.__new__(demo.Demo)
        one._signal, one._config, one._environment = 0, demo.CONFIG, {}
        one._log_path = tmp_path / "focusd.log"
        alpaca = "off" if address is None else f"ASA OK3Z focuser (…), at {address} on 127.0.0.1 (…)"
        monkeypatch.setattr(one, "_output_of", lambda *command: f"port: 1\nAlpaca:    {alpaca}\nspeed: 2\n")
        return one

    return make


def test_the_panel_is_where_focusd_says(at_the_panel: Callable[[str | None], Any]) -> None:
    one = at_the_panel(None)
    one._output_of = lambda _, *words: run("focusd", *words).stdout
    assert one._panel() == "http://127.0.0.1:11111/"


def test_the_panel_gets_another_port_where_its_own_is_in_use(
    at_the_panel: Callable[[str | None], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        address = f"http://127.0.0.1:{holder.getsockname()[1]}/"
        one = at_the_panel(address)
        one._choose_port_of_panel()
    assert f"{address} is in use" in capsys.readouterr().out
    shipped = json.loads((PACKAGING.parent / "test.json").read_text())
    used = json.loads(Path(one._config).read_text())
    assert used.pop("alpaca")["port"] != int(address.rstrip("/").rpartition(":")[2])
    assert shipped.pop("alpaca") == {}
    assert used == shipped
    assert one._environment == {"FOCUSD_CONFIG_PATH": one._config}


def test_the_panel_keeps_its_port_where_nobody_else_has_it(
    at_the_panel: Callable[[str | None], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for address in (f"http://127.0.0.1:{free_port()}/", None):
        one = at_the_panel(address)
        one._choose_port_of_panel()
        assert (one._config, one._environment) == ("./test.json", {})
    assert capsys.readouterr().out == ""


def test_a_panel_that_does_not_answer_ends_the_demo_and_none_is_no_fault(
    demo: ModuleType, at_the_panel: Callable[[str | None], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with pytest.raises(demo.DemoError, match=f"the panel at http://127.0.0.1:{port}/ does not answer"):
        at_the_panel(f"http://127.0.0.1:{port}/")._show_panel()
    at_the_panel(None)._show_panel()
    assert capsys.readouterr().out == ""


def test_a_port_in_use_is_told_before_anything_is_started() -> None:
    port = 9000
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", port))
            holder.listen()
        except OSError:
            pass  # Somebody else holds it, which is as good.
        # For a clone without a .venv, whose launchers take the python3 that is found first.
        environment = clean_environment(PATH=f"{BIN}:{os.environ['PATH']}")
        done = run("python", PACKAGING / "demo", env=environment, timeout_s=50)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr
