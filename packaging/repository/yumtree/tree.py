"""The tree as a whole: its places, its public key, and the one who works on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from yumtree.packages import PLACES
from yumtree.repository import Repository, SpoiltError
from yumtree.signing import Key, fingerprints
from yumtree.tools import TroubleError, flush

KEY_FILE = "RPM-GPG-KEY-focusd"
# Not part of what is published: the lock, and the work in hand.
PRIVATE = ".publish"
# rpm's key database is the largest of what the work needs, with some hundred kB.
ROOM = 2 << 20


class Tree:
    """A folder with one repository for each release of Enterprise Linux.

    Args:
        called: what it is for a person, where the folder is a copy that goes; the folder itself where it is empty.
    """

    def __init__(self, folder: Path, called: str = "") -> None:
        self.folder = folder
        self.called = called or str(folder)
        self.repositories = {place: Repository(folder, place, self.called) for place in PLACES}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from this tree."""
        private = self.folder / PRIVATE
        private.mkdir(parents=True, exist_ok=True)
        with (private / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise TroubleError(
                    f"Another publisher works on {self.folder} ({lock.read().strip() or 'it does not say who'}). "
                    "Wait until it has ended, then run this again."
                ) from None
            lock.truncate(0)
            lock.write(
                f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(timezone.utc):%FT%TZ}"
            )
            lock.flush()
            yield

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Path]:
        """A folder for the work in hand, on the tree's own file system. It goes, and older ones do, too."""
        private = self.folder / PRIVATE
        for left in private.glob("work-*"):
            shutil.rmtree(left)
        work = Path(tempfile.mkdtemp(prefix="work-", dir=private))
        try:
            yield work
        finally:
            shutil.rmtree(work)

    @property
    def has_room(self) -> bool:
        """Whether the disk has room for the work of the tools, of which some do not say why they fail."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize >= ROOM and (disk.f_favail > 0 or disk.f_files == 0)

    def mend(self) -> None:
        """Take away what a publisher that died has left. All places that were spoilt are said at once."""
        spoilt: list[str] = []
        for repository in self.repositories.values():
            try:
                repository.mend()
            except SpoiltError as error:
                spoilt.append(str(error))
        if spoilt:
            raise TroubleError("\n".join(spoilt))

    def export_key(self, key: Key, work: Path) -> Path:
        """Write the public key into `work`, and see that the tree is not another key's."""
        public = work / KEY_FILE
        public.write_text(key.public(), encoding="ascii")
        present = self.folder / KEY_FILE
        others = fingerprints(present) if present.exists() else []
        if others and key.fingerprint not in others:
            raise TroubleError(
                f"{self.called} is signed by another key ({', '.join(others)}) "
                f"than the one named ({key.fingerprint}), and machines trust the other. Name the other with --key, "
                "or begin a new, empty tree with this one."
            )
        return public

    def put_key(self, public: Path) -> None:
        """Put the public key where machines fetch it."""
        present = self.folder / KEY_FILE
        if present.exists() and present.read_bytes() == public.read_bytes():
            return
        flush(public)
        os.rename(public, present)
        flush(self.folder)
