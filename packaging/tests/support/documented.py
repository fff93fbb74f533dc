"""The commands that the pages give to an operator, so that tests run what he runs."""

from __future__ import annotations

import re
from pathlib import Path

from .sources import PROJECT

README = PROJECT / "README.md"
DEPLOYMENT = PROJECT / "docs/deployment.md"


def documented(page: Path, beginning: str) -> list[str]:
    """The commands of a page that begin so: lines of their own, or words between backticks in a line."""
    begins = re.escape(beginning)
    found = re.findall(
        rf"^({begins}\b.*)$|`({begins}\b[^`\n]*)`", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found, f"{page} has no command that begins with {beginning!r}"
    return [line or words for line, words in found]
