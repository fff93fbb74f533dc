"""What the daemons and clients of one observatory share.

Every name below is loaded when it is first asked for. A command that needs one of them starts without
paying for the rest, and nothing heavier than this file is read before that.

`IP` and `daemons` read the site file (docs/site.md): asking for either raises
`rockit.common.errors.SiteError`, an ImportError, when that file cannot be used.
"""

from __future__ import annotations

__all__ = ["IP", "TryLock", "daemons", "helpers", "log", "print", "validation"]

# Type checkers take this name for typing.TYPE_CHECKING; importing typing would cost every start 5 ms.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from . import daemons, helpers, log, validation
    from .phone_book import IP
    from .printing import print
    from .try_lock import TryLock
else:
    _MODULE_OF = {"IP": "phone_book", "TryLock": "try_lock", "print": "printing"}

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module = import_module(f"{__name__}.{_MODULE_OF.get(name, name)}")
        value = getattr(module, name) if name in _MODULE_OF else module
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
