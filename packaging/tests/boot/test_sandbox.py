"""What the daemon may do on the machine, and what it may not, though it were to run somebody else's code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from boot.site import Site

PROBE_FILE = "/etc/focusd/probe.py"
RESULT_FILE = "var/lib/private/focusd/probe/result.json"
# All else of the unit stays as it is: the probe takes the place of focusd.
PROBE_INSTEAD = f"""\
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/usr/bin/python3 -s {PROBE_FILE}
"""

# Major numbers: 4 is that of char-ttyS, 1 has /dev/kmsg, 10 what is various, 60 is for experiments. No driver answers
# at these numbers. So what may be opened is not there, and what may not is not permitted.
DEVICES = {"ttyS": (4, 250), "kmsg": (1, 11), "misc": (10, 254), "experiment": (60, 0)}

PROBE = """
import ctypes, errno, glob, json, mmap, os, socket

libc = ctypes.CDLL(None, use_errno=True)
result = {}

def attempt(name, action, *arguments):
    try:
        action(*arguments)
        result[name] = "done"
    except OSError as error:
        result[name] = errno.errorcode[error.errno]

def call(function, *arguments):
    if getattr(libc, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), function)

def write(folder):
    path = os.path.join(folder, "probe")
    with open(path, "w"):
        pass
    os.unlink(path)

def open_and_close(path):
    os.close(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))

state = os.environ["STATE_DIRECTORY"]
for folder in ("/", "/boot", "/etc", "/etc/focusd", "/home", "/opt", "/root", "/run", "/srv", "/usr", "/usr/lib",
               "/var", "/var/lib", "/var/log", "/var/spool/everybody", "/dev", "/sys", "/proc", state):
    attempt("write " + folder, write, folder)
attempt("read /root", os.listdir, "/root")
for path in glob.glob("/dev/probe-*") + ["/dev/focuser", "/dev/null"]:
    attempt("open " + path, open_and_close, path)
for name in ("AF_NETLINK", "AF_PACKET", "AF_INET", "AF_UNIX"):
    attempt("socket " + name, lambda: socket.socket(getattr(socket, name), socket.SOCK_DGRAM).close())
attempt("memory to write and run", lambda: mmap.mmap(
    -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close())
attempt("new namespace", call, "unshare", 0x10000000)
attempt("mount", call, "mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None)
attempt("chroot", os.chroot, "/tmp")
attempt("become root", os.setuid, 0)
attempt("real time", os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))
attempt("host name", socket.sethostname, "probe")
attempt("setuid file", lambda: os.chmod(os.open(state + "/s", os.O_CREAT | os.O_WRONLY), 0o4755))
attempt("kill another's process", os.kill, 1, 0)
result["processes"] = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
result["me"] = os.getpid()
with open(state + "/result.json", "w") as file:
    json.dump(result, file)
"""


@pytest.fixture(scope="module")
def found(shared_site: Site) -> dict[str, Any]:
    """What a probe in the place of focusd could do."""
    container = shared_site.container
    for name, (major, minor) in DEVICES.items():
        container.ok("mknod", "--mode=666", f"/dev/probe-{name}", "c", str(major), str(minor))
    container.ok("mkdir", "--mode=1777", "--parents", "/var/spool/everybody")
    container.write(PROBE_FILE.lstrip("/"), PROBE)
    container.write("etc/systemd/system/focusd@probe.service.d/probe.conf", PROBE_INSTEAD)
    container.ok("systemctl", "daemon-reload")
    done = container.run("systemctl", "start", "focusd@probe")
    assert done.returncode == 0, done.stderr + shared_site.journal("probe")
    return dict(json.loads((container.root / RESULT_FILE).read_text()))


def test_the_process_has_no_privileges(serving: Site) -> None:
    status = serving.status_of_process()
    user, group = status["Uid"].split()[0], status["Gid"].split()[0]

    # Those that systemd gives to users who exist as long as their service does.
    assert 61184 <= int(user) <= 65519
    assert user == group
    assert set(status["Groups"].split()) == {"18", group}
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_only_its_state_can_be_written(found: dict[str, Any]) -> None:
    places = {name: how for name, how in found.items() if name.startswith("write ")}

    assert [name for name, how in places.items() if how == "done"] == ["write /var/lib/focusd/probe"]
    # Not by the rights of the file system, which here are everybody's.
    assert places["write /var/spool/everybody"] == "EROFS"
    assert found["read /root"] == "EACCES"


def test_the_serial_port_can_be_opened_and_no_other_device(found: dict[str, Any]) -> None:
    devices = {
        name.removeprefix("open /dev/"): how for name, how in found.items() if name.startswith("open ")
    }

    assert devices.pop("focuser") == "done"
    assert devices.pop("null") == "done"
    assert devices == {
        "probe-ttyS": "ENXIO",
        "probe-kmsg": "EPERM",
        "probe-misc": "EPERM",
        "probe-experiment": "EPERM",
    }


def test_what_no_focuser_needs_is_denied(found: dict[str, Any]) -> None:
    assert {name: found[name] for name in ("socket AF_INET", "socket AF_UNIX")} == {
        "socket AF_INET": "done",
        "socket AF_UNIX": "done",
    }
    denied = {
        "socket AF_NETLINK": "EAFNOSUPPORT",
        "socket AF_PACKET": "EAFNOSUPPORT",
        "memory to write and run": "EPERM",
        "new namespace": "EPERM",
        "mount": "EPERM",
        "chroot": "EPERM",
        "become root": "EPERM",
        "real time": "EPERM",
        "host name": "EPERM",
        "setuid file": "EPERM",
        "kill another's process": "EPERM",
    }
    assert {name: found[name] for name in denied} == denied


def test_no_other_process_is_seen(found: dict[str, Any]) -> None:
    assert found["processes"] == [found["me"]]


def test_what_it_knows_of_the_position_is_written_for_itself_alone(serving: Site) -> None:
    serving.focus_ok("init")

    folder = serving.container.root / "var/lib/private/focusd/boot"
    state = folder / "localhost_test.json"
    serving.container.until("the state is written", state.exists)
    # Beside it lie the history and the recordings.
    assert all(path.name.startswith("localhost_test.") for path in folder.iterdir())
    modes = {path: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}
    assert {path: mode for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}
