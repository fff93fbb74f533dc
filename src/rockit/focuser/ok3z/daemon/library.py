"""Whether the libraries are there that only some configurations need: aiohttp for `alpaca`, and prometheus_client for
`metrics`."""

from __future__ import annotations

import re

from ..errors import ConfigError

OLDEST = (3, 9, 5)
_INSTALL = (
    "On Enterprise Linux: dnf install python3-aiohttp (from EPEL). In a clone: make venv. "
    "Else: pip install 'aiohttp>=3.9.5'. Or remove alpaca."
)


def require_aiohttp() -> None:
    """Raises ConfigError if aiohttp is absent, broken or too old; it says what to install."""
    wanted = f"alpaca is configured, which needs aiohttp {'.'.join(map(str, OLDEST))} or newer"
    try:
        from aiohttp import __version__ as version
    except ImportError as error:
        absent = error.name == "aiohttp"
        why = "it is not installed" if absent else f"it cannot be imported: {error}"
        raise ConfigError(f"{wanted}; {why}. {_INSTALL}") from error
    if tuple(int(part) for part in re.findall(r"\d+", version)[: len(OLDEST)]) < OLDEST:
        raise ConfigError(f"{wanted}; {version} is installed. {_INSTALL}")


def require_prometheus_client() -> None:
    """Raises ConfigError if prometheus_client is absent or broken; it says what to install."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError as error:
        absent = error.name == "prometheus_client"
        why = "is not installed" if absent else f"cannot be imported: {error}"
        raise ConfigError(
            f"metrics is configured, which needs prometheus_client; it {why}. On Enterprise Linux: dnf install "
            "python3-prometheus_client (from EPEL). In a clone: make venv. Else: pip install prometheus_client. "
            "Or remove metrics."
        ) from error
