"""Who may control, and which requests are answered at all."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from rockit.focuser.ok3z.servers import web as alpaca_server
from rockit.focuser.ok3z.servers.http.access import Access, own_names
from rockit.focuser.ok3z.servers.http.admission import MANNER
from rockit.focuser.ok3z.servers.net.listener import listen
from rockit.focuser.ok3z.servers.web import WebServer

MEMBERS = "/api/v1/focuser/0/"
COMMANDS = {
    "connect": "",
    "connected": "Connected=True",
    "disconnect": "",
    "halt": "",
    "move": "Position=5",
    "tempcomp": "TempComp=False",
    "action": "Action=a&Parameters=",
}


@pytest.mark.parametrize("member", COMMANDS)
def test_a_stranger_commands_nothing_and_is_told_so(
    stranger: Any, program: Any, focuser: Any, member: str
) -> None:
    answer = stranger.ask("PUT", MEMBERS + member, f"{COMMANDS[member]}&ClientTransactionID=5&ClientID=7")
    assert (answer.error, answer.json["ClientTransactionID"]) == (0x40B, 5)
    assert "127.0.0.2" in answer.json["ErrorMessage"]
    assert "control_machines" in answer.json["ErrorMessage"]
    # What it sent is not looked at.
    assert stranger.ask("PUT", MEMBERS + member, "Position=x&Connected=x").error == 0x40B
    assert focuser.calls == []
    assert stranger.get("connected").value is False
    assert program.get("connected").value is True


@pytest.mark.parametrize("member", ["name", "connected", "maxstep", "interfaceversion", "supportedactions"])
def test_everybody_may_look(stranger: Any, member: str) -> None:
    assert stranger.get(member).error == 0


def test_a_stranger_may_look_at_the_page_and_at_the_server(stranger: Any) -> None:
    assert stranger.ask("GET", "/").status == 200
    assert stranger.ask("GET", "/management/v1/description").error == 0


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", "fd00::1"])
def test_an_address_of_a_control_machine_may_control_however_it_is_written(address: str) -> None:
    assert Access(["10.0.0.1", "fd00:0:0::1"]).may_control(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"])
def test_this_machine_is_the_same_over_ipv6(address: str) -> None:
    assert Access(["127.0.0.1"]).may_control(address)


@pytest.mark.parametrize("address", ["10.0.0.2", "127.0.0.1", "::1", "", "unix", "10.0.0.1.evil.org", None])
def test_no_other_address_may_not_even_the_loopback(address: Any) -> None:
    assert not Access(["10.0.0.1", "no address", ""]).may_control(str(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:11111",
        "10.9.8.7:1",
        "[::1]",
        "[fd00::1]:11111",
        "[fe80::1%eth0]:11111",
        "[fe80::1%25eth0]",
        "localhost",
        "LOCALHOST:11111",
        "localhost.",
        "DomeNUC",
        "domenuc:80",
        "nuc.example.org:11111",
    ],
)
def test_an_address_or_a_name_of_its_own_is_answered(wire: Any, until: Any, host: str) -> None:
    until(lambda: wire.ask("GET", f"{MEMBERS}name", Host=host).status == 200)
    assert wire.ask("PUT", f"{MEMBERS}disconnect", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.org",
        "127.0.0.1.evil.org",
        "localhost.evil.org",
        "",
        " ",
        "domenuc.evil.org",
        "nuc",
        "127.0.0.1@evil.org",
        "localhost:11111:1",
        "[::1",
        "::1",
        "[localhost]",
        "[localhost%eth0]",
        "[::1%]",
        "127.0.0.1%eth0",
        "localhost:",
        "a" * 300,
        "local_host/",
    ],
)
def test_a_foreign_name_is_not_answered_whatever_is_asked(
    server: Any, dial: Any, focuser: Any, host: str
) -> None:
    for verb, path in (
        ("GET", "/"),
        ("GET", f"{MEMBERS}name"),
        ("PUT", f"{MEMBERS}connect"),
        ("POST", "/panel/stop"),
        ("GET", "/nothing"),
    ):
        answer = dial(server).ask(verb, path, Host=host)
        assert 400 <= answer.status < 500, f"{verb} {path}"
        assert answer.status != 404, f"{verb} {path}"
        assert focuser.calls == [], f"{verb} {path}"


@pytest.mark.parametrize("host", ["dome-nuc", "DOME-NUC.example.org:11111", "Elsewhere.example.org."])
def test_a_name_of_the_phone_book_may_be_one_of_the_network(host: str) -> None:
    names = ["dome-nuc", "dome-nuc.example.org", "elsewhere.example.org"]
    access = Access([], names)
    assert access.why_refused("GET", "/", [host], [], {}) is None
    for foreign in ("nuc", "nuc.example.org", "example.org", f"{names[0]}.evil.org"):
        assert "not known by that name" in str(access.why_refused("GET", "/", [foreign], [], {}))


@pytest.mark.parametrize("lines", ["", "Host: localhost\r\nHost: localhost\r\n"])
def test_there_must_be_one_host(wire: Any, lines: str) -> None:
    wire.send(f"GET {MEMBERS}name HTTP/1.1\r\n{lines}\r\n".encode())
    assert wire.answer().status in (400, 403)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.org",
        "null",
        "https://localhost:1",
        "http://localhost",
        "http://localhost:2",
        "",
        "http://localhost:1.evil.org",
    ],
)
def test_a_page_of_another_origin_is_not_answered(server: Any, dial: Any, focuser: Any, origin: str) -> None:
    for verb, path in (("PUT", f"{MEMBERS}connect"), ("GET", f"{MEMBERS}name"), ("POST", "/panel/stop")):
        answer = dial(server).ask(verb, path, Host="localhost:1", Origin=origin)
        assert answer.status == 403, f"{verb} {path}"
        assert focuser.calls == [], f"{verb} {path}"


def test_a_page_of_its_own_is_answered(wire: Any) -> None:
    own = {"Host": "localhost:1", "Origin": "http://localhost:1", "Sec_Fetch_Site": "same-origin"}
    assert wire.ask("PUT", f"{MEMBERS}connect", **own).error == 0


@pytest.mark.parametrize("second", ["http://evil.org", "http://localhost:1"])
@pytest.mark.parametrize("verb", ["GET /api/v1/focuser/0/name", "POST /panel/stop"])
def test_there_must_not_be_two_origins(wire: Any, focuser: Any, verb: str, second: str) -> None:
    own = "Origin: http://localhost:1\r\n"
    for origins, status in (
        (own, 200),
        (f"{own}Origin: {second}\r\n", 403),
        (f"Origin: {second}\r\n{own}", 403),
    ):
        wire.send(f"{verb} HTTP/1.1\r\nHost: localhost:1\r\n{origins}\r\n".encode())
        assert wire.answer().status == status
    assert len(focuser.named("stop")) == verb.startswith("POST")


@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_a_command_from_a_page_of_another_site_is_not_answered(wire: Any, focuser: Any, site: str) -> None:
    for verb, path in (
        ("PUT", f"{MEMBERS}connect"),
        ("POST", "/panel/stop"),
        ("GET", f"{MEMBERS}name"),
        ("GET", "/panel/events"),
        ("GET", "/panel/panel.js"),
        ("HEAD", f"{MEMBERS}name"),
    ):
        wire.send(
            f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: {site}\r\n{TO_A_TAB}\r\n".encode()
        )
        status = wire.answer().status if verb != "HEAD" else int(wire.socket.recv(4096).split()[1])
        assert status == 403
    assert focuser.calls == []


TO_A_TAB = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"


@pytest.mark.parametrize("path", ["/", "/setup", "/setup/", "/setup/v1/focuser/0/setup", "/?from=elsewhere"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_from_elsewhere_leads_to_the_page_in_a_tab_and_in_nothing_else(
    wire: Any, site: str, path: str
) -> None:
    def status(mode: str, dest: str) -> int:
        answer = wire.ask("GET", path, Sec_Fetch_Site=site, Sec_Fetch_Mode=mode, Sec_Fetch_Dest=dest)
        return int(answer.status)

    assert status("navigate", "document") == 200
    assert [status("navigate", "iframe"), status("cors", "empty"), status("no-cors", "image")] == [403] * 3
    assert wire.ask("GET", path, Sec_Fetch_Site=site).status == 403


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
    focuser: Any, dial: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut, from which this machine is back first."""
    monkeypatch.setattr(alpaca_server, "NAMES_AGAIN_S", 0.01)
    known = [["nuc"], ["nuc", "nuc.example.org"]]
    server = WebServer(
        listen("127.0.0.1", 0, MANNER),
        focuser,
        ["127.0.0.1"],
        "dome_focuser",
        6.0,
        find_own_names=lambda: known.pop(0) if len(known) > 1 else known[0],
    )
    server.start()
    wire = dial(server)
    try:
        until(lambda: wire.ask("GET", f"{MEMBERS}name", Host="nuc.example.org").status == 200)
    finally:
        server.close()


def test_no_other_origin_is_invited(wire: Any) -> None:
    for answer in (wire.get("name"), wire.ask("OPTIONS", f"{MEMBERS}move"), wire.ask("GET", "/")):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["::", "::1"])
def test_a_program_of_this_machine_controls_over_ipv6_too(focuser: Any, host: str) -> None:
    server = WebServer(
        listen(host, 0, MANNER), focuser, ["127.0.0.1"], "dome_focuser", 6.0, find_own_names=list
    )
    server.start()
    try:
        for address in ["::1", "127.0.0.1"] if host == "::" else ["::1"]:
            with socket.create_connection((address, server.port), timeout=10.0) as program:
                program.sendall(
                    f"PUT {MEMBERS}connect HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n".encode()
                )
                received = b""
                while data := program.recv(4096):
                    received += data
            assert b'"ErrorNumber": 0,' in received
    finally:
        server.close()
