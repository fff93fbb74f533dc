"""The Alpaca port in the configuration: its defaults, and each thing that is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from rockit.focuser.ok3z import Config

HOST = "expected an IPv4 or IPv6 address of this machine, such as 127.0.0.1 or 0.0.0.0"
HOST_TEXT = HOST.replace("expected ", "expected text of 2 to 45 characters (") + ")"
PORT = "expected a whole number from 1 to 65535 (a TCP port that no other program of this machine uses)"

Write = Callable[..., Path]
Faults = Callable[[Path], list[str]]


@pytest.mark.parametrize(
    ("given", "host", "port", "discovery"),
    [
        ({}, "127.0.0.1", 11111, False),
        ({"port": 1}, "127.0.0.1", 1, False),
        ({"port": 65535.0, "host": "0.0.0.0"}, "0.0.0.0", 65535, False),
        ({"host": "10.2.5.115", "discovery": True}, "10.2.5.115", 11111, True),
        ({"host": "0:0::0", "discovery": False}, "::", 11111, False),
        ({"host": "::FFFF:10.2.5.115"}, "10.2.5.115", 11111, False),
    ],
)
def test_alpaca_is_on_where_it_is_there_and_what_it_leaves_out_has_defaults(
    write: Write, given: dict[str, Any], host: str, port: int, discovery: bool
) -> None:
    alpaca = Config(write(alpaca=given)).alpaca
    assert alpaca is not None
    assert (alpaca.host, alpaca.port, alpaca.discovery) == (host, port, discovery)
    assert isinstance(alpaca.port, int)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "ASA OK3Z focuser (ngts_m06_focuser)"),
        ({"name": "Dome küppel"}, "Dome küppel"),
        ({"name": "{daemon}: x{}{0}%s"}, "ngts_m06_focuser: x{}{0}%s"),
        ({"name": "x" * 64}, "x" * 64),
    ],
)
def test_the_focuser_has_a_name(write: Write, given: dict[str, Any], name: str) -> None:
    alpaca = Config(write(alpaca=given)).alpaca
    assert alpaca is not None
    assert alpaca.name == name


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "\x7f", 5, None, ["x"]])
def test_a_name_is_a_printable_text(write: Write, faults: Faults, name: object) -> None:
    (line,) = faults(write(alpaca={"name": name}))
    assert line.startswith("alpaca.name: ")
    assert line.endswith(" was given; expected text of 1 to 64 characters (printable, not blank)")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11111/"),
        ("::", "http://127.0.0.1:11111/"),
        ("::1", "http://[::1]:11111/"),
        ("10.2.5.115", "http://10.2.5.115:11111/"),
    ],
)
def test_the_address_of_the_panel_can_be_opened_on_this_machine(write: Write, host: str, url: str) -> None:
    alpaca = Config(write(alpaca={"host": host})).alpaca
    assert alpaca is not None
    assert alpaca.url == url


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        *(({"port": port}, [f"alpaca.port: {port} was given; {PORT}"]) for port in (0, -1, 65536, 80.5)),
        ({"port": "80"}, [f'alpaca.port: "80" was given; {PORT}']),
        ({"port": True}, [f"alpaca.port: true was given; {PORT}"]),
        ({"port": None}, [f"alpaca.port: null was given; {PORT}"]),
        *(
            ({"host": host}, [f'alpaca.host: "{host}" was given; {HOST}'])
            for host in (
                "localhost",
                "NGTSDASNUC",
                "10.2.5",
                "10.2.5.256",
                "  ",
                "127.0.0.1 ",
                "fe80::1%lo",
                "224.0.0.1",
                "ff02::1",
                "255.255.255.255",
                "http://127.0.0.1",
            )
        ),
        ({"host": ""}, [f'alpaca.host: "" was given; {HOST_TEXT}']),
        ({"host": 127}, [f"alpaca.host: 127 was given; {HOST_TEXT}"]),
        ({"host": ["127.0.0.1"]}, [f'alpaca.host: ["127.0.0.1"] was given; {HOST_TEXT}']),
        (
            {"discovery": "on"},
            [
                'alpaca.discovery: "on" was given; expected true or false '
                "(whether to answer programs that look for Alpaca devices)"
            ],
        ),
        (
            {"prot": 1, "hsot": "x", "quite_other": 1},
            [
                "alpaca.hsot: is no known key; did you mean host?",
                "alpaca.prot: is no known key; did you mean port?",
                "alpaca.quite_other: is no known key",
            ],
        ),
        ({"a\n": 1}, [r'alpaca."a\n": is no known key']),
        (
            {"port": 9002, "host": "10.2.5.115"},
            [
                "alpaca.port: 9002 was given; expected another than that of ngts_m06_focuser, "
                "which is called at 10.2.5.115:9002"
            ],
        ),
        *(
            (
                {"port": 9002, "host": host, "discovery": 1},
                [
                    "alpaca.discovery: 1 was given; expected true or false "
                    "(whether to answer programs that look for Alpaca devices)",
                    "alpaca.port: 9002 was given; expected another than that of ngts_m06_focuser, "
                    "which is called at 10.2.5.115:9002",
                ],
            )
            for host in ("0.0.0.0", "::", "0::0")
        ),
    ],
)
def test_every_fault_of_alpaca_is_named_with_its_place(
    write: Write, faults: Faults, given: dict[str, Any], lines: list[str]
) -> None:
    assert faults(write(alpaca=given)) == lines


@pytest.mark.parametrize("wrong", ["true", "false", "null", "[]", "11111", '"127.0.0.1"'])
def test_alpaca_is_an_object(write: Write, faults: Faults, wrong: str) -> None:
    assert faults(write({"alpaca": wrong})) == [
        f"alpaca: {wrong} was given; expected an object with any of the keys host, port, discovery, name "
        "(opens the focuser to astronomy programs and browsers)"
    ]


def test_what_is_twice_in_alpaca_is_named_beside_its_other_faults(write: Write, faults: Faults) -> None:
    path = write({"alpaca": '{"port": 1, "port": 0, "port": 11111, "host": "x1"}'})
    assert faults(path) == [
        f'alpaca.host: "x1" was given; {HOST}',
        "alpaca.port: is there more than once; expected once",
    ]


def test_the_port_of_the_daemon_may_be_that_of_alpaca_on_another_address(write: Write) -> None:
    alpaca = Config(write(alpaca={"port": 9002})).alpaca
    assert alpaca is not None
    assert alpaca.port == 9002
