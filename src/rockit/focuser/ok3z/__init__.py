"""The ASA OK3Z focuser: its configuration, and the numbers its daemon answers with."""

from .config import Config
from .constants import CommandStatus, FocuserStatus

__all__ = ["CommandStatus", "Config", "FocuserStatus"]
