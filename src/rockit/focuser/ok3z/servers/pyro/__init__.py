"""The Pyro port: who may connect, what may be asked, and how much of this machine that may take.

One thread speaks to all connections and never waits for one. Calls that wait run on a few threads of their own
(docs/decisions/0009-connections.md). Only `focuser`, `reports`, `refusals` and `callers` know what a focuser is.
"""

from .exposed import CONTROL_THREADS, URGENT_THREADS, Exposed
from .focuser import COMMAND_STATUS_OF, LONGEST_WAIT_S, PyroFocuser, command_status
from .message import MAX_MESSAGE_BYTES
from .pool import LEAST_FILES, MAX_CONNECTIONS, why_too_few_files
from .reports import measurement, report
from .server import MANNER, PATIENCE_S, STRANGERS_TURN_S, PyroServer

__all__ = [
    "COMMAND_STATUS_OF",
    "CONTROL_THREADS",
    "LEAST_FILES",
    "LONGEST_WAIT_S",
    "MANNER",
    "MAX_CONNECTIONS",
    "MAX_MESSAGE_BYTES",
    "PATIENCE_S",
    "STRANGERS_TURN_S",
    "URGENT_THREADS",
    "Published",
    "PyroFocuser",
    "PyroServer",
    "command_status",
    "measurement",
    "report",
    "why_too_few_files",
]
