"""The focuser as the observatory's programs call it: a Pyro object that answers with numbers and dicts."""

from .service import COMMAND_STATUS_OF, PyroFocuser, command_status, report

__all__ = ["COMMAND_STATUS_OF", "PyroFocuser", "command_status", "report"]
