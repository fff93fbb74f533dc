"""What must outlive the process, as a file: strictly read, and replaced as a whole or not at all.

Each of these functions takes as long as the disk does, and a dying disk takes for ever: `state_store` calls them on
a thread of its own.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, TypeVar
from urllib.parse import quote

from ..driver.rates import Ratios
from . import term
from .term import Term

Value = TypeVar("Value")

MAX_FILE_BYTES = 64 * 1024
FORMAT = 2
# What the release before wrote, without what came later.
_FORMAT_BEFORE = 1
_SINCE_THEN: Mapping[str, object] = {
    "homings": 0,
    "ratios": None,
    "power_up_registers": [],
    "found_registers": [],
    "near_switch": False,
}
# The controller's registers are of 32 bits.
HIGHEST_REGISTER = 2**31
LONGEST_TEXT = 1000
LONGEST_WAY = 8
MOST_POWER_UP_REGISTERS = 4
LOWEST_RATIO, HIGHEST_RATIO = 0.05, 200.0
LONGEST_LENGTH_MM = 1000.0
LONGEST_TIME_S = 60.0
# With what is added to it, a name has room in any file system.
LONGEST_NAME = 150

# The folder that systemd made for this service, and the one that the XDG directory specification names.
STATE_VARIABLE = "STATE_DIRECTORY"
XDG_VARIABLE = "XDG_STATE_HOME"

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_ADVICE = {
    errno.ENOSPC: "Make room on its disk.",
    errno.EDQUOT: "Make room in the quota of the user that runs focusd.",
    errno.EROFS: "Mount its disk so that it can be written.",
    errno.EACCES: "Give its folder to the user that runs focusd.",
    errno.EPERM: "Give its folder to the user that runs focusd.",
    errno.ENOTDIR: "A part of its path is a file where a folder was expected: remove that.",
    errno.EEXIST: "A part of its path is a file where a folder was expected: remove that.",
    errno.ENAMETOOLONG: "Choose a state folder with a shorter path.",
}
_OTHER_ADVICE = "Look at its disk and its folder."


class UnusableError(Exception):
    """What is in the file is no entry of this daemon. The text is a clause that says why."""


@dataclass(frozen=True)
class Entry:
    """How a focuser was left. Registers are the controller's own steps, which count inward (docs/protocol.md).

    Args:
        port: the configured serial port.
        origin_register: the register at 0 mm; None if the position is not known.
        register: where the motor was last proven to stand; None if that is not known.
        way: the registers where the motion under way begins, turns and ends, as far as they are known: none of a
            homing run. None if no motion is under way.
        taken_up_steps: how far it has run inward since it last ran outward.
        target_steps: where the last move that succeeded ended, in steps out from 0 mm; None before the first.
        homed_at: when the homing was that the origin comes from, UTC.
        homings: how many homing runs were ever begun; it only grows.
        ratios: how fast the register was seen to run; None if that was not measured.
        power_up_registers: where the register was found after power cuts, the newest last.
        near_switch: whether the carriage was last known to stand at the limit switch or next to it, if only the
            register was lost since.
        target_mm: what that move was asked for, in mm; None if only the steps are known.
        found_registers: where it was found when nothing was known of it, perhaps after a power cut; the newest last.
        answer_s: how long the controller usually takes for an answer; None if that was never measured.
        refresh_s: how often it renews the register that it tells, 0 if whenever it is asked; None as above.
        terms: what the target has in it of each program's correction.
        base_mm: what the terms add to, in mm; None: what they leave over of where the focuser stands.
    """

    port: str
    origin_register: int | None
    register: int | None
    way: tuple[int, ...] | None
    taken_up_steps: int
    target_steps: int | None
    homed_at: datetime | None
    homings: int = 0
    ratios: Ratios | None = None
    power_up_registers: tuple[int, ...] = ()
    near_switch: bool = False
    target_mm: float | None = None
    found_registers: tuple[int, ...] = ()
    answer_s: float | None = None
    refresh_s: float | None = None
    terms: tuple[Term, ...] = ()
    base_mm: float | None = None


# Where it is


def path_for(daemon_name: str, environ: Mapping[str, str]) -> Path | None:
    """The state file of a daemon; None if no folder for it can be told. Nothing is opened or made.

    Args:
        daemon_name: any text. What a file name cannot hold is written with percent signs.
        environ: the environment; systemd's folder in it comes first, then the XDG one, then the user's home.
    """
    folder = _folder(environ)
    return None if folder is None else folder / f"{_file_name(daemon_name)}.json"


def _folder(environ: Mapping[str, str]) -> Path | None:
    for given in environ.get(STATE_VARIABLE, "").split(":"):
        if os.path.isabs(given):
            return Path(given)
    state_home = environ.get(XDG_VARIABLE, "")
    if not os.path.isabs(state_home):
        home = environ.get("HOME") or os.path.expanduser("~")
        state_home = os.path.join(home, ".local", "state")
    return Path(state_home, "focusd") if os.path.isabs(state_home) else None


def _file_name(daemon_name: str) -> str:
    name = quote(daemon_name, safe="", errors="surrogatepass")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode("ascii")).hexdigest()
    return f"{name[: LONGEST_NAME - len(digest) - 1]}-{digest}"


# What is in it


def encode(entry: Entry, daemon: str, written_at: datetime) -> bytes:
    """An entry as a file. Raises UnusableError if `decode` would not take it."""
    values: dict[str, Any] = {
        "format": FORMAT,
        "daemon": daemon,
        "written_at": written_at.isoformat(),
        "port": entry.port,
        "origin_register": entry.origin_register,
        "register": entry.register,
        "way": None if entry.way is None else list(entry.way),
        "taken_up_steps": entry.taken_up_steps,
        "target_steps": entry.target_steps,
        "target_mm": entry.target_mm,
        "homed_at": None if entry.homed_at is None else entry.homed_at.isoformat(),
        "homings": entry.homings,
        "ratios": None if entry.ratios is None else _written(entry.ratios),
        "power_up_registers": list(entry.power_up_registers),
        "found_registers": list(entry.found_registers),
        "near_switch": entry.near_switch,
        "answer_s": entry.answer_s,
        "refresh_s": entry.refresh_s,
        "terms": term.written(entry.terms),
        "base_mm": entry.base_mm,
    }
    values["sha256"] = _digest(values)
    content = f"{json.dumps(values, indent=2)}\n".encode("ascii")
    decode(content, daemon)
    return content


def decode(content: bytes, daemon: str) -> tuple[Entry, datetime]:
    """The entry in a file, and when it was written. Raises UnusableError if it is none of this daemon."""
    try:
        values = _sound_values(content)
    except (ValueError, RecursionError):
        raise UnusableError("it is cut, damaged, or was edited by hand") from None
    if values.get("daemon") != daemon:
        raise UnusableError("it is of another daemon")
    try:
        written_at = _moment(values["written_at"])
        return _entry(values), written_at
    except (KeyError, ValueError) as error:
        raise UnusableError(f"it is not as this version writes it ({error})") from None


def _sound_values(content: bytes) -> dict[str, Any]:
    """The object in a file whose checksum is right. Raises ValueError, RecursionError, UnusableError."""
    if len(content) > MAX_FILE_BYTES:
        raise UnusableError(f"it is larger than {MAX_FILE_BYTES // 1024} KiB")
    values = json.loads(content.decode("ascii"))
    if not isinstance(values, dict) or type(values.get("format")) is not int:
        raise ValueError("no format")
    # Before the checksum: another format may have another one.
    if values["format"] not in (_FORMAT_BEFORE, FORMAT):
        raise UnusableError(
            f"another version of focusd wrote it, and this one knows the formats {_FORMAT_BEFORE} and {FORMAT} only"
        )
    if values.pop("sha256", None) != _digest(values):
        raise ValueError("another checksum")
    return {**values, **_SINCE_THEN} if values["format"] == _FORMAT_BEFORE else values


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _entry(values: Mapping[str, Any]) -> Entry:
    return Entry(
        port=_text(values["port"]),
        origin_register=_or_none(_steps, values["origin_register"]),
        register=_or_none(_steps, values["register"]),
        way=_or_none(_way, values["way"]),
        taken_up_steps=_steps(values["taken_up_steps"], lowest=0),
        target_steps=_or_none(_steps, values["target_steps"]),
        homed_at=_or_none(_moment, values["homed_at"]),
        homings=_steps(values["homings"], lowest=0),
        ratios=_or_none(_ratios, values["ratios"]),
        power_up_registers=_registers(values["power_up_registers"]),
        near_switch=_flag(values["near_switch"]),
        # Earlier versions wrote none.
        target_mm=_or_none(_length, values.get("target_mm")),
        found_registers=_registers(values["found_registers"]),
        answer_s=_or_none(_seconds, values.get("answer_s")),
        refresh_s=_or_none(_seconds, values.get("refresh_s")),
        terms=term.read(values.get("terms", [])),
        base_mm=_or_none(_base, values.get("base_mm")),
    )


def _written(ratios: Ratios) -> dict[str, Any]:
    settings = [ratios.speed_register, ratios.acceleration_register]
    return {"homing": ratios.homing, "legs": ratios.legs, "settings": settings}


def _or_none(read: Callable[[object], Value], value: object) -> Value | None:
    return None if value is None else read(value)


def _ratios(value: object) -> Ratios:
    if not isinstance(value, dict) or set(value) != {"homing", "legs", "settings"}:
        raise ValueError("two ratios and their settings were expected")
    settings = value["settings"]
    if not isinstance(settings, list) or len(settings) != 2:
        raise ValueError("the settings of two ratios were expected")
    speed_register, acceleration_register = (_steps(one, lowest=1) for one in settings)
    homing, legs = (_or_none(_ratio, value[run]) for run in ("homing", "legs"))
    return Ratios(homing, legs, speed_register, acceleration_register)


def _ratio(value: object) -> float:
    return _number(value, LOWEST_RATIO, HIGHEST_RATIO, "a ratio")


def _length(value: object) -> float:
    return _number(value, 0.0, LONGEST_LENGTH_MM, "a length in mm")


def _base(value: object) -> float:
    return _number(value, -LONGEST_LENGTH_MM, LONGEST_LENGTH_MM, "a length in mm")


def _number(value: object, lowest: float, highest: float, expected: str) -> float:
    # True and False are numbers, too.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lowest <= value <= highest:
        raise ValueError(f"{expected} was expected")
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false was expected")  # noqa: TRY004 (of the file's content)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError("a text was expected")
    return value


def _steps(value: object, lowest: int = -HIGHEST_REGISTER) -> int:
    # True and False are of type int, too.
    if type(value) is not int or not lowest <= value <= HIGHEST_REGISTER:
        raise ValueError("a number of steps was expected")
    return value


def _seconds(value: object) -> float:
    return _number(value, 0.0, LONGEST_TIME_S, "a time in seconds")


def _way(value: object) -> tuple[int, ...]:
    return _registers(value, LONGEST_WAY)


def _registers(value: object, most: int = MOST_POWER_UP_REGISTERS) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("a list of some registers was expected")
    return tuple(map(_steps, value))


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.utcoffset() != timedelta(0):
        raise ValueError("a moment in UTC was expected")
    return moment.replace(tzinfo=timezone.utc)


# On the disk. All of these raise OSError.


def content_of(path: Path) -> bytes | None:
    """What is in a file, at most one byte more than MAX_FILE_BYTES; None if there is none.

    Raises UnusableError if it is no regular file.
    """
    try:
        # A pipe would be waited for, and a link may lead anywhere.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnusableError("it is a symbolic link") from error
        if error.errno == errno.ENXIO:
            raise UnusableError("it is no regular file") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnusableError("it is no regular file")
        return _read_whole(descriptor)
    finally:
        os.close(descriptor)


def _read_whole(descriptor: int) -> bytes:
    content = b""
    while more := os.read(descriptor, MAX_FILE_BYTES + 1 - len(content)):
        content += more
    return content


def replace(path: Path, content: bytes, keep_old: bool) -> None:
    """Put a file with this content in the place of what is there; whatever happens, it is the one or the other.

    Args:
        keep_old: move what is there aside, to a name with `.unusable` at its end. Only the last one is kept.
    """
    with _new_file(path, content) as new:
        if keep_old:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path, path.with_name(f"{path.name}.unusable"))
        os.replace(new, path)
    _sync_folder(path.parent)


def prove_writable(path: Path, content: bytes) -> None:
    """Write the content beside the file and remove it: a folder that does not take that keeps nothing."""
    with _new_file(path, content) as new:
        os.unlink(new)


def discard(path: Path) -> None:
    """Remove a file that could not be replaced."""
    os.unlink(path)
    _sync_folder(path.parent)


@contextlib.contextmanager
def _new_file(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside `path` that is on the disk already. If something fails, it is removed."""
    os.makedirs(path.parent, _FOLDER_MODE, exist_ok=True)
    # Always the same name: what a crash leaves there is removed by the next writing.
    new = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    try:
        write_durably(new, content)
        yield new
    except OSError:
        # A full disk has better use for its room.
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


def write_durably(path: Path, content: bytes) -> None:
    """Make a file that is on the disk when this returns, and that only its owner may read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, _FILE_MODE)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # So a file system says that it has nothing to sync in a folder.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


# What is said of it


def told(doing: str, error: OSError) -> str:
    """An error of the disk in two sentences without the path: what was seen, and what to do."""
    cause = error.strerror or type(error).__name__
    return f"the state file cannot be {doing}: {cause}. {_ADVICE.get(error.errno or 0, _OTHER_ADVICE)}"
