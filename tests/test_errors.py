"""The error tree: what logs, machines and adapters rely on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from rockit.focuser.ok3z import errors
from rockit.focuser.ok3z.errors import FocuserError

# These are in logs and in other people's programs: a new class is added here, an old line never changes.
CODES = {
    "FocuserError": "focuser_error",
    "ConfigError": "configuration",
    "RequestError": "request",
    "InvalidArgumentError": "invalid_argument",
    "OutsideLimitsError": "outside_limits",
    "NotConnectedError": "not_connected",
    "AlreadyConnectedError": "already_connected",
    "BusyError": "busy",
    "HeldError": "held",
    "NotPermittedError": "not_permitted",
    "StoppedError": "stopped",
    "LinkError": "link",
    "PortUnavailableError": "port_unavailable",
    "ReplyTimeoutError": "reply_timeout",
    "LinkLostError": "link_lost",
    "ProtocolError": "protocol",
    "MalformedReplyError": "malformed_reply",
    "DeviceError": "device",
    "MoveTimeoutError": "move_timeout",
    "NoProgressError": "no_progress",
    "StalledError": "stalled",
    "HomingFailedError": "homing_failed",
    "NoSwitchError": "no_switch",
    "HaltFailedError": "halt_failed",
    "PositionLostError": "position_lost",
    "SettingsLostError": "settings_lost",
    "UnexpectedMotionError": "unexpected_motion",
    "ThermometerError": "thermometer",
    "InternalError": "internal",
}
# The same call can succeed later without anybody changing something.
RETRY_HELPS = {
    "BusyError",
    "HeldError",
    "StoppedError",
    "LinkError",
    "PortUnavailableError",
    "ReplyTimeoutError",
    "LinkLostError",
    "ProtocolError",
    "MalformedReplyError",
    "MoveTimeoutError",
    "NoProgressError",
    "StalledError",
    "HomingFailedError",
    "NoSwitchError",
    "HaltFailedError",
    "UnexpectedMotionError",
    "ThermometerError",
}


def tree(cls: type[FocuserError] = FocuserError) -> Iterator[type[FocuserError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


def test_every_error_hangs_on_the_one_tree() -> None:
    defined = {
        cls
        for _, cls in inspect.getmembers(errors, inspect.isclass)
        if cls.__module__ == errors.__name__ and issubclass(cls, BaseException)
    }
    assert defined == set(tree())


def test_the_codes_are_those_that_were_published() -> None:
    assert {cls.__name__: cls.code for cls in tree()} == CODES


def test_every_code_is_the_class_s_own_and_unlike_the_others() -> None:
    for cls in tree():
        assert "code" in vars(cls), cls
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", cls.code), cls
        assert [other for other in tree() if other.code == cls.code] == [cls]


def test_every_error_says_whether_a_retry_helps() -> None:
    for cls in tree():
        assert cls.retry_helps is (cls.__name__ in RETRY_HELPS), cls


def test_every_error_has_a_docstring_of_its_own() -> None:
    for cls in tree():
        docstring = vars(cls)["__doc__"]
        assert docstring, cls
        assert docstring.endswith("."), cls


def test_what_is_refused_before_the_wire_is_a_request_error() -> None:
    assert {cls.__name__ for cls in tree(errors.RequestError)} == {
        "RequestError",
        "InvalidArgumentError",
        "OutsideLimitsError",
        "NotConnectedError",
        "AlreadyConnectedError",
        "BusyError",
        "HeldError",
        "NotPermittedError",
    }


def test_what_the_focuser_did_not_do_is_a_device_error() -> None:
    assert {cls.__name__ for cls in tree(errors.DeviceError)} == {
        "DeviceError",
        "MoveTimeoutError",
        "NoProgressError",
        "StalledError",
        "HomingFailedError",
        "NoSwitchError",
        "HaltFailedError",
        "PositionLostError",
        "SettingsLostError",
        "UnexpectedMotionError",
    }


def test_a_failure_of_the_line_is_no_failure_of_the_device() -> None:
    families = (
        errors.ConfigError,
        errors.RequestError,
        errors.StoppedError,
        errors.LinkError,
        errors.ProtocolError,
        errors.DeviceError,
        errors.ThermometerError,
        errors.InternalError,
    )
    assert set(FocuserError.__subclasses__()) >= set(families)
    for cls in set(tree()) - {FocuserError}:
        assert sum(issubclass(cls, family) for family in families) == 1
