"""The service on one thread in virtual time: what its own thread would do, it does when a test says so."""

from __future__ import annotations

from typing import Any, Callable

from rockit.focuser.ok3z.errors import FocuserError
from rockit.focuser.ok3z.service.focuser import BegunMove, Ending, Focuser
from rockit.focuser.ok3z.storage.history_file import Motion
from rockit.focuser.ok3z.storage.holds_file import Hold


class KilledError(BaseException):
    """The process ends here, without a word."""


class PaperShelf:
    """Keeps holds, on paper."""

    def __init__(self) -> None:
        self.holds: list[Hold] = []

    def read(self) -> list[Hold]:
        return self.holds

    def write(self, holds: list[Hold]) -> None:
        self.holds = holds


class PaperLedger:
    """Keeps what is told, on paper."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def put(self, row: Any) -> None:
        self.rows.append(row)

    def ask(self, question: Any) -> Any:
        raise NotImplementedError

    def of(self, kind: str) -> list[Motion]:
        """The rows of one kind, each as it was told last."""
        rows = {row.number: row for row in self.rows if isinstance(row, Motion) and row.kind == kind}
        return list(rows.values())


class TermsBench:
    """A `Focuser` on the virtual controller of a rig. `at_checkpoint` is called at each point where a command can be
    interrupted, with how many there were."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        self.keeper = rig.keeper
        self.shelf, self.ledger = PaperShelf(), PaperLedger()
        self.at_checkpoint: Callable[[int], None] = lambda number: None
        self.checkpoints = 0
        self.start()

    def start(self) -> None:
        """A process begins."""
        self.focuser = Focuser(
            self.rig.settings,
            self.rig.port,
            lambda *_: None,
            self.keeper,
            self.rig.late_clock,
            sign_of_life=self._alive,
            ledger=self.ledger,
            shelf=self.shelf,
        )
        self.focuser.pause = self.rig.clock.sleep  # type: ignore[method-assign]
        self.focuser._commands.begin()

    def _alive(self) -> None:
        self.checkpoints += 1
        self.at_checkpoint(self.checkpoints)

    def restart(self) -> None:
        """The process dies, and another begins."""
        self.focuser._commands._session.close()
        self.start()

    def run(self, begin: Callable[[], Any]) -> FocuserError | None:
        """Ask for something, and have it done. What it failed with."""
        try:
            begun = begin()
            self.focuser._turn()
        except FocuserError as error:
            return error
        ended: Ending = begun.ended if isinstance(begun, BegunMove) else begun
        assert ended.done()
        return ended.failure

    def rest(self, seconds: float) -> None:
        """Let time pass, with a turn at its end."""
        self.rig.clock.sleep(seconds)
        self.focuser._turn()

    def interrupt(self, number: int, act: Callable[[], None]) -> None:
        """Do something once, at the `number`-th checkpoint from now."""
        there = self.checkpoints + number

        def look(checkpoint: int) -> None:
            if checkpoint == there:
                act()

        self.at_checkpoint = look

    def stop_at(self, number: int) -> None:
        """Somebody stops it at the `number`-th checkpoint from now."""

        def stop() -> None:
            self.focuser.begin_stop("somebody")

        self.interrupt(number, stop)

    def kill_at(self, number: int) -> None:
        """The process is killed at the `number`-th checkpoint from now."""

        def die() -> None:
            raise KilledError

        self.interrupt(number, die)

    def set(self, name: str, mm: float, owner: str = "me", ttl_s: float | None = None) -> FocuserError | None:
        return self.run(lambda: self.focuser.begin_set_term(name, mm, owner, ttl_s))

    def clear(self, name: str, owner: str = "me") -> FocuserError | None:
        return self.run(lambda: self.focuser.begin_clear_term(name, owner))

    def move(self, position_mm: float, offset: bool = False) -> FocuserError | None:
        return self.run(lambda: self.focuser.begin_move(position_mm, offset))

    def initialize(self, resume: bool = False) -> FocuserError | None:
        return self.run(lambda: self.focuser.begin_initialize(resume=resume))

    @property
    def terms(self) -> dict[str, float]:
        return {term.name: term.mm for term in self.focuser.terms()}

    @property
    def base_mm(self) -> float | None:
        return self.focuser.snapshot.base_mm

    @property
    def target_mm(self) -> float | None:
        target = self.focuser.snapshot.target
        return None if target is None else target.mm
