"""What focusd says and does about its configuration, before anything moves."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.support.processes import BIN, UNTIL_NOBODY_READS, run

RunAll = Callable[..., "list[subprocess.CompletedProcess[str]]"]


# Of sysexits.h: the unit does not start it again.
REFUSED = 78


def assert_one_clear_refusal(run: subprocess.CompletedProcess[str], *words: str, code: int = REFUSED) -> None:
    assert run.returncode == code
    assert run.stdout == ""
    assert run.stderr.startswith("focusd: ")
    assert "Traceback" not in run.stderr
    for word in words:
        assert word in run.stderr


def test_ten_mistakes_are_all_named(make_daemon: Any, run_all: RunAll) -> None:
    mistakes: dict[str, Any] = {
        "daemon": "system_tset",
        "log_name": "",
        "control_machines": ["LocalHost", "Nowhere"],
        "serial_baud": 9600,
        "serial_timeout": "5",
        "steps_per_mm": 5089,
        "anti_backlash_mm": -0.5,
        "focus_range_mm": 9.5,
        "speed_mm_sec": 40,
        "acceleration_mm_sec_sec": True,
        "serial_bawd": 38400,
    }
    daemon = make_daemon(**mistakes)
    path = str(daemon.config_path)
    for ran in run_all(daemon, "focusd", (path,), ("--check", path)):
        assert_one_clear_refusal(ran, "has 11 faults", *mistakes, "Nowhere", "did you mean serial_baud?")
        assert len(ran.stderr.splitlines()) == 12


def test_files_that_are_no_configuration(make_daemon: Any, run_all: RunAll, tmp_path: Path) -> None:
    contents = {
        "is empty": b"",
        "line 2, column 12": b'{\n "daemon": ,\n}',
        "expected a small file with one JSON object": b"[]",
        "no finite number": b'{"speed_mm_sec": NaN}',
        "not encoded in UTF-8": b"\xff\xfe{}",
    }
    paths = {"cannot be read": str(tmp_path / "missing.json"), "is a directory": str(tmp_path)}
    for number, (words, content) in enumerate(contents.items()):
        file = tmp_path / f"{number}.json"
        file.write_bytes(content)
        paths[words] = str(file)
    runs = run_all(make_daemon(), "focusd", *((path,) for path in paths.values()))
    for ran, (words, path) in zip(runs, paths.items()):
        assert_one_clear_refusal(ran, words, path)


@pytest.mark.parametrize("text", ["{", '{"machines": {"X": "1.2"}}', None], ids=["broken", "wrong", "absent"])
def test_a_site_file_that_cannot_be_used(make_daemon: Any, run_all: RunAll, text: str | None) -> None:
    daemon = make_daemon()
    if text is None:
        daemon.site_path.unlink()
    else:
        daemon.site_path.write_text(text)
    site = str(daemon.site_path)
    (ran,) = run_all(daemon, "focusd", (str(daemon.config_path),))
    assert_one_clear_refusal(ran, site)
    assert ran.stderr.count(site) == 1, "said once"
    (status,) = run_all(daemon, "focus", ("status",))
    assert (status.returncode, status.stdout) == (255, "")
    assert "Traceback" not in status.stderr
    assert site in status.stderr


def test_what_is_only_asked(make_daemon: Any, run_all: RunAll) -> None:
    daemon = make_daemon(serial_port="/dev/no_such_focuser", speed_mm_sec=0.5, anti_backlash_mm=0.5)
    path = str(daemon.config_path)
    runs = run_all(daemon, "focusd", ("--check", path), ("--print-port", path), ("--version",), ("--help",))
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 4
    check, port, version, text = (run.stdout for run in runs)
    facts = [daemon.object_name, "127.0.0.1", str(daemon.address.port), "/dev/no_such_focuser at 38400 baud"]
    facts += ["0.4918 mm/s", "4.9994 mm/s^2", "40.6 s", "13.4 s", "LocalHost (127.0.0.1)"]
    for fact in facts:
        assert fact in check
    assert port == f"{daemon.address.port}\n"
    assert version.startswith("focusd ")
    for option in ("--check", "--print-port", "--verbose", "--version"):
        assert option in text
    assert not daemon.address.is_listening()


@pytest.mark.parametrize(
    ("option", "output", "reason"),
    [
        ("--check", ">/dev/full", "No space left on device"),
        ("--print-port", ">&-", "stdout is closed"),
        ("--help", "| sleep 0", "Broken pipe"),
        ("--version", ">/dev/full", "No space left on device"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_a_result_that_cannot_be_written_is_told(
    make_daemon: Any, option: str, output: str, reason: str, unbuffered: str
) -> None:
    """With the interpreter's own buffer in between and without it, which fails at another moment."""
    daemon = make_daemon()
    script = f'{{ {UNTIL_NOBODY_READS} "$0" "$1" "$2"; echo "ended with $?" >&2; }} {output}'
    environment = {**daemon.environment, "PYTHONUNBUFFERED": unbuffered}
    ran = run("/bin/sh", "-c", script, BIN / "focusd", option, daemon.config_path, env=environment)
    assert ran.stderr == f"focusd: the result cannot be written: {reason}.\nended with 1\n"
    assert ran.stdout == ""


@pytest.mark.parametrize("output", ["2>/dev/full", "2>&-", ">&- 2>&-"])
def test_a_refusal_that_cannot_be_told_is_still_an_exit_code(make_daemon: Any, output: str) -> None:
    daemon = make_daemon(serial_baud=9600)
    script = f'"$0" "$1" {output}'
    ran = run("/bin/sh", "-c", script, BIN / "focusd", daemon.config_path, env=daemon.environment)
    assert (ran.returncode, ran.stdout, ran.stderr) == (REFUSED, "", "")


def test_wrong_usage(make_daemon: Any, run_all: RunAll) -> None:
    for ran in run_all(make_daemon(), "focusd", (), ("a.json", "b.json"), ("--no-such-option", "a.json")):
        assert ran.returncode not in (0, 1)
        assert "usage: focusd" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_the_port_of_the_daemon_is_in_use(focuser: Any, run_all: RunAll) -> None:
    (ran,) = run_all(focuser, "focusd", (str(focuser.config_path),))
    assert_one_clear_refusal(ran, str(focuser.address.port), code=1)
    assert len(ran.stderr.splitlines()) == 1
    assert focuser.call("set_focus", 0.4) == 0, "the first goes on"


def test_a_daemon_that_belongs_to_another_machine(make_daemon: Any, run_all: RunAll) -> None:
    # An address of the documentation, which is nobody's.
    elsewhere = {"name": "elsewhere", "machine": "Far", "port": 9000}
    site = {"machines": {"Far": "192.0.2.1"}, "daemons": {"elsewhere": elsewhere}}
    daemon = make_daemon(site=site, daemon="elsewhere")
    (ran,) = run_all(daemon, "focusd", (str(daemon.config_path),))
    assert_one_clear_refusal(ran, "192.0.2.1", code=1)
    assert len(ran.stderr.splitlines()) == 1
