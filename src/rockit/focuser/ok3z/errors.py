"""The one error tree of this project.

Every class has a stable `code` (for logs and for machines) and says in `retry_helps` whether the same
call can succeed later without anybody changing something. Adapters translate classes to their own
numbers by one total table each; nobody parses messages. A message is a sentence for a tired human:
what was seen, what was expected, what to do. It goes to whoever asked; `reason` is what everybody may read.
"""

from __future__ import annotations

import re
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

    def __init_subclass__(cls) -> None:
        # As the class is called. One that gets another name keeps its code by saying it.
        if "code" not in vars(cls):
            cls.code = re.sub(r"\B(?=[A-Z])", "_", cls.__name__.removesuffix("Error")).lower()

    def __init__(self, message: str = "", public: str = "") -> None:
        """An error with its sentence.

        Args:
            message: for those who may control, and for the logs.
            public: what everybody may read instead, if the message names an address, a path or a configuration.
        """
        super().__init__(message)
        self.reason = Sentence(public or message, message)
        """What is published of it: the status is open to everybody."""


class ConfigError(FocuserError):
    """The configuration cannot be used. Mend the file; the message lists every violation."""

    code = "configuration"


class RequestError(FocuserError):
    """The request was refused before anything reached the wire."""


class InvalidArgumentError(RequestError):
    """An argument is no number. Mend the call."""


class OutsideLimitsError(RequestError):
    """The position is not within 0 and focus_range_mm (NaN and infinities never are). Ask for another."""


class NotConnectedError(RequestError):
    """There is no focuser with a known position. Call `initialize` first."""


class AlreadyConnectedError(RequestError):
    """The focuser is connected, homed and answering: there is nothing to initialise."""


class BusyError(RequestError):
    """Another command runs. Wait for its end, or call `stop`."""

    retry_helps = True


class HeldError(BusyError):
    """Somebody was promised that the focuser does not move now. Wait for the end of that, which the message says."""


class NotPermittedError(RequestError):
    """The caller's machine is not among `control_machines`."""


class StoppedError(FocuserError):
    """The motion was ended by a stop before its target. Nothing is wrong with the focuser."""

    retry_helps = True


class LinkError(FocuserError):
    """The serial line failed. Look at the cable, the adapter and the controller's power."""

    retry_helps = True


class PortUnavailableError(LinkError):
    """The port could not be opened: absent, not permitted, or held by another process."""


class ReplyTimeoutError(LinkError):
    """No matching reply came within the deadline of one exchange. Ask again a few times."""


class LinkLostError(LinkError):
    """The port hung up, or nothing valid came for so long that the link counts as dead."""


class ProtocolError(FocuserError):
    """The controller answered something that is no valid reply. Ask again a few times."""

    retry_helps = True


class MalformedReplyError(ProtocolError):
    """The reply was there, but its argument cannot be read."""


class DeviceError(FocuserError):
    """The link works, but the focuser did not do what was commanded."""


class MoveTimeoutError(DeviceError):
    """The motion did not end before the deadline that follows from its plan."""

    retry_helps = True


class NoProgressError(DeviceError):
    """The motor does not advance. Look at the motor's power and load."""

    retry_helps = True


class StalledError(NoProgressError):
    """The motor came to stand on its way, whatever the controller says of it. Look at the motor's power and load."""


class UnexpectedMotionError(DeviceError):
    """The controller says that the motor runs although nobody told it to."""

    retry_helps = True


class HomingFailedError(DeviceError):
    """The homing run did not end at the inner limit switch in a way that proves the origin."""

    retry_helps = True


class NoSwitchError(HomingFailedError):
    """The homing run went past the whole travel and met no limit switch. Look at the switch."""


class HaltFailedError(DeviceError):
    """The motor was told to stop, and was not seen standing still. Cut its power if it is in danger."""

    retry_helps = True


class PositionLostError(DeviceError):
    """The register cannot be trusted any more: it jumped, ran the wrong way, stood short or moved unasked.
    Home again."""


class SettingsLostError(PositionLostError):
    """The controller runs at another rate than its settings make, or its register began anew behind them: it lost its
    settings, and what its register counts is not known. Home again."""


class ThermometerError(FocuserError):
    """No temperature can be had: its daemon is away, or says what is none. Start it, or mend the configuration."""

    retry_helps = True


class InternalError(FocuserError):
    """A mistake in this program; its log has the traceback. Report it."""
