"""Taking a lock only if that needs no waiting."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Lockable(Protocol):
        """What `TryLock` needs of a lock; those of `threading` have it."""

        def acquire(self, blocking: bool = ...) -> bool: ...
        def release(self) -> None: ...


class TryLock:
    """Context manager that yields whether `lock` could be taken without waiting.

    The lock is released at the end of the block, also after an exception, if this block took it.
    One object serves one `with` statement at a time.

        with TryLock(command_lock) as acquired:
            if not acquired:
                return CommandStatus.Blocked
    """

    def __init__(self, lock: Lockable) -> None:
        self._lock = lock
        self._taken = False

    def __enter__(self) -> bool:
        self._taken = self._lock.acquire(blocking=False)
        return self._taken

    def __exit__(self, *_: object) -> None:
        if self._taken:
            self._taken = False
            self._lock.release()
