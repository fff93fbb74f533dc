"""The virtual controllers of this process, by URL: they stay powered while their port is closed."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from .controller import VirtualOK3Z
from .options import OptionError

if TYPE_CHECKING:
    from .control import ControlServer

_lock = threading.Lock()
_models: dict[str, VirtualOK3Z] = {}
_servers: list[ControlServer] = []


def register(name: str, model: VirtualOK3Z) -> str:
    """Make a model known as `sim://name`, which is returned. Raises OptionError for a name that is taken."""
    url = f"sim://{name}"
    if not name.isidentifier():
        raise OptionError(f"{name!r} cannot be the name of a virtual controller; use letters and digits.")
    with _lock:
        if url in _models:
            raise OptionError(f"There is a virtual controller {url} already; unregister it first.")
        _models[url] = model
    return url


def unregister(name: str) -> None:
    """Forget the model of this name, if there is one."""
    with _lock:
        _models.pop(f"sim://{name}", None)


@contextmanager
def registered(name: str, model: VirtualOK3Z) -> Iterator[str]:
    """`register` for the length of a `with` block, which gets the URL."""
    url = register(name, model)
    try:
        yield url
    finally:
        unregister(name)


def forget_all() -> None:
    """Forget every model and end every control socket, as if the process had begun anew."""
    with _lock:
        _models.clear()
        servers = list(_servers)
        _servers.clear()
    for server in servers:
        server.close()


# So that no control socket is left behind.
atexit.register(forget_all)


def model_for(url: str) -> VirtualOK3Z:
    """The controller behind a URL, made at the first use. Raises OptionError."""
    with _lock:
        model = _models.get(url)
        if model is None:
            model = _make(url)
            _models[url] = model
        return model


def _make(url: str) -> VirtualOK3Z:
    parts = urlsplit(url)
    if parts.netloc or parts.path:
        named = ", ".join(known for known in _models if not urlsplit(known).query) or "none"
        raise OptionError(
            f"No virtual controller was registered as {url} (registered are: {named}). "
            "Options are given as sim://?option=value&option=value."
        )
    given: dict[str, Any] = dict(_pairs(parts.query))
    control = given.pop("control", "")
    try:
        model = VirtualOK3Z(**given)
    except OptionError as error:
        raise OptionError(f"{error} Also possible in a URL: control=PATH.") from None
    if control:
        # It brings asyncio, which few need.
        from .control import ControlServer

        _servers.append(ControlServer(model, control))
    return model


def _pairs(query: str) -> dict[str, str]:
    try:
        pairs: list[tuple[str, str]] = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise OptionError(f"{query!r} is not of the form option=value&option=value.") from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise OptionError(f"{query!r} gives an option twice.")
    return given
