"""Scripts: curl, and programs that do as pyobs-alpaca does, which never connects and sends no ClientID."""

from __future__ import annotations

import socket
import subprocess
from concurrent.futures import Future
from functools import partial
from typing import Any, Callable, NamedTuple

import pytest
from alpaca.exceptions import OperationCancelledException

from tests.support.http import MEMBERS
from tests.support.waiting import BOUND_S, wait_until

HALT = f"{MEMBERS}halt"
FAR_MM = 5.8
JSON = ("-H", "Content-Type: application/json")
CHUNKED = ("-H", "Transfer-Encoding: chunked")
# What is wrong with a halt, as curl would have it, and the status of its answer. All others are in
# tests/servers/alpaca/test_halt_first.py.
MALFORMED = {
    "negative": (("-d", "ClientTransactionID=-1"), 400),
    "multipart": (("-F", "ClientID=1"), 400),
    "chunked json": ((*CHUNKED, *JSON, "-d", "{}"), 411),
    "too large": (("-d", f"ClientID=1&x={'x' * 9000}"), 413),
}
WELL = {
    "nothing": (),
    "nobody": ("-d", "ClientID=0"),
    "cookies": ("-b", "; ".join(f"cookie{n}={'b' * 300}" for n in range(90))),
}


class Said(NamedTuple):
    """What curl said."""

    status: int
    body: str


def curl(daemon: Any, path: str, *words: str) -> Said:
    """One curl, and its answer."""
    url = f"http://127.0.0.1:{daemon.alpaca.port}{path}"
    run = subprocess.run(
        ["curl", "-q", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", *words, url],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=True,
    )
    body, _, status = run.stdout.rpartition("\n")
    return Said(int(status), body)


@pytest.fixture
def moving(patient_focuser: Any, background: Callable[..., Future[Any]]) -> Any:
    """A focuser under way, by somebody else's command, and how that ends."""
    move = background(patient_focuser.call, "set_focus", FAR_MM)
    patient_focuser.wait_for(lambda report: report.get("speed_mm_sec"), "the move")
    yield patient_focuser, move
    patient_focuser.call("stop")


@pytest.mark.parametrize(("words", "status"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_halt_halts_and_is_told_so(moving: Any, words: tuple[str, ...], status: int) -> None:
    focuser, move = moving
    said = curl(focuser, HALT, "-X", "PUT", *words)
    assert focuser.truth()["moving"] is False
    assert move.result() == 1
    assert said.status == status
    assert said.body.startswith("The motor stands: it was halted. ")


@pytest.mark.parametrize("words", WELL.values(), ids=WELL)
def test_a_halt_needs_no_client(moving: Any, words: tuple[str, ...]) -> None:
    focuser, move = moving
    said = curl(focuser, HALT, "-X", "PUT", *words)
    assert focuser.truth()["moving"] is False
    assert move.result() == 1
    assert said.status == 200
    assert '"ErrorNumber": 0,' in said.body


def test_a_stranger_and_a_page_of_another_origin_halt_nothing(moving: Any) -> None:
    focuser, _ = moving
    for who in (
        ("--interface", "127.0.0.2"),
        ("-H", "Host: evil.org"),
        ("-H", "Origin: http://evil.org"),
        ("-H", "Sec-Fetch-Site: cross-site"),
    ):
        for words in ((), *(words for words, _ in MALFORMED.values())):
            assert "halted" not in curl(focuser, HALT, "-X", "PUT", *who, *words).body, who
    assert focuser.truth()["moving"] is True


def is_answered(wire: Any, host: str) -> bool:
    return bool(wire.ask("GET", f"{MEMBERS}name", Host=host).status == 200)


def test_it_answers_to_the_names_of_its_machine_and_of_the_site_file(
    make_daemon: Callable[..., Any], make_wire: Callable[..., Any]
) -> None:
    site: dict[str, Any] = {
        "machines": {"dome-nuc.example.org": "127.0.0.3", "dome-nuc": "127.0.0.3"},
        "daemons": {"dome-focuser": {"name": "dome", "machine": "dome-nuc", "port": 9111}},
    }
    daemon = make_daemon(site, alpaca={"name": "Dome"}, control_machines=["LocalHost", "dome-nuc"]).start()
    wire = make_wire(daemon)
    own = socket.gethostname()
    own_names = (own, own.partition(".")[0], socket.getfqdn())
    for name in (*own_names, *site["machines"], *site["daemons"], "Elsewhere"):
        # Its own names it may have to ask for.
        wait_until(partial(is_answered, wire, f"{name}:{daemon.alpaca.port}"), f"an answer to {name}")
    assert not is_answered(wire, "nuc.example.org")
    assert wire.get("name").value == "Dome"
    # And the machine with a hyphen may control.
    assert make_wire(daemon, source="127.0.0.3").put("connect").error == 0


def test_a_program_that_never_connects_moves_reads_and_halts(
    served: Any, make_wire: Callable[..., Any]
) -> None:
    """The calls of pyobs-alpaca, in its order: it takes any error number for a lost connection."""
    wire = make_wire(served, client_id=None)
    assert wire.get("connected").value is False
    assert wire.get("stepsize").value > 0
    target = wire.get("position").value + 1000
    assert wire.put("move", Position=target).error == 0
    wait_until(lambda: abs(wire.get("position").value - target) <= 10, "the target")
    wire.wait_for("ismoving", False)
    assert wire.get("position").value == target
    assert wire.put("move", Position=30000).error == 0
    assert wire.put("halt").error == 0
    assert served.truth()["moving"] is False
    assert wire.get("ismoving").value is False
    assert served.call("shutdown") == 0
    answer = wire.get("position")
    assert (answer.error, "not connected" in answer.message) == (0x407, True)


def test_the_official_client_is_told_of_the_halt_of_a_script(alpyca: Any, served: Any) -> None:
    alpyca.Move(30000)
    assert curl(served, HALT, "-X", "PUT", "-d", "ClientTransactionID=-1").status == 400
    assert served.truth()["moving"] is False
    # Which was somebody else's: the official client says who it is.
    for read in (lambda: alpyca.IsMoving is False, lambda: alpyca.Position is None):
        with pytest.raises(OperationCancelledException, match="stopped by 127"):
            wait_until(read, "what became of its move")
    assert alpyca.IsMoving is False
    assert alpyca.Position < 30000
