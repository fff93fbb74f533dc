"""Reads a configuration file into plain JSON values: bounded, and strict where Python's reader is lenient."""

from __future__ import annotations

import json
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple

from ..errors import ConfigError

MAX_FILE_BYTES = 64 * 1024
EXPECTED_FILE = "expected a small file with one JSON object, as in docs/configuration.md"

_MAX_SHOWN_CHARS = 60
_MAX_SHOWN_ITEMS = 10


@dataclass(frozen=True)
class UnusableNumber:
    """Stands for NaN, an infinity, or a number too large to compute with. No check takes it for a number."""

    as_written: str


class Document(NamedTuple):
    """What a file holds, and which keys are repeated in it (the last value is kept): by their place, of the
    outermost object and of the objects that are its values."""

    values: Any
    repeated_keys: list[tuple[str, ...]]


def parse(path: Path) -> Document:
    """The JSON in a file. Raises ConfigError if there is none: absent, unreadable, too large, broken."""
    text = _read(path)
    repeating: list[tuple[dict[str, Any], list[str]]] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            repeating.append((values, _repeated(pairs)))
        return values

    try:
        values = json.loads(
            text,
            object_pairs_hook=object_of,
            parse_float=_number_reader(float),
            parse_int=_number_reader(int),
            parse_constant=UnusableNumber,
        )
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}. "
            "JSON knows no comments, and no comma after the last entry."
        ) from error
    except RecursionError:
        raise too_deep(path) from None
    return Document(values, _places(values, repeating))


def _repeated(pairs: list[tuple[str, Any]]) -> list[str]:
    """The keys that are there more than once, in the order of their second time."""
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for key, _ in pairs:
        if key in seen:
            repeated[key] = None
        seen.add(key)
    return list(repeated)


def _places(values: Any, repeating: list[tuple[dict[str, Any], list[str]]]) -> list[tuple[str, ...]]:
    """Where the repeated keys are; those deeper than the configuration has objects are not asked for."""
    if not isinstance(values, dict):
        return []
    # By identity: of two values of one key the first has no place any more.
    place_of: dict[int, tuple[str, ...]] = {id(values): ()}
    place_of.update((id(value), (key,)) for key, value in values.items() if isinstance(value, dict))
    return [(*place_of[id(one)], key) for one, keys in repeating if id(one) in place_of for key in keys]


def too_deep(path: Path) -> ConfigError:
    """The error for a file whose lists and objects are nested beyond what Python can follow."""
    return ConfigError(f"{path} is nested too deeply; {EXPECTED_FILE}")


def shown(value: object) -> str:
    """A JSON value for a message: as JSON writes it, safe for any terminal, and at most 60 characters."""
    if isinstance(value, list):
        text = f"[{', '.join(_shown_flat(item) for item in value[:_MAX_SHOWN_ITEMS])}"
        return _cut(text + (", ...]" if len(value) > _MAX_SHOWN_ITEMS else "]"))
    return _shown_flat(value)


def _shown_flat(value: object) -> str:
    # Never deeper than one level: a hostile file may nest further than a recursion can go.
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, UnusableNumber):
        return _cut(value.as_written)
    return _cut(json.dumps(value[:_MAX_SHOWN_CHARS] if isinstance(value, str) else value))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[: _MAX_SHOWN_CHARS - 3]}..."


def _number_reader(convert: Callable[[str], float]) -> Callable[[str], object]:
    def read(as_written: str) -> object:
        # Whatever is no finite float also has more digits than int() may be willing to read.
        return convert(as_written) if math.isfinite(float(as_written)) else UnusableNumber(as_written)

    return read


def _read(path: Path) -> str:
    content = _content(path)
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES // 1024} KiB; {EXPECTED_FILE}")
    try:
        # Some editors put a byte order mark first; it is no fault of the configuration.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path} is not encoded in UTF-8 (line {line}); save it as UTF-8") from error
    if not text.strip():
        raise ConfigError(f"{path} is empty; {EXPECTED_FILE}")
    return text


def _content(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            # A pipe or a device could be waited for without end.
            kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            raise ConfigError(f"{path} is {kind}; {EXPECTED_FILE}")
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; give the path of a configuration{_others_in(path.parent)}"
        ) from error


def _others_in(directory: Path) -> str:
    """The configurations beside one that cannot be read: its name may be a slip of the pen."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".json"))
    except OSError:
        return ""
    listed = ", ".join(_cut(name) for name in names[:_MAX_SHOWN_ITEMS])
    more = ", ..." if len(names) > _MAX_SHOWN_ITEMS else ""
    return f" ({directory} holds {listed}{more})" if names else ""
