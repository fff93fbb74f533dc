"""What this library raises. Each message is a text for a person: show it instead of a traceback.

The classes derive from what a caller catches anyway, because a site's own copy of rockit.common
does not have them: code that must run with either copy catches the base class.
"""

from __future__ import annotations


class SiteError(ImportError):
    """The site file cannot be used. Raised by the first import of `IP` or `daemons`; mend the file.

    `path` is the file, `violations` has one sentence for everything that is wrong in it.
    """

    def __init__(self, path: str, violations: tuple[str, ...]) -> None:
        super().__init__(_listed(f"the site file {path} cannot be used", violations))
        self.path = path
        self.violations = violations


class LaunchError(OSError):
    """A daemon cannot listen at its registered address. `errno` is the system's reason."""

    def __init__(self, errno: int | None, message: str) -> None:
        super().__init__(errno, message)
        self._message = message

    def __str__(self) -> str:
        return self._message


class InvalidConfigError(ValueError):
    """A configuration does not fit its schema. `violations` has one sentence for each misfit."""

    def __init__(self, violations: tuple[str, ...]) -> None:
        super().__init__(_listed("the configuration cannot be used", violations))
        self.violations = violations


def _listed(headline: str, violations: tuple[str, ...]) -> str:
    if len(violations) == 1:
        return f"{headline}: {violations[0]}"
    return "\n".join([f"{headline}: {len(violations)} things are wrong", *(f"  {v}" for v in violations)])
