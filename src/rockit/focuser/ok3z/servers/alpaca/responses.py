"""What an Alpaca answer looks like, and which number an error has. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ... import errors
from ...errors import FocuserError

# Of the standard. Up to 0x4FF there are no others that a driver may use.
NOT_IMPLEMENTED = 0x400
INVALID_VALUE = 0x401
NOT_CONNECTED = 0x407
INVALID_OPERATION = 0x40B
ACTION_NOT_IMPLEMENTED = 0x40C
OPERATION_CANCELLED = 0x40E
# From here on each driver has its own.
FIRST_OF_DRIVER = 0x500

LARGEST_TRANSACTION_ID = 2**32 - 1


class NotImplementedHereError(errors.RequestError):
    """A member of the standard that this focuser does not have. Do without it."""

    code = "not_implemented"


class UnknownActionError(NotImplementedHereError):
    """There is no action of this name. Its message has those that there are."""

    code = "unknown_action"


# Total: each class of errors.py is named.
ALPACA_NUMBER_OF: Mapping[type[FocuserError], int] = {
    errors.FocuserError: FIRST_OF_DRIVER,
    errors.ConfigError: 0x501,
    errors.RequestError: INVALID_OPERATION,
    NotImplementedHereError: NOT_IMPLEMENTED,
    UnknownActionError: ACTION_NOT_IMPLEMENTED,
    errors.InvalidArgumentError: INVALID_VALUE,
    errors.OutsideLimitsError: INVALID_VALUE,
    errors.NotConnectedError: NOT_CONNECTED,
    errors.AlreadyConnectedError: INVALID_OPERATION,
    errors.BusyError: INVALID_OPERATION,
    errors.HeldError: INVALID_OPERATION,
    errors.NotPermittedError: INVALID_OPERATION,
    errors.StoppedError: OPERATION_CANCELLED,
    errors.LinkError: 0x510,
    errors.PortUnavailableError: 0x511,
    errors.ReplyTimeoutError: 0x512,
    errors.LinkLostError: 0x513,
    errors.ProtocolError: 0x520,
    errors.MalformedReplyError: 0x521,
    errors.DeviceError: 0x530,
    errors.MoveTimeoutError: 0x531,
    errors.NoProgressError: 0x532,
    errors.UnexpectedMotionError: 0x533,
    errors.HomingFailedError: 0x534,
    errors.HaltFailedError: 0x535,
    errors.PositionLostError: 0x536,
    errors.NoSwitchError: 0x537,
    errors.SettingsLostError: 0x538,
    errors.StalledError: 0x539,
    errors.InternalError: 0x540,
    errors.ThermometerError: 0x550,
}


def number_of(error: FocuserError) -> int:
    """The Alpaca number for an error; a class that is not named has that of the nearest of its ancestors."""
    return next(ALPACA_NUMBER_OF[cls] for cls in type(error).__mro__ if cls in ALPACA_NUMBER_OF)


class TransactionCounter:
    """Numbers the answers of this server: 1 and upward, each once."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def next(self) -> int:
        """The number of the next answer, 1 ... 2**32 - 1; after that it begins anew."""
        self._last = self._last % LARGEST_TRANSACTION_ID + 1
        return self._last


def answer(
    client_transaction_id: int, server_transaction_id: int, error: FocuserError | None = None
) -> dict[str, object]:
    """The object that ends every request that was understood. A read adds its `Value`."""
    return {
        "ClientTransactionID": client_transaction_id,
        "ServerTransactionID": server_transaction_id,
        "ErrorNumber": number_of(error) if error else 0,
        # Clients take any text for an error, and no text with an error for none.
        "ErrorMessage": (str(error) or type(error).__name__) if error else "",
    }


def encoded(body: Mapping[str, object]) -> bytes:
    """An answer as it is sent: JSON, in ASCII."""
    return json.dumps(body, allow_nan=False).encode("ascii")
