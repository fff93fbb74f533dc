"""The one error tree of this project.

Every class has a stable `code` (for logs and for machines) and says in `retry_helps` whether the same
call can succeed later without anybody changing something. Adapters translate classes to their own
numbers by one total table each; nobody parses messages. A message is a sentence for a tired human:
what was seen, what was expected, what to do. It goes to whoever asked; `reason` is what everybody may read.
"""

from __future__ import annotations

from typing import ClassVar


class Sentence(str):
    """A sentence for everybody, with the fuller one for those who may control.

    A str of what everybody may read, so that whoever overlooks the other tells no more than that.
    """

    __slots__ = ("_whole",)
    _whole: str

    def __new__(cls, public: str, whole: str) -> Sentence:
        made = super().__new__(cls, public)
        made._whole = whole
        return made

    def __reduce__(self) -> tuple[type[Sentence], tuple[str, str]]:
        return Sentence, (str(self), self._whole)

    def __getstate__(self) -> str:
        # What serpent sends: nothing but the public text may leave by mistake.
        return str(self)


def whole(sentence: str) -> str:
    """What those who may control read, and the logs."""
    return sentence._whole if isinstance(sentence, Sentence) else sentence


def joined(*sentences: str) -> Sentence:
    """Sentences one after the other, for each reader what is for them."""
    return Sentence(" ".join(sentences), " ".join(map(whole, sentences)))


class FocuserError(Exception):
    """Root of everything that this project raises for a foreseeable cause."""

    code: ClassVar[str] = "focuser_error"
    retry_helps: ClassVar[bool] = False

    def __init__(self, message: str = "", public: str = "") -> None:
        """An error with its sentence.

        Args:
            message: for those who may control, and for the logs.
            public: what everybody may read instead, where the message names an address, a path or a configuration.
        """
        super().__init__(message)
        self.reason = Sentence(public or message, message)
        """What is published of it: the status is open to everybody."""


class ConfigError(FocuserError):
    """The configuration cannot be used. Mend the file; the message lists every violation."""

    code = "configuration"


class RequestError(FocuserError):
    """The request was refused before anything reached the wire."""

    code = "request"


class InvalidArgumentError(RequestError):
    """An argument is no number. Mend the call."""

    code = "invalid_argument"


class OutsideLimitsError(RequestError):
    """The position is not within 0 and focus_range_mm (NaN and infinities never are). Ask for another."""

    code = "outside_limits"


class NotConnectedError(RequestError):
    """There is no focuser with a known position. Call `initialize` first."""

    code = "not_connected"


class AlreadyConnectedError(RequestError):
    """The focuser is connected, homed and answering: there is nothing to initialise."""

    code = "already_connected"


class BusyError(RequestError):
    """Another command runs. Wait for its end, or call `stop`."""

    code = "busy"
    retry_helps = True


class NotPermittedError(RequestError):
    """The caller's machine is not among `control_machines`."""

    code = "not_permitted"


class StoppedError(FocuserError):
    """The motion was ended by a stop before its target. Nothing is wrong with the focuser."""

    code = "stopped"
    retry_helps = True


class LinkError(FocuserError):
    """The serial line failed. Look at the cable, the adapter and the controller's power."""

    code = "link"
    retry_helps = True


class PortUnavailableError(LinkError):
    """The port could not be opened: absent, not permitted, or held by another process."""

    code = "port_unavailable"


class ReplyTimeoutError(LinkError):
    """No matching reply came within the deadline of one exchange. Ask again a few times."""

    code = "reply_timeout"


class LinkLostError(LinkError):
    """The port hung up, or nothing valid came for so long that the link counts as dead."""

    code = "link_lost"


class ProtocolError(FocuserError):
    """The controller answered something that is no valid reply. Ask again a few times."""

    code = "protocol"
    retry_helps = True


class MalformedReplyError(ProtocolError):
    """The reply was there, but its argument cannot be read."""

    code = "malformed_reply"


class DeviceError(FocuserError):
    """The link works, but the focuser did not do what was commanded."""

    code = "device"


class MoveTimeoutError(DeviceError):
    """The motion did not end before the deadline that follows from its plan."""

    code = "move_timeout"
    retry_helps = True


class NoProgressError(DeviceError):
    """The motor does not advance. Look at the motor's power and load."""

    code = "no_progress"
    retry_helps = True


class StalledError(NoProgressError):
    """The motor came to stand on its way, whatever the controller says of it. Look at the motor's power and load."""

    code = "stalled"


class UnexpectedMotionError(DeviceError):
    """The controller says that the motor runs although nobody told it to."""

    code = "unexpected_motion"
    retry_helps = True


class HomingFailedError(DeviceError):
    """The homing run did not end at the inner limit switch in a way that proves the origin."""

    code = "homing_failed"
    retry_helps = True


class NoSwitchError(HomingFailedError):
    """The homing run went past the whole travel and met no limit switch. Look at the switch."""

    code = "no_switch"


class HaltFailedError(DeviceError):
    """The motor was told to stop, and was not seen standing still. Cut its power if it is in danger."""

    code = "halt_failed"
    retry_helps = True


class PositionLostError(DeviceError):
    """The register cannot be trusted any more: it jumped, ran the wrong way, stood short or moved unasked.
    Home again."""

    code = "position_lost"


class SettingsLostError(PositionLostError):
    """The controller runs at another rate than its settings make, or its register began anew behind them: it lost its
    settings, and what its register counts is not known. Home again."""

    code = "settings_lost"


class InternalError(FocuserError):
    """A mistake in this program; its log has the traceback. Report it."""

    code = "internal"
