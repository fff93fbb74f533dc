"""Who may control, and which requests are answered at all."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

import pytest

from rockit.focuser.ok3z.servers import web
from rockit.focuser.ok3z.servers.http.access import Access, own_names
from tests.support.http import MEMBERS, STRANGER
from tests.support.waiting import wait_until

COMMANDS = {
    "connect": "",
    "connected": "Connected=True",
    "disconnect": "",
    "halt": "",
    "move": "Position=5",
    "tempcomp": "TempComp=False",
    "action": "Action=a&Parameters=",
}
# One of each kind: of a program, of a page, of nothing.
REQUESTS = (
    ("GET", "/"),
    ("GET", f"{MEMBERS}name"),
    ("HEAD", f"{MEMBERS}name"),
    ("PUT", f"{MEMBERS}connect"),
    ("POST", "/panel/stop"),
    ("GET", "/panel/events"),
    ("GET", "/nothing"),
)


def test_a_stranger_commands_nothing_and_is_told_so(stranger: Any, program: Any, focuser: Any) -> None:
    for member, form in COMMANDS.items():
        answer = stranger.ask("PUT", MEMBERS + member, f"{form}&ClientTransactionID=5&ClientID=7")
        assert (answer.error, answer.json["ClientTransactionID"]) == (0x40B, 5), member
        assert STRANGER in answer.message, member
        assert "control_machines" in answer.message, member
        # What it sent is not looked at.
        assert stranger.ask("PUT", MEMBERS + member, "Position=x&Connected=x").error == 0x40B, member
    assert focuser.calls == []
    assert stranger.get("connected").value is False
    assert program.get("connected").value is True


def test_everybody_may_look(stranger: Any) -> None:
    members = ("name", "connected", "maxstep", "interfaceversion", "supportedactions", "position", "ismoving")
    assert stranger.errors(*members) == [0] * len(members)
    assert stranger.ask("GET", "/").status == 200
    assert stranger.ask("GET", "/management/v1/description").error == 0


def test_an_address_is_the_same_however_it_is_written() -> None:
    access = Access(["10.0.0.1", "fd00:0:0::1", "no address", ""])
    assert all(access.may_control(address) for address in ("10.0.0.1", "::ffff:10.0.0.1", "fd00::1"))
    # Not even the loopback, if it is not named.
    for address in ("10.0.0.2", "127.0.0.1", "::1", "", "unix", "10.0.0.1.evil.org", "None"):
        assert not access.may_control(address), address
    for address in ("127.0.0.1", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"):
        assert Access(["127.0.0.1"]).may_control(address), address


# The name by which it is called


def is_answered(wire: Any, host: str) -> bool:
    return bool(wire.ask("GET", f"{MEMBERS}name", Host=host).status == 200)


def test_an_address_or_a_name_of_its_own_is_answered(wire: Any) -> None:
    for host in (
        "127.0.0.1",
        "10.9.8.7:1",
        "[::1]",
        "[fd00::1]:11111",
        "[fe80::1%25eth0]",
        "localhost",
        "LOCALHOST:11111",
        "localhost.",
        "DomeNUC",
        "domenuc:80",
        "nuc.example.org:11111",
    ):
        # Its own names are found out on a thread of its own.
        wait_until(partial(is_answered, wire, host), host)
        assert wire.ask("PUT", f"{MEMBERS}disconnect", Host=host).status == 200, host


def test_a_foreign_name_is_not_answered_whatever_is_asked(server: Any, dial: Any, focuser: Any) -> None:
    for host in (
        "evil.org",
        "127.0.0.1.evil.org",
        "localhost.evil.org",
        "",
        "domenuc.evil.org",
        "nuc",
        "127.0.0.1@evil.org",
        "localhost:11111:1",
        "[::1",
        "::1",
        "[localhost%eth0]",
        "[::1%]",
        "127.0.0.1%eth0",
        "localhost:",
        "a" * 300,
        "local_host/",
    ):
        for verb, path in REQUESTS:
            status = dial(server).ask(verb, path, Host=host).status
            assert status in (400, 403), f"{host} {verb} {path}"
    assert focuser.calls == []


def test_a_name_of_the_phone_book_may_be_one_of_the_network() -> None:
    access = Access([], ["dome-nuc", "dome-nuc.example.org", "elsewhere.example.org"])
    for host in ("dome-nuc", "DOME-NUC.example.org:11111", "Elsewhere.example.org."):
        assert access.why_refused("GET", "/", [host], [], {}) is None, host
    for host in ("nuc", "nuc.example.org", "example.org", "dome-nuc.evil.org"):
        assert "not known by that name" in str(access.why_refused("GET", "/", [host], [], {})), host


def test_there_must_be_one_host(server: Any, dial: Any) -> None:
    for lines in ("", "Host: localhost\r\nHost: localhost\r\n"):
        wire = dial(server)
        wire.send(f"GET {MEMBERS}name HTTP/1.1\r\n{lines}\r\n".encode())
        assert wire.answer().status in (400, 403)


# Pages of other origins


def test_a_page_of_another_origin_is_not_answered(wire: Any, focuser: Any) -> None:
    for origin in (
        "http://evil.org",
        "null",
        "https://localhost:1",
        "http://localhost",
        "http://localhost:2",
        "",
        "http://localhost:1.evil.org",
    ):
        for verb, path in REQUESTS:
            status = wire.ask(verb, path, Host="localhost:1", Origin=origin).status
            assert status == 403, f"{origin} {verb} {path}"
    assert focuser.calls == []


def test_a_page_of_its_own_is_answered(wire: Any) -> None:
    own = {"Host": "localhost:1", "Origin": "http://localhost:1", "Sec_Fetch_Site": "same-origin"}
    assert wire.ask("PUT", f"{MEMBERS}connect", **own).error == 0


def test_there_must_not_be_two_origins(wire: Any, focuser: Any) -> None:
    own = "Origin: http://localhost:1\r\n"
    for line in (f"GET {MEMBERS}name", "POST /panel/stop"):
        for second in (own, "Origin: http://evil.org\r\n"):
            for origins in (own + second, second + own):
                wire.send(f"{line} HTTP/1.1\r\nHost: localhost:1\r\n{origins}\r\n".encode())
                assert wire.answer().status == 403, origins
    assert focuser.calls == []


def test_a_request_from_a_page_of_another_site_is_not_answered(wire: Any, focuser: Any) -> None:
    to_a_tab = {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    for site in ("cross-site", "same-site", ""):
        for verb, path in (*REQUESTS[1:], ("GET", "/panel/panel.js")):
            status = wire.ask(verb, path, Sec_Fetch_Site=site, **to_a_tab).status
            assert status == 403, f"{site} {verb} {path}"
    assert focuser.calls == []


@pytest.mark.parametrize("path", ["/", "/setup/", "/setup/v1/focuser/0/setup", "/?from=elsewhere"])
def test_a_link_from_elsewhere_leads_to_the_page_in_a_tab_and_in_nothing_else(wire: Any, path: str) -> None:
    for site in ("cross-site", "same-site"):
        statuses = [
            wire.ask("GET", path, Sec_Fetch_Site=site, Sec_Fetch_Mode=mode, Sec_Fetch_Dest=dest).status
            for mode, dest in (
                ("navigate", "document"),
                ("navigate", "iframe"),
                ("cors", "empty"),
                ("no-cors", "image"),
            )
        ]
        assert statuses == [200, 403, 403, 403], site
        assert wire.ask("GET", path, Sec_Fetch_Site=site).status == 403, site


def test_no_other_origin_is_invited(wire: Any) -> None:
    for answer in (wire.get("name"), wire.ask("OPTIONS", f"{MEMBERS}move"), wire.ask("GET", "/")):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["x-content-type-options"] == "nosniff"


# The names of this machine


@pytest.mark.parametrize("name", ["nuc", "nuc.dome"])
def test_this_machine_is_known_by_its_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    canonical = [(2, 1, 6, "nuc.example.net", ("10.1.2.3", 0)), (2, 2, 17, "", ("10.1.2.3", 0))]
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(socket, "getfqdn", lambda: "nuc.example.org")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: canonical)
    assert own_names() == {name, "nuc", "nuc.local", "nuc.example.org", "nuc.example.net"}


def test_without_a_name_server_it_is_known_by_the_names_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "gethostname", lambda: "nuc")
    monkeypatch.setattr(socket, "getfqdn", lambda: "nuc")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert own_names() == {"nuc", "nuc.local"}


def test_a_full_name_is_learned_once_there_is_a_name_server(
    serve: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut, from which this machine is back first."""
    monkeypatch.setattr(web, "NAMES_AGAIN_S", 0.01)
    known = [["nuc"], ["nuc", "nuc.example.org"]]
    wire = dial(serve(find_own_names=lambda: known.pop(0) if len(known) > 1 else known[0]))
    wait_until(lambda: is_answered(wire, "nuc.example.org"))


@pytest.mark.parametrize(("host", "addresses"), [("::", ["::1", "127.0.0.1"]), ("::1", ["::1"])])
def test_a_program_of_this_machine_controls_over_ipv6_too(
    serve: Any, dial: Any, host: str, addresses: list[str]
) -> None:
    server = serve(host)
    for address in addresses:
        assert dial(server, host=address).ask("PUT", f"{MEMBERS}connect", Host="[::1]").error == 0
