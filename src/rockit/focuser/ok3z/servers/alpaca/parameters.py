"""What a request says: names, their casing, and values. Pure.

A value that cannot be read is a BadRequestError, which becomes an HTTP 400 with a sentence. What was sent is never
repeated in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from ..http.framing import RefusedError

LARGEST_UINT32 = 2**32 - 1
SMALLEST_INT32, LARGEST_INT32 = -(2**31), 2**31 - 1
# No request of the standard has more than four.
MAX_PARAMETERS = 64
FORM_TYPE = "application/x-www-form-urlencoded"

_UNSIGNED = re.compile(r"[0-9]{1,10}")
_SIGNED = re.compile(r"-?[0-9]{1,10}")


class BadRequestError(RefusedError):
    """The request is malformed: HTTP 400. The message is a sentence for whoever wrote the client."""

    def __init__(self, sentence: str) -> None:
        super().__init__(400, sentence)


@dataclass(frozen=True)
class Parameters:
    """The parameters of one request.

    Args:
        values: the value of each name.
        any_case: whether names are found in any case, as they are in a query; then `values` has them in lower case.
    """

    values: Mapping[str, str]
    any_case: bool

    def optional(self, name: str) -> str | None:
        """The text of a parameter; None if it is absent."""
        return self.values.get(name.lower() if self.any_case else name)

    def text(self, name: str) -> str:
        """The text of a parameter that must be there."""
        value = self.optional(name)
        if value is None:
            raise BadRequestError(f"The parameter {name} is missing. It must be written exactly so.")
        return value

    def uint32(self, name: str) -> int:
        """A whole number 0 ... 4294967295; 0 if it is absent."""
        value = self.optional(name)
        if value is None:
            return 0
        if not _UNSIGNED.fullmatch(value) or int(value) > LARGEST_UINT32:
            raise BadRequestError(f"{name} must be a whole number from 0 to {LARGEST_UINT32}.")
        return int(value)

    def int32(self, name: str) -> int:
        """A whole number that 32 bits with a sign hold; it must be there."""
        value = self.text(name)
        if not _SIGNED.fullmatch(value) or not SMALLEST_INT32 <= int(value) <= LARGEST_INT32:
            raise BadRequestError(
                f"{name} must be a whole number from {SMALLEST_INT32} to {LARGEST_INT32}, in plain digits."
            )
        return int(value)

    def boolean(self, name: str) -> bool:
        """True or False, in any case; it must be there."""
        value = self.text(name).lower()
        if value not in ("true", "false"):
            raise BadRequestError(f"{name} must be True or False.")
        return value == "true"


def from_query(query: str) -> Parameters:
    """The parameters of a read, from the text behind the question mark."""
    return Parameters(_unique(_pairs(query), any_case=True), any_case=True)


def from_form(content_type: str, body: bytes) -> Parameters:
    """The parameters of a command.

    Args:
        content_type: the header as it was sent; empty for none.
        body: of the request; it may be empty.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if body and kind not in ("", FORM_TYPE):
        raise BadRequestError(f"The body must be a form: Content-Type: {FORM_TYPE}.")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        raise BadRequestError(
            "The body is no form: characters beyond ASCII must be percent-encoded."
        ) from None
    return Parameters(_unique(_pairs(text), any_case=False), any_case=False)


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise BadRequestError(
            f"The parameters cannot be read: percent-encoded UTF-8 was expected, and {MAX_PARAMETERS} at most."
        ) from None


def _unique(pairs: list[tuple[str, str]], any_case: bool) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower() if any_case else name
        # Two that differ: whichever was taken, somebody would have meant the other.
        if values.setdefault(key, value) != value:
            raise BadRequestError("A parameter was given twice, with different values.")
    return values
