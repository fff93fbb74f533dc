"""focusd: puts the parts together, serves the focuser, and ends in good order.

This is the composition root: nothing imports it. It knows every part and holds no logic of a focuser. The parts
are imported where they are used: loading them takes most of the start, and signals are held back before that.
"""

from __future__ import annotations

import argparse
import io
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING, Callable, TextIO

from ..errors import ConfigError
from ..version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from ..config.model import Config
    from ..driver.recorder import Recorder
    from ..service.fault_recording import Archive
    from ..service.focuser import Focuser
    from ..service.history import Ledger
    from ..service.holds import Shelf
    from ..service.memory import Keeper

_log = logging.getLogger(__name__)

EPILOG = """\
examples:
  focusd /etc/focusd/ngts_m06.json
  focusd --check /etc/focusd/ngts_m06.json
  focusd --commission /etc/focusd/ngts_m06.json

SIGTERM and Ctrl-C halt the motor and end it.
Exit code: 0 ended as it was told, 1 failed, 2 wrong usage, 78 the configuration cannot be used, or too few files may be
opened, 130 a signal ended --commission.
"""
EXIT_FAILURE = 1
# Starting it again does not help: somebody has to mend the configuration, of the system too. (EX_CONFIG of sysexits.h.)
EXIT_CONFIG = 78
# What a shell shows for a command that Ctrl-C ended.
EXIT_INTERRUPTED = 130
# A lost terminal ends it as well, for a motor that nobody watches must not run on.
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LAST_STANDARD_DESCRIPTOR = 2
# pyserial looks in the packages of this list for the handler of a URL's scheme; it imports them when asked.
SIMULATOR_PACKAGE = "rockit.focuser.ok3z.simulator"
# How often it is looked whether Pyro's thread still serves.
LOOK_AT_PYRO_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `focusd`. Returns its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not any(word.startswith("-") for word in words):
        # A file and no option: it will serve. What is only asked for may be ended by a signal at any time.
        _hold_signals_back()
    _fill_closed_descriptors()
    try:
        return _run(words)
    except ConfigError as error:
        return _fail(str(error), EXIT_CONFIG)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _hold_signals_back() -> None:
    """Keep them until they are waited for, on every thread: no handler runs in the middle of anything."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _held_signals())


def _held_signals() -> list[signal.Signals]:
    """What is waited for. A signal that was ignored at the start, as with `nohup` or a script's `&`, stays ignored: the
    system keeps one that is held back, ignored or not."""
    heeded = [number for number in ENDING_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    return [*heeded, signal.SIGALRM]


def _fill_closed_descriptors() -> None:
    """What is opened next would get the number of a closed stdout or stderr, and then what is logged: the port to
    the controller, perhaps."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= LAST_STANDARD_DESCRIPTOR:
        pass
    os.close(descriptor)


def _run(words: Sequence[str]) -> int:
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            parser = new_parser()
            options = parser.parse_args(words)
            if options.record and (options.check or options.print_port):
                parser.error(
                    "--record goes with what opens the serial port, so not with --check or --print-port"
                )
    except SystemExit as ended:
        # --help and --version say something; wrong usage is told on stderr.
        return _show(said.getvalue()) if said.getvalue() else _exit_code(ended)
    if not (options.check or options.print_port or options.commission):
        _hold_signals_back()
    from ..config.model import Config

    config = Config.load(options.config)
    if options.commission:
        return _commission(config, options)
    if config.alpaca is not None and not options.print_port:
        from .library import require_aiohttp, require_prometheus_client

        require_aiohttp()
        if config.metrics is not None:
            require_prometheus_client()
    if options.check:
        from .summary import forecast

        return _show(f"{forecast(config)}\n")
    if options.print_port:
        return _show(f"{config.daemon.port}\n")
    return _serve_and_log(config, options)


def _exit_code(ended: SystemExit) -> int:
    return ended.code if isinstance(ended.code, int) else EXIT_FAILURE


