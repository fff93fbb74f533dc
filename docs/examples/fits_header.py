"""Header writer: print what belongs into the FITS header of an exposure, a card of 80 letters a line.

fits_header.py CONFIGURATION

Call it after readout: it takes milliseconds, and moves nothing.
"""

from __future__ import annotations

import sys

from rockit.focuser.ok3z import CallError, ConfigError, connect

COMMENTS = {
    "FOCDATE": "UTC of this report",
    "FOCSTATE": "state of the focuser",
    "FOCPOS": "[mm] position",
    "FOCSTEPS": "position in steps",
    "FOCTARG": "[mm] position asked for",
    "FOCTRUST": "what it rests on",
    "FOCMOVED": "end of the last motion",
    "FOCSETTL": "[s] since then",
    "FOCHOLDS": "who holds the focuser",
    "FOCBASE": "[mm] what the terms add to",
    "FOCTERMS": "[mm] what the terms add up to",
    "FOCTLIST": "the terms",
}


def card(keyword: str, value: object) -> str:
    """One card, as the FITS standard writes it."""
    quoted = str(value)[:30].replace("'", "''")
    text = f"'{quoted:<8}'" if isinstance(value, str) else f"{value!r:>20}"
    return f"{keyword:<8}= {text:<20} / {COMMENTS.get(keyword, '')}"[:80].ljust(80)


def main() -> int:
    (configuration,) = sys.argv[1:]
    try:
        for keyword, value in connect(configuration).header().items():
            print(card(keyword, value))
    except (CallError, ConfigError) as error:
        print(f"no header: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
