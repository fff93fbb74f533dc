"""The server over the real service and the virtual controller."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.config.model import Config
from rockit.focuser.ok3z.daemon.main import new_focuser
from rockit.focuser.ok3z.servers.http.admission import MANNER
from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.web import WebServer
from rockit.focuser.ok3z.storage.state_store import StateStore

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A server over a focuser that runs fifty times faster than the clock."""
    text = (PROJECT / "test.json").read_text(encoding="utf-8")
    path = tmp_path / "test.json"
    path.write_text(text.replace("start_mm=1.5", "start_mm=1.5&time_scale=50"), encoding="utf-8")
    config = Config.load(path)

    def announce(level: int, sentence: str) -> None:
        logging.getLogger(__name__).log(level, sentence)

    journal = StateStore(tmp_path / "state.json", announce)
    focuser = new_focuser(config, announce, journal)
    server = WebServer(
        listen("127.0.0.1", 0, MANNER),
        focuser,
        ["127.0.0.1"],
        config.daemon.name,
        config.focus_range_mm,
        find_own_names=list,
    )
    journal.start()
    focuser.start()
    server.start()
    yield server
    focuser.close()
    server.close()
    journal.close()


def test_a_focuser_is_homed_moved_and_halted(real: WebServer, dial: Any, until: Any) -> None:
    wire = dial(real, client_id=7)
    assert wire.get("position").error == 0x407
    assert wire.put("connect").error == 0
    until(lambda: wire.get("connected").value)
    assert (wire.get("connecting").value, wire.get("position").value) == (False, 0)
    # The steps of the conformance checker.
    tenth = wire.get("maxstep").value // 10
    for target in (tenth, 0, 0, -10, tenth // 2, 99_999, 0):
        assert wire.put("move", Position=target).error == 0
        until(lambda: not wire.get("ismoving").value)
        assert wire.get("position").value == min(max(target, 0), 30528)
    assert wire.put("move", Position=30528).error == 0
    assert wire.put("halt").error == 0
    assert wire.get("ismoving").value is False
    assert 0 <= wire.get("position").value < 30528


def test_a_focuser_that_others_took_away_says_so(real: WebServer, dial: Any) -> None:
    wire = dial(real, client_id=7)
    assert wire.put("connected", Connected="True").error == 0
    assert wire.ask("POST", "/panel/shutdown", "{}", Content_Type="application/json").status == 200
    assert wire.get("connected").value is False
    assert wire.get("position").error == 0x407
    assert wire.put("halt").error == 0x407