def _show(text: str) -> int:
    """Print what was asked for. Returns the exit code."""
    if sys.stdout is None:
        return _fail("the result cannot be written: stdout is closed.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The path of a configuration may hold what the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, end="", flush=True)
    except OSError as error:
        _abandon(sys.stdout)
        return _fail(f"the result cannot be written: {error.strerror}.")
    return 0


def _fail(sentence: str, code: int = EXIT_FAILURE) -> int:
    """Say why it ends, if that can be said. Returns the exit code."""
    # A closed stderr is None, which print() would take for stdout.
    if sys.stderr is not None:
        try:
            print(f"focusd: {sentence}", file=sys.stderr, flush=True)
        except OSError:
            _abandon(sys.stderr)
    return code


def _abandon(stream: TextIO) -> None:
    """Send what a stream still holds nowhere: at its end the interpreter would try once more, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def new_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="focusd",
        description="Drives an ASA OK3Z focuser and serves it over Pyro.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="FILE", help="the configuration, a JSON file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="validate FILE, print what it stands for, and end")
    what.add_argument(
        "--print-port", action="store_true", help="print the TCP port of FILE's daemon, and end"
    )
    what.add_argument(
        "--commission",
        action="store_true",
        help="walk through the first night with a new controller, with its port to itself",
    )
    parser.add_argument("--verbose", action="store_true", help="log every frame on the wire")
    parser.add_argument("--record", metavar="RECORDING", help="write all that goes over the wire into a file")
    parser.add_argument("--version", action="version", version=f"focusd {VERSION}")
    # For tests with a virtual controller behind a pseudo-terminal, which does not tell how fast it lives.
    parser.add_argument("--time-scale", type=_time_scale, metavar="N", help=argparse.SUPPRESS)
    return parser


def _time_scale(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError
    return number


def _serve_and_log(config: Config, options: argparse.Namespace) -> int:
    import faulthandler

    from .log_writer import STDERR, LogWriter

    # systemd's watchdog ends a daemon that hangs by SIGABRT: its log then shows where each thread was.
    faulthandler.enable(STDERR)
    log_writer = LogWriter(os.environ)
    log_writer.start(logging.DEBUG if options.verbose else logging.INFO)
    try:
        return serve(config, options.time_scale, options.record)
    finally:
        log_writer.finish()


def _commission(config: Config, options: argparse.Namespace) -> int:
    """Walk an engineer at the terminal through the first night with a controller. Returns the exit code."""
    from ..commission.person import Terminal
    from ..commission.session import Commissioning, Interrupts, Setting
    from ..commission.wiretap import Wiretap
    from ..driver.clock import SystemClock
    from ..driver.link import open_link
    from ..driver.planning import Drive, Limits
    from ..storage.recordings import SessionFile
    from ..storage.state_store import StateStore, note_for, path_for
    from .servers import take_port

    def announce(_level: int, message: str) -> None:
        print(message, file=sys.stderr)

    state_file = path_for(config.daemon_name, os.environ)
    if state_file is None:
        return _fail("there is no folder for a state file: set STATE_DIRECTORY or XDG_STATE_HOME.")
    try:
        # A daemon that runs owns the state file, also while it has let the focuser go.
        listener = take_port(config)
    except OSError as error:
        return _fail(f"{error} End the daemon first: sudo systemctl stop focusd@{config.path.stem}")
    clock = SystemClock()
    try:
        session = options.record and SessionFile(options.record, recorded_settings(config), clock, announce)
    except OSError as error:
        return _fail(f"{options.record} cannot be written: {error.strerror}.")
    tap = Wiretap(clock, session.add if session else None)
    _add_simulator()
    setting = Setting(
        daemon=config.daemon_name,
        port=config.serial_port,
        baud=config.serial_baud,
        drive=Drive.from_mm(config.speed_mm_sec, config.acceleration_mm_sec_sec),
        limits=Limits.from_mm(config.focus_range_mm, config.travel_mm, config.anti_backlash_mm),
        serial_timeout_s=config.serial_timeout_s,
        file=state_file.with_suffix(".commission.json"),
    )
    state_store = StateStore(state_file, announce, note_for(state_file, os.environ))
    state_store.start()
    interrupts = Interrupts()
    try:
        with interrupts.of_signals():
            return Commissioning(
                setting,
                lambda baud: open_link(config.serial_port, baud, clock, tap),
                tap,
                clock,
                Terminal(sys.stdin or (), sys.stdout),
                state_store,
                interrupts,
            ).run()
    finally:
        state_store.close()
        if session:
            session.close()
        listener.close()
        _give_to_owner(state_file.parent)


def _give_to_owner(folder: Path) -> None:
    """What root has made in the folder of another user's daemon is that user's: it could not read it."""
    with suppress(OSError):
        owner = folder.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            for path in folder.iterdir():
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def serve(config: Config, time_scale: float | None = None, record: str | None = None) -> int:
    """Serve the focuser of a configuration until SIGTERM or SIGINT, which must be blocked. Returns the exit code.

    At the signal the TCP ports are given back. Within 2 s of it the motor is halted, the serial port closed, and
    everybody hung up on. `time_scale` as for `new_focuser`; into `record` goes
    all that is said on the wire.

    Raises ConfigError if the site's library cannot be used, or too few files may be opened.
    """
    from ..driver.clock import SystemClock
    from ..driver.recorder import Recorder
    from ..service.history import NO_LEDGER, History
    from ..storage.history_store import HistoryStore, file_beside
    from ..storage.holds_file import HoldsFile
    from ..storage.holds_file import path_for as holds_path_for
    from ..storage.outdated import this_boot
    from ..storage.recordings import Recordings, SessionFile, folder_beside
    from ..storage.state_store import StateStore, note_for, path_for
    from .systemd import SystemdNotifier, status_line

    # Only now: the configuration has shown that there is such a library, and what is wrong with it.
    try:
        from .servers import Servers, take_port
        from .site_log import SiteLog
    except Exception as error:
        raise ConfigError(f"the site's rockit.common cannot be used: {error!r}") from error

    try:
        listener = take_port(config)
    except OSError as error:
        return _fail(str(error))
    site_log = SiteLog(config.log_name)
    about = recorded_settings(config)
    try:
        session = record and SessionFile(record, about, SystemClock(), site_log.announce)
    except OSError as error:
        return _fail(f"{record} cannot be written: {error.strerror}.")
    state_file = path_for(config.daemon_name, os.environ)
    state_store = StateStore(state_file, site_log.announce, note_for(state_file, os.environ))
    recordings = Recordings(folder_beside(state_file), about, site_log.announce)
    moment = History(NO_LEDGER, SystemClock()).moment
    boot = this_boot(note_for(state_file, os.environ))
    history_store = HistoryStore(file_beside(state_file), site_log.announce, moment, boot)
    systemd = SystemdNotifier(os.environ, time.monotonic)
    focuser = new_focuser(
        config,
        site_log.announce,
        state_store,
        lambda: systemd.alive(lambda: servers.pyro.lives()),
        time_scale,
        Recorder(SystemClock(), session.add if session else None),
        recordings,
        history_store,
        HoldsFile(holds_path_for(state_file, os.environ), boot),
    )
    servers = Servers(config, listener, focuser)
    site_log.start()
    state_store.start()
    history_store.start()
    focuser.start()
    servers.open()
    systemd.ready()

    def every_second() -> None:
        site_log.log_overdue()
        servers.look_after()
        systemd.status(status_line(focuser.snapshot, servers.problem))

    try:
        served = _wait_for_the_end(servers.pyro_thread, every_second)
    finally:
        systemd.ending()
        # First of all: a thread that waits for a dead disk can keep the process from ending, and its ports with it.
        servers.stop_listening()
        halted = focuser.close()
    if not halted:
        _log.error(
            "the motor was not seen standing at the end: it may be running. Look at the focuser; if it is in danger, "
            "cut its power."
        )
    servers.close()
    state_store.close()
    history_store.close()
    recordings.close()
    if session:
        session.close()
    site_log.close()
    return 0 if halted and served else EXIT_FAILURE


def _wait_for_the_end(serving: threading.Thread, meanwhile: Callable[[], None]) -> bool:
    """Wait for a signal, and call `meanwhile` every now and then. False: Pyro's thread ended instead, and nobody
    can call any more."""
    # A timer, and not sigtimedwait(): after a stop and a continue of the process that answers with any signal.
    signal.setitimer(signal.ITIMER_REAL, LOOK_AT_PYRO_S, LOOK_AT_PYRO_S)
    while serving.is_alive():
        meanwhile()
        number = signal.sigwait(_held_signals())
        if number in ENDING_SIGNALS:
            _log.info("ending on %s", signal.Signals(number).name)
            return True
    _log.error("Pyro's thread has ended: nobody can call any more. Restart the daemon.")
    return False


def new_focuser(
    config: Config,
    announce: Callable[[int, str], None],
    keeper: Keeper,
    sign_of_life: Callable[[], None] = lambda: None,
    time_scale: float | None = None,
    recorder: Recorder | None = None,
    archive: Archive | None = None,
    ledger: Ledger | None = None,
    shelf: Shelf | None = None,
) -> Focuser:
    """The service of a configuration, not yet started; what else is given as for a Focuser.

    `time_scale` is how many times faster than a real one the controller lives; None: what its port says.
    """
    from ..driver.clock import SystemClock
    from ..driver.link import SerialPort
    from ..driver.planning import Drive, Limits
    from ..service.fault_recording import NO_ARCHIVE
    from ..service.focuser import Focuser
    from ..service.history import NO_LEDGER
    from ..service.holds import NO_SHELF
    from ..service.settings import Settings

    clock = SystemClock()
    _add_simulator()
    settings = Settings(
        port_name=config.serial_port,
        serial_timeout_s=config.serial_timeout_s,
        move_timeout_s=config.move_timeout_s,
        limits=Limits.from_mm(config.focus_range_mm, config.travel_mm, config.anti_backlash_mm),
        drive=Drive.from_mm(
            config.speed_mm_sec,
            config.acceleration_mm_sec_sec,
            time_scale or _told_time_scale(config.serial_port),
        ),
        restore_on_init=config.restore_on_init,
        keeps_hand=config.hand == "keep",
        resume_on_init=config.resume_on_init,
        resume_max_age_s=config.resume_max_age_h * 3600,
    )
    return Focuser(
        settings,
        SerialPort(config.serial_port, config.serial_baud, clock, recorder),
        announce,
        keeper,
        clock,
        sign_of_life,
        recorder,
        archive or NO_ARCHIVE,
        ledger or NO_LEDGER,
        shelf or NO_SHELF,
    )


def _add_simulator() -> None:
    """Have pyserial know the ports of the virtual controller."""
    import serial

    if SIMULATOR_PACKAGE not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(SIMULATOR_PACKAGE)


def recorded_settings(config: Config) -> dict[str, object]:
    """What the first line of a recording says of the daemon: its name, and the settings that moved the motor."""
    names = (
        *("serial_timeout_s", "move_timeout_s", "anti_backlash_mm", "focus_range_mm", "travel_mm"),
        *("speed_mm_sec", "acceleration_mm_sec_sec"),
    )
    return {"daemon": config.daemon_name, "settings": {name: getattr(config, name) for name in names}}


def _told_time_scale(serial_port: str) -> float:
    """How many times faster than a real one the controller at a port lives: a virtual one says it in its URL."""
    from urllib.parse import parse_qsl, urlsplit

    # What is wrong with it is said when the port is opened.
    with suppress(ValueError):
        parts = urlsplit(serial_port)
        if parts.scheme == "sim":
            return _time_scale(dict(parse_qsl(parts.query)).get("time_scale", "1"))
    return 1.0


if __name__ == "__main__":
    sys.exit(main())
