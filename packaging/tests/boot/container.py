"""A small machine that systemd boots, in a container (systemd-nspawn), and that leaves nothing behind.

Its /usr is that of this machine, under an overlay: what is written goes to a folder of the test. /etc and /var are its
own. All mounts are made in a mount namespace of the container's, so they end with it. All its processes are in one
control group, so all of them can be ended and no others.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

BOOT_BOUND_S = 60.0
COMMAND_BOUND_S = 60.0
END_BOUND_S = 20.0
PAUSE_S = 0.02

GROUP_PREFIX = "focusd-boot-test"
ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
ROOT_FOLDERS = ("dev", "etc", "home", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var")

PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
# Enterprise Linux's number of dialout.
GROUP = "root:x:0:\ntty:x:5:\ndialout:x:18:\nnogroup:x:65534:\n"
FILES = {
    "etc/passwd": PASSWD,
    "etc/group": GROUP,
    "etc/nsswitch.conf": "passwd: files systemd\ngroup: files systemd\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/hostname": "boot\n",
    # A machine without one takes itself for new, and enables all that it finds.
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    # Debian's rpm has it in the home.
    "etc/rpm/macros": "%_dbpath /var/lib/rpm\n",
}
# What this machine has and a machine of an observatory need not have, and what could reach out of the container.
MASKED = (
    "console-getty.service",
    "dbus.service",
    "dbus.socket",
    "getty-static.service",
    "getty.target",
    "systemd-logind.service",
    "systemd-random-seed.service",
    "systemd-sysctl.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
)

# /run: nspawn notes there which containers run. The last words become those of nspawn.
START = """\
set -eu
echo $$ > "$1/cgroup.procs"
mount -t tmpfs tmpfs /run
mount -t overlay overlay -o "$3" "$2/usr"
root=$2
shift 3
exec systemd-nspawn --quiet --directory="$root" "$@" --boot
"""
OPTIONS = (
    "--machine=boot",
    "--register=no",
    "--keep-unit",
    "--private-network",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    "--console=pipe",
    # With these two, and no more, systemd can watch over which devices a service opens.
    "--capability=CAP_BPF",
    "--system-call-filter=bpf",
)

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8"}

_numbers = itertools.count()


class Container:
    """One such machine. `folder` is its own and empty; each of `layers` is laid over this machine's /usr."""

    def __init__(self, folder: Path, layers: list[Path]) -> None:
        self.root = folder / "root"
        self._folder = folder
        self._layers = layers
        self._group = _groups() / f"{GROUP_PREFIX}-{os.getpid()}-{next(_numbers)}"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    # Its life

    def furnish(self) -> None:
        """Make its file system, without what packages bring."""
        for name in ROOT_FOLDERS:
            (self.root / name).mkdir(parents=True)
        for name in ROOT_LINKS:
            if Path("/", name).is_symlink():
                (self.root / name).symlink_to(os.readlink(f"/{name}"))
        for name, text in FILES.items():
            self.write(name, text)
        shutil.copy("/etc/ld.so.cache", self.root / "etc")
        (self.root / "etc/systemd/system").mkdir(parents=True)
        for name in MASKED:
            (self.root / "etc/systemd/system" / name).symlink_to(os.devnull)

    def write(self, name: str, text: str) -> None:
        """Write a file of /etc or /var; the rest is not to be reached from outside."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def boot(self) -> None:
        """Start it, and wait until all is up that it starts by itself."""
        _need_no_overlay(self._folder)
        (self._folder / "upper").mkdir()
        (self._folder / "work").mkdir()
        _remove_stale_groups()
        self._group.mkdir()
        lower = ":".join(map(str, [*self._layers, "/usr"]))
        overlay = f"lowerdir={lower},upperdir={self._folder / 'upper'},workdir={self._folder / 'work'}"
        with open(self._console, "wb") as console:
            self._nspawn = subprocess.Popen(
                # Should the test be killed, systemd-nspawn is told so, and halts the container.
                [
                    *("setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "--propagation", "private"),
                    *("sh", "-c", START, "sh", self._group, self.root, overlay, *OPTIONS),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        self._until("the first process of the container is there", self._find_leader, BOOT_BOUND_S)
        self._until("systemd answers", lambda: self.run("systemctl", "show").returncode == 0, BOOT_BOUND_S)
        state = self.run("systemctl", "is-system-running", "--wait").stdout.strip()
        assert state == "running", (
            f"it came up {state}:\n{self.run('systemctl', '--failed').stdout}{self.journal()}"
        )

    def end(self) -> None:
        """End it at once, with all that runs in it."""
        if self._group.exists():
            (self._group / "cgroup.kill").write_text("1")
            self._until(
                "no process of the container is left", lambda: not list(self._processes()), END_BOUND_S
            )
            _remove(self._group)
        if self._nspawn:
            self._nspawn.wait(END_BOUND_S)

    # What can be asked of it

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root, to its end."""
        return subprocess.run(
            self._entering(words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_BOUND_S,
            env=ENVIRONMENT,
        )

    def ok(self, *words: str) -> str:
        """What a command that has to succeed says on stdout."""
        done = self.run(*words)
        assert done.returncode == 0, (
            f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in it. The caller has to wait for the process; at the latest it ends with the machine."""
        return subprocess.Popen(
            self._entering(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
        )

    def copy_in(self, source: Path) -> str:
        """Copy a file into the machine; its path there."""
        target = self.root / "opt" / source.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)
        return f"/opt/{source.name}"

    def journal(self, unit: str = "") -> str:
        """What the journal has of a unit, or of all."""
        self.ok("journalctl", "--sync")
        only = [f"--unit={unit}"] if unit else []
        return self.ok("journalctl", "--no-pager", "--output=cat", *only)

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.ok("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for something that has to come about."""
        self._until(what, condition, COMMAND_BOUND_S)

    # How

    @property
    def _console(self) -> Path:
        return self._folder / "console"

    def _entering(self, words: tuple[str, ...]) -> list[str]:
        return ["nsenter", f"--target={self._leader}", "--all", "--", *words]

    def _find_leader(self) -> bool:
        assert self._nspawn
        self._leader = next((pid for pid in self._processes() if _is_first(pid)), 0)
        ended = self._nspawn.poll()
        assert self._leader or ended is None, (
            f"systemd-nspawn ended with {ended}:\n{self._console.read_text()}"
        )
        return bool(self._leader)

    def _processes(self) -> Iterator[int]:
        for file in self._group.rglob("cgroup.procs"):
            # A control group may end while it is looked at.
            try:
                yield from map(int, file.read_text().split())
            except OSError:
                continue

    def _until(self, what: str, condition: Callable[[], bool], bound_s: float) -> None:
        end_s = time.monotonic() + bound_s
        while not condition():
            if time.monotonic() > end_s:
                said = self._console.read_text(errors="replace") if self._console.exists() else ""
                raise AssertionError(
                    f"{bound_s:.0f} s have not been enough until {what}. The console has: {said}"
                )
            time.sleep(PAUSE_S)


def _need_no_overlay(folder: Path) -> None:
    """The kernel refuses an overlay that would write to another one, in words that name no remedy."""
    words = ["stat", "--file-system", "--format=%T", str(folder)]
    kind = subprocess.run(words, check=True, capture_output=True, text=True, timeout=COMMAND_BOUND_S).stdout
    assert kind.strip() != "overlayfs", (
        f"{folder} is on an overlay, and should be on a disk or in memory, since the overlay of the machine's /usr "
        "writes there. In a container of Docker's give /tmp a volume (--volume /tmp); elsewhere set TMPDIR to a folder "
        "on a disk."
    )


def _groups() -> Path:
    """Where the unified hierarchy of control groups is."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise AssertionError("this machine has no control groups, version 2; the container needs them")


def _remove(group: Path) -> None:
    """Remove a control group that holds no process any more, with those in it."""
    for inner in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
        inner.rmdir()
    group.rmdir()


def _remove_stale_groups() -> None:
    """What a test has left behind that was killed itself."""
    for group in _groups().glob(f"{GROUP_PREFIX}-*"):
        test = group.name.split("-")[-2]
        if not Path("/proc", test).exists() and "populated 0" in (group / "cgroup.events").read_text():
            _remove(group)


def _is_first(pid: int) -> bool:
    """Whether a process is number 1 in a namespace of its own."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return len(numbers) > 1 and numbers[-1] == "1"
