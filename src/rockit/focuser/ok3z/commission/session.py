"""One commissioning: trial after trial, kept after each, so that it can be taken up again.

All of it lies in one JSON file beside the state file, which is also the report for machines; the text for people lies
beside that. What was measured goes into the state file itself, where the driver finds it.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Protocol

from ..driver.clock import WallClock
from ..driver.controller import Controller
from ..driver.link import Link
from ..driver.planning import Drive, Limits
from ..driver.rates import Ratios
from ..driver.registers import near_power_up
from ..errors import FocuserError
from ..storage.state_file import MOST_POWER_UP_REGISTERS, Entry, write_durably
from .assumptions import Verdict
from .bench import Bench, DeclinedError, Finding
from .person import AnswersEndedError, Person
from .report import as_text, outcomes
from .runs import SurpriseError
from .trials import GATES, TRIALS, Trial
from .wiretap import Wiretap

FORMAT = 1
SISTER_BAUD, SISTER_PATIENCE_S = 9600, 3.0
EXIT_FAILURE, EXIT_INTERRUPTED = 1, 130
# Nobody watches a motor whose terminal is lost.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedError(Exception):
    """Ctrl-C, or another signal that ends it."""


class Keeper(Protocol):
    """Where the state is kept. See `storage.state_store.StateStore`."""

    def read(self) -> Entry | None:
        """What was kept last."""

    def write(self, entry: Entry, durable: bool) -> None:
        """Keep an entry."""


@dataclass(frozen=True)
class Setting:
    """What is commissioned.

    Args:
        daemon, port, baud: as configured.
        drive, limits: as configured.
        serial_timeout_s: how long an answer may take.
        file: where the session is kept; the text lies beside it.
    """

    daemon: str
    port: str
    baud: int
    drive: Drive
    limits: Limits
    serial_timeout_s: float
    file: Path

    @property
    def text_file(self) -> Path:
        """The report for people."""
        return self.file.with_suffix(".txt")


class Interrupts:
    """Ctrl-C as a wish that is heeded between two exchanges, and at once while a person is asked."""

    def __init__(self) -> None:
        self._is_wished = self._is_asking = False

    def wish(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Somebody wants it to end: a handler of signals."""
        self._is_wished = True
        if self._is_asking:
            raise EndedError

    def checkpoint(self) -> None:
        """Raise EndedError if somebody wants that."""
        if self._is_wished:
            raise EndedError

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """For the time in which nothing is on the wire."""
        self.checkpoint()
        self._is_asking = True
        try:
            yield
        finally:
            self._is_asking = False

    @contextmanager
    def of_signals(self) -> Iterator[None]:
        """While this lasts, signals are wishes. One that was ignored at the start stays ignored."""
        before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, self.wish)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Asked:
    """A person whose answers can be waited for in vain."""

    def __init__(self, person: Person, interrupts: Interrupts) -> None:
        self._person = person
        self._interrupts = interrupts

    def tell(self, text: str) -> None:
        self._person.tell(text)

    def ask(self, question: str, choices: tuple[str, ...]) -> str:
        with self._interrupts.at_once():
            return self._person.ask(question, choices)


