"""The way into the host: the user's own ssh, or a key from the environment."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yumtree.tools import TroubleError

SSH_KEY = "FOCUSD_REPOSITORY_SSH_KEY"
KNOWN_HOSTS = "FOCUSD_REPOSITORY_KNOWN_HOSTS"
TARGET = "FOCUSD_REPOSITORY_TARGET"

_BOUNDS = {
    "BatchMode": "yes",
    "ConnectTimeout": "20",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
}


@dataclass(frozen=True)
class Access:
    """A private key and the hosts that it is for. Empty where the user's own will do."""

    key: str = ""
    known_hosts: str = ""

    @classmethod
    def from_environment(cls) -> Access:
        """What the environment gives. A key goes to no host that it does not name."""
        key, known_hosts = os.environ.get(SSH_KEY, "").strip(), os.environ.get(KNOWN_HOSTS, "").strip()
        if bool(key) != bool(known_hosts):
            raise TroubleError(
                f"{SSH_KEY} and {KNOWN_HOSTS} belong together, and only {SSH_KEY if key else KNOWN_HOSTS} is set. "
                "Set both, or neither to use your own ssh."
            )
        return cls(key, known_hosts)

    @contextlib.contextmanager
    def options(self) -> Iterator[list[str]]:
        """What rsync must be told. The key is on the disk only meanwhile."""
        options = dict(_BOUNDS)
        if not self.key:
            yield [_rsh([], options)]
            return
        with tempfile.TemporaryDirectory(prefix="focusd-ssh-") as name:
            key = _private(Path(name) / "key", self.key)
            options["UserKnownHostsFile"] = str(_private(Path(name) / "known_hosts", self.known_hosts))
            options |= {
                "GlobalKnownHostsFile": "/dev/null",
                "StrictHostKeyChecking": "yes",
                "IdentitiesOnly": "yes",
            }
            yield [_rsh(["-F", "/dev/null", "-i", str(key)], options)]


def _rsh(words: list[str], options: dict[str, str]) -> str:
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return f"--rsh={shlex.join(['ssh', *words, *settings])}"


def _private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    # ssh refuses a key without a line end, which a form on a web page takes away.
    path.write_text(f"{text}\n", encoding="utf-8")
    return path
