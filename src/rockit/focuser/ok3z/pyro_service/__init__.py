"""The focuser as the observatory's programs call it: a Pyro object that answers with numbers and dicts."""

from .reports import measurement, report
from .service import COMMAND_STATUS_OF, LONGEST_WAIT_S, PyroFocuser, command_status

__all__ = ["COMMAND_STATUS_OF", "LONGEST_WAIT_S", "PyroFocuser", "command_status", "measurement", "report"]