class Commissioning:
    """Carries out the trials.

    Args:
        setting: what is commissioned.
        open_port: opens the port at a speed, with a recorder.
        tap: that recorder.
        clock: the time.
        person: the engineer.
        keeper: the state.
        interrupts: how it is ended.
    """

    def __init__(
        self,
        setting: Setting,
        open_port: Callable[[int], Link],
        tap: Wiretap,
        clock: WallClock,
        person: Person,
        keeper: Keeper,
        interrupts: Interrupts,
    ) -> None:
        self._setting = setting
        self._open_port = open_port
        self._tap = tap
        self._clock = clock
        self._person = _Asked(person, interrupts)
        self._keeper = keeper
        self._interrupts = interrupts
        self._session: dict[str, Any] = {}

    def run(self) -> int:
        """All trials that are left. Returns the exit code: 0 if it came to its end, 130 after Ctrl-C, else 1."""
        try:
            link = self._open_port(self._setting.baud)
        except FocuserError as error:
            self._person.tell(str(error))
            return EXIT_FAILURE
        try:
            return self._run(link)
        except EndedError:
            # Before anything was sent.
            return EXIT_INTERRUPTED
        except AnswersEndedError:
            return EXIT_FAILURE
        finally:
            link.close()

    def _run(self, link: Link) -> int:
        setting = self._setting
        bench = Bench(
            link,
            self._tap,
            self._clock,
            self._person,
            setting.port,
            setting.drive,
            setting.limits,
            self._interrupts.checkpoint,
            setting.serial_timeout_s,
            self._forget_position,
        )
        self._begin(bench)
        code = 0
        try:
            if "answers" in self._done:
                bench.controller.identify(setting.serial_timeout_s)
            for trial in TRIALS:
                if trial.name not in self._done and self._may_begin(trial):
                    self._try(bench, trial)
        except EndedError:
            code = self._halt(bench, "ended by a signal.", EXIT_INTERRUPTED)
        except AnswersEndedError:
            code = self._halt(bench, "nobody answers any more.", EXIT_FAILURE)
        except (SurpriseError, FocuserError) as error:
            code = self._halt(bench, str(error), EXIT_FAILURE)
        except BaseException:
            # A mistake of this program, or a terminal that is gone: the motor stands all the same.
            if bench.has_moved:
                with suppress(FocuserError):
                    bench.halt()
            raise
        if "line" in self._refuted:
            link.close()
            self._try_sister()
        self._keep_measured(bench)
        self._save(bench)
        self._person.tell(
            f"\n{as_text(self._session)}\nThis report is in {setting.text_file}, and for machines in {setting.file}."
        )
        return code

    @property
    def _refuted(self) -> set[str]:
        return {
            finding["assumption"]
            for trial in self._session["trials"].values()
            for finding in trial["findings"]
            if finding["verdict"] == Verdict.REFUTED.value
        }

    def _try_sister(self) -> None:
        """Nothing answers: ask at the speed of ASA's AAF3, whose frames are the same (docs/protocol.md)."""
        try:
            link = self._open_port(SISTER_BAUD)
        except FocuserError:
            return
        try:
            Controller(link, self._clock, self._interrupts.checkpoint).identify(SISTER_PATIENCE_S)
            told = f"a focuser answers at {SISTER_BAUD} baud, as ASA's AAF3 does."
        except (FocuserError, EndedError):
            told = f"nothing answers at {SISTER_BAUD} baud, the speed of ASA's AAF3, either."
        finally:
            link.close()
        self._person.tell(f"  {told}")
        self._session["sister"] = told

    # The session file

    def _begin(self, bench: Bench) -> None:
        setting = self._setting
        kept = self._kept()
        if kept is not None:
            done = [name for name, trial in kept["trials"].items() if trial["state"] == "done"]
            question = (
                f"A session of {kept['begun_at']} has {len(done)} of {len(TRIALS)} trials. Go on with it?"
            )
            if self._person.ask(question, ("yes", "no")) == "yes":
                self._session = kept
                bench.values = kept["measured"]
                bench.noise_steps = bench.values.get("noise_steps", 0)
                return
        self._session = {
            "format": FORMAT,
            "daemon": setting.daemon,
            "port": setting.port,
            "begun_at": self._clock.utc_now().strftime("%Y-%m-%d %H:%M:%S UTC"),
            "settings": self._settings,
            "trials": {},
            "measured": bench.values,
        }

    @property
    def _settings(self) -> dict[str, Any]:
        return {**asdict(self._setting.limits), **asdict(self._setting.drive)}

    def _kept(self) -> dict[str, Any] | None:
        try:
            kept = json.loads(self._setting.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        same = isinstance(kept, dict) and all(
            kept.get(key) == value
            for key, value in (
                ("format", FORMAT),
                ("daemon", self._setting.daemon),
                ("port", self._setting.port),
                # What was measured at other speeds says nothing of these.
                ("settings", self._settings),
            )
        )
        return kept if same else None

    def _save(self, bench: Bench) -> None:
        setting, session = self._setting, self._session
        session["measured"] = bench.values
        content = json.dumps({**session, "assumptions": outcomes(session["trials"])}, indent=1)
        try:
            setting.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path, text in ((setting.file, content), (setting.text_file, as_text(session))):
                new = path.with_name(f".{path.name}.new")
                # Of an earlier session that was killed, or somebody's link.
                new.unlink(missing_ok=True)
                write_durably(new, text.encode("utf-8"))
                new.replace(path)
        except OSError as error:
            self._person.tell(
                f"{setting.file} cannot be written: {error.strerror}. What was found is shown only."
            )

    @property
    def _done(self) -> set[str]:
        return {name for name, trial in self._session["trials"].items() if trial["state"] == "done"}

    # Trials

    def _may_begin(self, trial: Trial) -> bool:
        if trial.moves and trial.name not in GATES and not set(GATES) <= self._done:
            return False
        if trial.moves and trial.name in GATES and not set(GATES[: GATES.index(trial.name)]) <= self._done:
            return False
        if not trial.on_request:
            return True
        return self._person.ask(f"{trial.title}: shall that be tested?", ("no", "yes")) == "yes"

    def _try(self, bench: Bench, trial: Trial) -> None:
        number = TRIALS.index(trial) + 1
        self._person.tell(f"\n{number}/{len(TRIALS)} {trial.title}")
        bench.begin()
        state, why = "broken off", ""
        try:
            trial.carry_out(bench)
            state = "done"
        except DeclinedError:
            state = "declined"
        except (SurpriseError, FocuserError) as error:
            state, why = "ended by a surprise", str(error)
            raise
        finally:
            self._session["trials"][trial.name] = {
                "state": state,
                "why": why,
                "at": self._clock.utc_now().strftime("%Y-%m-%d %H:%M:%S UTC"),
                "findings": [_written(finding) for finding in bench.findings],
                "frames": self._tap.evidence() if why else [],
            }
            self._save(bench)

    def _halt(self, bench: Bench, why: str, code: int) -> int:
        """Whatever it was: halt, prove that the motor stands, and say so. Gives the exit code."""
        stands = ""
        # Before anything is said: who listens may be gone. What was never moved is perhaps no focuser.
        if "answers" in self._done or bench.has_moved:
            try:
                bench.halt()
                stands = "The motor stands."
            except FocuserError as error:
                stands, code = str(error), EXIT_FAILURE
        self._person.tell(f"\nIt ends here: {why}")
        self._person.tell(stands)
        return code

    # The state file

    def _entry(self) -> Entry:
        return self._keeper.read() or Entry(self._setting.port, None, None, None, 0, None, None)

    def _forget_position(self) -> None:
        """A motion is about to begin, and whoever kept a position does not know of it."""
        unknown = replace(self._entry(), origin_register=None, register=None, way=(), homed_at=None)
        self._keeper.write(unknown, durable=True)

    def _keep_measured(self, bench: Bench) -> None:
        """What the driver uses of what was measured."""
        values, entry, drive = bench.values, self._entry(), self._setting.drive
        ratios = Ratios(
            values.get("proven_homing"),
            values.get("proven_legs"),
            drive.speed_register,
            drive.acceleration_register,
        )
        known = entry.power_up_registers
        power_up = values.get("power_up_register")
        if power_up is not None and not near_power_up(power_up, known):
            known = (*known, power_up)[-MOST_POWER_UP_REGISTERS:]
        measured = replace(
            entry,
            way=None if bench.has_moved else entry.way,
            ratios=ratios if ratios.homing or ratios.legs else entry.ratios,
            power_up_registers=known,
            answer_s=values.get("answer_s", entry.answer_s),
            refresh_s=values.get("refresh_s", entry.refresh_s),
        )
        if measured != entry:
            self._keeper.write(measured, durable=True)


def _written(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "verdict": finding.verdict.value}
