"""The udev rule, tried by udev itself on an adapter that umockdev makes up.

`udevadm test` makes real links and sets real modes in /dev. It runs in a mount namespace of its own, where /dev, /run
and /etc/udev are empty folders in memory.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.documented import DEPLOYMENT, README, documented

RULES = Path(__file__).parents[1] / "70-focuser-ngts_m06.rules"
BOUND_S = 60

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
A: idVendor={hub_vendor}
A: idProduct={hub_product}
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

    def plug_in(
        self,
        rules: str,
        *,
        vendor: str = "0403",
        product: str = "6001",
        serial: str = "A101LSBF",
        hub: tuple[str, str, str] = ("1d6b", "0002", "0000:00:14.0"),
        neighbours: bool = False,
    ) -> Outcome:
        """`neighbours`: the rules of the distribution are there as well, and not this file alone."""
        adapter, file = (
            self.adapter(vendor=vendor, product=product, serial=serial, hub=hub),
            self.folder / "rules",
        )
        file.write_text(rules)
        environment = {
            "PATH": os.environ["PATH"],
            "RULES": str(file),
            "ADAPTER": str(adapter),
            "TTY": TTY,
            "USB_SERIAL": USB_SERIAL,
            "NEIGHBOURS": "yes" if neighbours else "no",
        }
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", PLUG_IN],
            env=environment,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return _outcome(done.stdout)

    def adapter(
        self,
        *,
        vendor: str = "0403",
        product: str = "6001",
        serial: str = "A101LSBF",
        hub: tuple[str, str, str] = ("1d6b", "0002", "0000:00:14.0"),
    ) -> Path:
        """The description of an adapter, for umockdev."""
        described = dict(zip(("hub_vendor", "hub_product", "hub_serial"), hub))
        file = self.folder / "adapter"
        file.write_text(
            ADAPTER.format(tty=TTY, usb=USB, vendor=vendor, product=product, serial=serial, **described)
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


@pytest.mark.parametrize("neighbours", [False, True], ids=["alone", "among the distribution's rules"])
def test_the_adapter_of_the_site_gets_its_link_group_and_mode(
    socket: Socket, rules: str, neighbours: bool
) -> None:
    outcome = socket.plug_in(rules, neighbours=neighbours)

    assert outcome.link == "/dev/ttyUSB0"
    assert "/dev/focuser" in outcome.properties["DEVLINKS"].split()
    assert (stat.filemode(outcome.mode), outcome.group) == ("?rw-rw----", "dialout")
    assert outcome.complaints == []


def test_the_adapter_of_the_site_holds_answers_back_no_longer_than_it_must(
    socket: Socket, rules: str
) -> None:
    assert socket.plug_in(rules).latency_ms == [1]


def test_modem_manager_is_told_to_keep_its_hands_off(socket: Socket, rules: str) -> None:
    assert socket.plug_in(rules).properties["ID_MM_PORT_IGNORE"] == "1"


@pytest.mark.parametrize(
    "other",
    [
        {"serial": "A101LSBG"},
        {"serial": "a101lsbf"},
        {"serial": "A101LSBF2"},
        {"vendor": "067b"},
        {"product": "6015"},
    ],
    ids=lambda other: "-".join(*other.items()),
)
def test_another_adapter_is_left_as_it_was(socket: Socket, rules: str, other: dict[str, str]) -> None:
    outcome = socket.plug_in(rules, **other)  # type: ignore[arg-type]  # all of them are texts

    assert (outcome.link, outcome.mode, outcome.group) == ("", 0o600, "root")
    assert "ID_MM_PORT_IGNORE" not in outcome.properties
    assert outcome.latency_ms == []


def test_the_numbers_of_a_hub_do_not_make_up_for_those_of_the_adapter(socket: Socket, rules: str) -> None:
    assert socket.plug_in(rules, serial="OTHER", hub=("1d6b", "0002", "A101LSBF")).link == ""


def test_no_line_of_the_rule_opens_a_device_to_everybody(rules: str) -> None:
    modes = re.findall(r'MODE="([0-7]+)"', rules)

    assert modes
    assert not any(int(mode, 8) & stat.S_IRWXO for mode in modes)


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        ("SYMLINK+=", "SIMLINK+="),
        ('GROUP="dialout"', 'GROUP="dailout"'),
        ('"A101LSBF"', '"A101LSBF'),
        ("SUBSYSTEM==", "SUBSYSTEM+="),
        ("ATTR{latency_timer}=", "ATTR{latency_timer=}"),
    ],
)
def test_a_broken_rule_is_seen(socket: Socket, rules: str, sound: str, broken: str) -> None:
    assert sound in rules

    assert socket.plug_in(rules.replace(sound, broken)).complaints


def test_a_rule_for_everybody_is_seen(socket: Socket, rules: str) -> None:
    open_to_all = rules.replace('MODE="0660"', 'MODE="0666"')

    assert socket.plug_in(open_to_all).mode & stat.S_IRWXO


@pytest.mark.parametrize("page", [README, DEPLOYMENT], ids=lambda page: page.name)
def test_the_documented_lines_have_the_rule_read_and_then_applied_to_the_adapter(
    socket: Socket, page: Path
) -> None:
    """They would reach this machine's udev: the first is looked up, and the second only says what it would do."""
    read, apply = documented(page, "sudo udevadm control") + documented(page, "sudo udevadm trigger")
    text = page.read_text()

    assert text.index(read) < text.index(apply)
    *command, option = read.split()
    assert command == ["sudo", "udevadm", "control"]
    assert re.search(rf"^ .*{option}\s+Reload rules", said_by("udevadm", "control", "--help"), re.MULTILINE)
    trial = [*shlex.split(apply)[1:], "--dry-run", "--verbose"]
    reached = said_by("umockdev-run", f"--device={socket.adapter()}", "--", *trial)
    assert sorted(reached.split()) == [f"/sys{USB_SERIAL}", f"/sys{TTY}"]


def said_by(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=BOUND_S)
    return done.stdout
