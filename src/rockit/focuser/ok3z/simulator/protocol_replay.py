"""The pyserial handler of `replay://FILE`: a port at whose other end a recording answers.

FILE is a path, from the root if it begins with a third slash: `replay:///var/tmp/20261130T031502.120Z.jsonl.gz`. Tests
that live in virtual time give their recording a name, by `replayed`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import protocol_sim
from .clock import Clock
from .replay import RecordingError, Replay, load

SCHEME = "replay://"

_replays: dict[str, Replay] = {}


@contextmanager
def replayed(name: str, path: Path, clock: Clock) -> Iterator[str]:
    """A recording on a clock of its own, for the length of a `with` block, which gets the URL.

    Raises RecordingError, OSError.
    """
    url = f"{SCHEME}{name}"
    _replays[url] = Replay(load(path), clock)
    try:
        yield url
    finally:
        del _replays[url]


class Serial(protocol_sim.Serial):
    """A serial port with a recording at its other end."""

    def _far_end(self, url: str) -> protocol_sim.FarEnd:
        """It stays where it is while its port is closed. Raises OSError."""
        try:
            return _replays.setdefault(url, _replays.get(url) or Replay(load(Path(url[len(SCHEME) :]))))
        except RecordingError as error:
            raise OSError(str(error)) from None
