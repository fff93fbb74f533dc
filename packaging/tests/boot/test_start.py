"""Starting an instance: ready when it can be called, and loud when it cannot start."""

from __future__ import annotations

import re
from typing import Any

import pytest
from boot.site import Site

LINK = "etc/systemd/system/multi-user.target.wants/focusd@{}.service"
# Its only use is that it comes right after the start: a loop would forgive a daemon that is ready too early.
START_AND_CALL = """\
systemctl enable --now "focusd@$1" &&
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)' "$2"
"""


def test_it_can_be_called_as_soon_as_the_start_has_returned(site: Site) -> None:
    site.container.ok("sh", "-c", START_AND_CALL, "sh", "boot", "9000")

    assert site.show("ActiveState") == "active"
    assert (site.container.root / LINK.format("boot")).is_symlink()
    assert site.show("NRestarts") == "0"


def test_the_focuser_is_homed_and_moved_over_it(serving: Site) -> None:
    serving.focus_ok("init")
    serving.focus_ok("set", "2.5")

    assert serving.focus_ok("status") == "Focuser is IDLE (2.500 mm)\n"
    assert serving.ask_simulator("state")["carriage_mm"] == pytest.approx(2.5, abs=0.001)


def test_systemctl_says_what_the_focuser_does(serving: Site) -> None:
    serving.focus_ok("init")

    serving.container.until(
        "systemd is told", lambda: serving.show("StatusText").startswith("idle at 0.000 mm")
    )


def test_two_instances_run_side_by_side(serving: Site) -> None:
    # With what a name may hold, and a path may not be made of by accident.
    serving.configure("east-dome.2", {"daemon": "localhost_test2", "serial_port": "sim://"})
    serving.enable("east-dome.2")

    assert [serving.show("ActiveState", name) for name in ("boot", "east-dome.2")] == ["active", "active"]
    assert serving.pid() != serving.pid("east-dome.2")
    state = serving.container.root / "var/lib/private/focusd"
    assert sorted(path.name for path in state.iterdir()) == ["boot", "east-dome.2"]


def test_a_wrong_name_fails_and_says_which_file_is_missing(site: Site) -> None:
    started = site.container.run("systemctl", "enable", "--now", "focusd@nonsense")

    assert started.returncode != 0
    assert "journalctl" in started.stderr
    said = _sentence(site, "nonsense")
    assert said.startswith("focusd: /etc/focusd/nonsense.json cannot be read: No such file or directory")
    # It also says which there are: it may have been a slip of the pen.
    assert "boot.json" in said
    _assert_given_up(site, "nonsense")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"focus_rnge_mm": 6}, ["/etc/focusd/refused.json has", "focus_rnge_mm", "is no known key"]),
        ({"serial_baud": 9600}, ["/etc/focusd/refused.json has", "serial_baud", "9600"]),
        ({"daemon": "nobody_knows_it"}, ["/etc/focusd/refused.json has", "nobody_knows_it"]),
    ],
    ids=["unknown key", "bad value", "unknown daemon"],
)
def test_a_refused_configuration_fails_and_says_why(
    site: Site, changes: dict[str, Any], words: list[str]
) -> None:
    site.configure("refused", changes)

    assert site.container.run("systemctl", "enable", "--now", "focusd@refused").returncode != 0
    said = _sentence(site, "refused")
    assert [word for word in words if word not in said] == []
    _assert_given_up(site, "refused")


def test_an_address_that_is_taken_is_tried_again(serving: Site) -> None:
    serving.change_unit("[Service]\nRestartSec=100ms\n")
    serving.configure("other", {})
    assert serving.container.run("systemctl", "start", "focusd@other").returncode != 0

    assert "127.0.0.1:9000 cannot be listened on" in _sentence(serving, "other")
    serving.container.until("it is tried again", lambda: serving.show("NRestarts", "other") >= "1")


def _sentence(site: Site, instance: str) -> str:
    """All that an instance itself said."""
    said = re.findall(r"^focusd: (?:.|\n  )*", site.journal(instance), re.MULTILINE)
    assert said, site.journal(instance)
    return str(said[0])


def _assert_given_up(site: Site, instance: str) -> None:
    """It failed once, for a configuration, and is not started again and again."""
    assert site.show("ActiveState", instance) == "failed"
    assert site.show("ExecMainStatus", instance) == "78"
    assert site.show("NRestarts", instance) == "0"
    assert site.journal(instance).count("Starting focusd@") == 1
