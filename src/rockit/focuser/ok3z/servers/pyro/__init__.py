"""The Pyro port: who may connect, what may be asked, and how much of this machine that may take.

One thread speaks to all connections, makes all calls, and never waits for one: what a call waits for is a future
(docs/decisions/0009-connections.md). Only `focuser`, `permission`, `reports`, `refusals` and `callers` know what a
focuser is.
"""

from .calls import MOST_CALLS
from .exposed import Exposed
from .focuser import COMMAND_STATUS_OF, LONGEST_WAIT_S, PyroFocuser, command_status
from .message import MAX_MESSAGE_BYTES
from .permission import LOOK_UP_THREADS
from .pool import LEAST_FILES, MAX_CONNECTIONS, why_too_few_files
from .reports import measurement, report
from .server import MANNER, PATIENCE_S, STRANGERS_TURN_S, PyroServer

__all__ = [
    "COMMAND_STATUS_OF",
    "LEAST_FILES",
    "LONGEST_WAIT_S",
    "LOOK_UP_THREADS",
    "MANNER",
    "MAX_CONNECTIONS",
    "MAX_MESSAGE_BYTES",
    "MOST_CALLS",
    "PATIENCE_S",
    "STRANGERS_TURN_S",
    "Exposed",
    "PyroFocuser",
    "PyroServer",
    "command_status",
    "measurement",
    "report",
    "why_too_few_files",
]
