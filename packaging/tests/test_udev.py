"""The udev rule, tried by udev itself on an adapter that umockdev makes up.

`udevadm test` makes real links and sets real modes in /dev. It runs in a mount namespace of its own, where /dev, /run
and /etc/udev are empty folders in memory.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.documented import DEPLOYMENT, README, documented
from support.shell import run
from support.sources import PROJECT

RULES = PROJECT / "packaging/70-focuser-ngts_m06.rules"
SITES = {"vendor": "0403", "product": "6001", "serial": "A101LSBF"}
OTHERS = (
    {"serial": "A101LSBG"},
    {"serial": "a101lsbf"},
    {"serial": "A101LSBF2"},
    {"vendor": "067b"},
    {"product": "6015"},
    # The number of a hub does not make up for that of the adapter.
    {"serial": "OTHER", "hub_serial": "A101LSBF"},
)
BROKEN = {
    "SYMLINK+=": "SIMLINK+=",
    'GROUP="dialout"': 'GROUP="dailout"',
    '"A101LSBF"': '"A101LSBF',
    "SUBSYSTEM==": "SUBSYSTEM+=",
    "ATTR{latency_timer}=": "ATTR{latency_timer=}",
}

USB = "/devices/pci0000:00/0000:00:14.0/usb1/1-2"
USB_SERIAL = f"{USB}/1-2:1.0/ttyUSB0"
TTY = f"{USB_SERIAL}/tty/ttyUSB0"

# The device node has no line "N:" here. So udev finds the real node, in the /dev of its own, and sets its mode.
ADAPTER = """\
P: {tty}
E: DEVNAME=/dev/ttyUSB0
E: MAJOR=188
E: MINOR=0
E: SUBSYSTEM=tty
A: dev=188:0

P: {usb}/1-2:1.0/ttyUSB0
E: DRIVER=ftdi_sio
E: SUBSYSTEM=usb-serial
A: latency_timer=16

P: {usb}/1-2:1.0
E: DEVTYPE=usb_interface
E: DRIVER=ftdi_sio
E: SUBSYSTEM=usb
A: bInterfaceClass=ff
A: bInterfaceNumber=00

P: {usb}
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
A: idVendor={vendor}
A: idProduct={product}
A: serial={serial}

P: /devices/pci0000:00/0000:00:14.0/usb1
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
A: idVendor=1d6b
A: idProduct=0002
A: serial={hub_serial}

