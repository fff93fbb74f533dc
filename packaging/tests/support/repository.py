"""The observatory's package repository: filled and signed by packaging/repository/publish.py, served on loopback."""

from __future__ import annotations

import functools
import re
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .documented import DEPLOYMENT, README, documented
from .machine import Machine
from .sources import PROJECT
from .workshop import Workshop

PUBLISH = PROJECT / "packaging/repository/publish.py"
PUBLIC_KEY = "RPM-GPG-KEY-focusd"
README_URL = "https://packages.example.org/focusd"
OURS, SOMEBODY_ELSES = "ours@example.org", "somebody.else@example.org"


class Repository:
    """A host with one repository for each release, and the public key beside them. Readers see its `tree`."""

    def __init__(self, workshop: Workshop, host: Path) -> None:
        self.host = host
        self.tree = host / "current"
        self._workshop = workshop

    def publish(self, rpms: Iterable[Path]) -> None:
        """Sign packages, and add them."""
        self._workshop.run(sys.executable, PUBLISH, *rpms, "--target", self.host, "--key", OURS).ok()

    def rpms(self, dist: str) -> dict[str, Path]:
        """The newest packages that are published for a release, by their names."""
        found = sorted((self.tree / dist).rglob("*.noarch.rpm"), key=lambda path: path.stat().st_mtime)
        said = self._workshop.run("rpm", "-qp", "--nosignature", "--qf", "%{NAME}\n", *found).ok()
        return dict(zip(said.split(), found))

    def describe_anew(self, dist: str) -> None:
        """Have unsigned metadata say what lies here now, as somebody does who has changed a package."""
        folder = self.tree / dist
        shutil.rmtree(folder / "repodata")
        self._workshop.run("createrepo_c", "--quiet", "--compatibility", folder).ok()


def make_keys(workshop: Workshop) -> None:
    """The key that our repository is signed with, and another one."""
    for name in (OURS, SOMEBODY_ELSES):
        kind = ("rsa3072", "sign", "never")
        workshop.run(
            "gpg", "--batch", "--passphrase", "", "--quick-generate-key", f"Test <{name}>", *kind
        ).ok()


def public_key(workshop: Workshop, name: str) -> str:
    return workshop.run("gpg", "--batch", "--armor", "--export", name).ok()


def know_ours(machine: Machine, url: str, **changes: object) -> None:
    """Write the file of our repository, as the README has it, but for its address."""
    found = re.search(r"^\[focusd\]\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found, "the README has no [focusd] repository"
    lines = found[1].replace(README_URL, url).splitlines()
    machine.know_repository("focusd", **{**dict(line.split("=", 1) for line in lines), **changes})


def readme_packages() -> list[str]:
    """The packages that the README has installed on the machine of a focuser."""
    (found,) = [line for line in documented(README, "sudo yum install") if "ngts-m06" in line]
    return found.split()[3:]


def deployment_packages(verb: str) -> list[str]:
    """The packages that the page on deployment names for what yum shall do, such as remove."""
    (found,) = documented(DEPLOYMENT, f"sudo yum {verb}")
    return found.split()[3:]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """What is fetched is of no interest."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        # dnf hangs up on a file that is not as the metadata say.
        with suppress(ConnectionError):
            super().copyfile(source, outputfile)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback. Gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    # Those that fetch must have come to their end, too.
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
