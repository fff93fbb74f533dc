"""The Pyro port: who may connect, what may be asked, and how much of this machine that may take.

One thread speaks to all connections and never waits for one. Calls that wait run on a few threads of their own
(docs/decisions/0009-connections.md). Nothing in here knows what a focuser is.
"""

from .message import MAX_MESSAGE_BYTES
from .published import CONTROL_THREADS, URGENT_THREADS, Published
from .room import LEAST_FILES, MAX_CONNECTIONS, why_too_few_files
from .server import MANNER, PATIENCE_S, STRANGERS_TURN_S, PyroServer

__all__ = [
    "CONTROL_THREADS",
    "LEAST_FILES",
    "MANNER",
    "MAX_CONNECTIONS",
    "MAX_MESSAGE_BYTES",
    "PATIENCE_S",
    "STRANGERS_TURN_S",
    "URGENT_THREADS",
    "Published",
    "PyroServer",
    "why_too_few_files",
]