"""

PLUG_IN = """\
set -eu
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=0755 tmpfs /etc/udev
mkdir /etc/udev/rules.d
cp "$RULES" /etc/udev/rules.d/70-focuser-ngts_m06.rules
[ "$NEIGHBOURS" = yes ] || mount -t tmpfs tmpfs /usr/lib/udev/rules.d
mount -t tmpfs -o mode=0755 tmpfs /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/urandom c 1 9
mknod -m 600 /dev/ttyUSB0 c 188 0
mkdir /dev/made-up
TMPDIR=/dev/made-up umockdev-run --device="$ADAPTER" -- udevadm test "$TTY" 2>&1
TMPDIR=/dev/made-up umockdev-run --device="$ADAPTER" -- udevadm test "$USB_SERIAL" 2>&1
stat --format='node %a %G' /dev/ttyUSB0
[ ! -L /dev/focuser ] || echo "link $(readlink -f /dev/focuser)"
"""


@dataclass(frozen=True)
class Outcome:
    """What udev made of an adapter."""

    link: str
    mode: int
    group: str
    properties: dict[str, str]
    complaints: list[str]
    """What udev said when it read the rule file."""
    latency_ms: list[int]
    """What it wrote to the latency timers of adapters."""


@dataclass
class Socket:
    """Where adapters are plugged in: plug_in() gives what udev makes of one."""

    folder: Path

    def plug_in(self, rules: str, *, neighbours: bool = False, **numbers: str) -> Outcome:
        """`neighbours`: the rules of the distribution are there as well, and not this file alone."""
        file = self.folder / "rules"
        file.write_text(rules)
        environment = {
            "PATH": os.environ["PATH"],
            "RULES": str(file),
            "ADAPTER": str(self.adapter(**numbers)),
            "TTY": TTY,
            "USB_SERIAL": USB_SERIAL,
            "NEIGHBOURS": "yes" if neighbours else "no",
        }
        words = ("unshare", "--mount", "--propagation", "private", "sh", "-c", PLUG_IN)
        return _outcome(run(*words, env=environment).ok())

    def adapter(self, **numbers: str) -> Path:
        """The description of an adapter, for umockdev. Its numbers are those of the site, unless they are given."""
        file = self.folder / "adapter"
        file.write_text(
            ADAPTER.format(tty=TTY, usb=USB, **{**SITES, "hub_serial": "0000:00:14.0", **numbers})
        )
        return file


def _outcome(said: str) -> Outcome:
    node = re.search(r"^node (\d+) (\S+)$", said, re.MULTILINE)
    link = re.search(r"^link (\S+)$", said, re.MULTILINE)
    assert node, said
    return Outcome(
        link=link[1] if link else "",
        mode=int(node[1], 8),
        group=node[2],
        properties=dict(re.findall(r"^([A-Z_]+)=(.*)$", said, re.MULTILINE)),
        latency_ms=[
            int(text) for text in re.findall(r"/latency_timer' writing '(\d+)'$", said, re.MULTILINE)
        ],
        complaints=re.findall(r"^/etc/udev/rules\.d/70-focuser-ngts_m06\.rules:\d+ .*$", said, re.MULTILINE),
    )


@pytest.fixture
def socket(tmp_path: Path) -> Socket:
    return Socket(tmp_path)


@pytest.fixture(scope="module")
def rules() -> str:
    return RULES.read_text()


def test_the_adapter_of_the_site_gets_its_link_group_and_mode(socket: Socket, rules: str) -> None:
    for neighbours in (False, True):
        outcome = socket.plug_in(rules, neighbours=neighbours)

        assert outcome.link == "/dev/ttyUSB0", neighbours
        assert "/dev/focuser" in outcome.properties["DEVLINKS"].split(), neighbours
        assert (stat.filemode(outcome.mode), outcome.group) == ("?rw-rw----", "dialout"), neighbours
        assert outcome.complaints == [], neighbours
        # ModemManager keeps its hands off.
        assert outcome.properties["ID_MM_PORT_IGNORE"] == "1"


def test_the_adapter_of_the_site_holds_answers_back_no_longer_than_it_must(
    socket: Socket, rules: str
) -> None:
    assert socket.plug_in(rules).latency_ms == [1]


def test_another_adapter_is_left_as_it_was(socket: Socket, rules: str) -> None:
    for other in OTHERS:
        outcome = socket.plug_in(rules, **other)

        assert (outcome.link, outcome.mode, outcome.group) == ("", 0o600, "root"), other
        assert "ID_MM_PORT_IGNORE" not in outcome.properties, other
        assert outcome.latency_ms == [], other


def test_no_line_of_the_rule_opens_a_device_to_everybody(socket: Socket, rules: str) -> None:
    modes = re.findall(r'MODE="([0-7]+)"', rules)

    assert modes
    assert not any(int(mode, 8) & stat.S_IRWXO for mode in modes)
    # And one that did so would be seen.
    assert socket.plug_in(rules.replace('MODE="0660"', 'MODE="0666"')).mode & stat.S_IRWXO


def test_a_broken_rule_is_seen(socket: Socket, rules: str) -> None:
    for sound, broken in BROKEN.items():
        assert sound in rules
        assert socket.plug_in(rules.replace(sound, broken)).complaints, broken


@pytest.mark.parametrize("page", [README, DEPLOYMENT], ids=lambda page: page.name)
def test_the_documented_lines_have_the_rule_read_and_then_applied_to_the_adapter(
    socket: Socket, page: Path
) -> None:
    """They would reach this machine's udev: the first is looked up, and the second only says what it would do."""
    read, apply = documented(page, "sudo udevadm control") + documented(page, "sudo udevadm trigger")
    text, env = page.read_text(), {"PATH": os.environ["PATH"]}

    assert text.index(read) < text.index(apply)
    *command, option = read.split()
    assert command == ["sudo", "udevadm", "control"]
    known = run("udevadm", "control", "--help", env=env).ok()
    assert re.search(rf"^ .*{option}\s+Reload rules", known, re.MULTILINE)
    trial = (*shlex.split(apply)[1:], "--dry-run", "--verbose")
    reached = run("umockdev-run", f"--device={socket.adapter()}", "--", *trial, env=env).ok()
    assert sorted(reached.split()) == [f"/sys{USB_SERIAL}", f"/sys{TTY}"]
