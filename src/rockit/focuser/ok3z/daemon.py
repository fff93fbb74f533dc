"""focusd: puts the parts together, serves the focuser over Pyro, and ends in good order.

This is the composition root: nothing imports it. It knows every part and holds no logic of a focuser.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

import Pyro4
import serial

from .clock import SystemClock
from .commands import Settings
from .config import Config
from .errors import ConfigError
from .event_log import EventLog
from .focuser import Focuser
from .forecast import forecast
from .link import open_link
from .mechanics import Drive, Limits
from .version import VERSION

_log = logging.getLogger(__name__)

EXIT_FAILURE = 1
# A lost terminal ends it as well, for a motor that nobody watches must not run on.
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# pyserial looks in the packages of this list for the handler of a URL's scheme; it imports them when asked.
SIMULATOR_PACKAGE = "rockit.focuser.ok3z.simulator"
# A call carries a few numbers. What is larger is no call.
MAX_MESSAGE_BYTES = 1_000_000
# Connections that may be open at a time; each holds a thread and a file, and a process may open 1024.
MAX_CONNECTIONS = 800
# How often it is looked whether Pyro's thread still serves.
LOOK_AT_PYRO_S = 1.0
# For the answers of calls that the end interrupted.
LAST_ANSWERS_S = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `focusd`. Returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = Config.load(options.config)
        if options.check:
            print(forecast(config))
            return 0
        if options.print_port:
            print(config.daemon.port)
            return 0
        return _serve_and_log(config, options.verbose)
    except ConfigError as error:
        print(f"focusd: {error}", file=sys.stderr)
        return EXIT_FAILURE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="focusd",
        description="Drives an ASA OK3Z focuser and serves it over Pyro.",
        epilog="Example: focusd /etc/focusd/ngts_m06.json",
    )
    parser.add_argument("config", type=Path, metavar="FILE", help="the configuration, a JSON file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="validate FILE, print what it stands for, and end")
    what.add_argument(
        "--print-port", action="store_true", help="print the TCP port of FILE's daemon, and end"
    )
    parser.add_argument("--verbose", action="store_true", help="log every frame on the wire")
    parser.add_argument("--version", action="version", version=f"focusd {VERSION}")
    return parser


def _serve_and_log(config: Config, verbose: bool) -> int:
    # Blocked in every thread, so before the first, and taken one by one: no handler runs in the middle of anything.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    event_log = EventLog()
    event_log.start(logging.DEBUG if verbose else logging.INFO)
    try:
        return serve(config)
    finally:
        event_log.finish()


def serve(config: Config) -> int:
    """Serve the focuser of a configuration until SIGTERM or SIGINT, which must be blocked. Returns the exit code.

    Within 2 s of the signal the motor is halted and the port closed; the sockets end with the process. Raises
    ConfigError where the site's library cannot be used.
    """
    # Only now: the configuration has shown that there is such a library, and what is wrong with it.
    try:
        from .observatory_log import ObservatoryLog
        from .pyro_service import PyroFocuser
    except Exception as error:
        raise ConfigError(f"the site's rockit.common cannot be used: {error!r}") from error

    try:
        pyro = _listen(config)
    except OSError as error:
        print(_cannot_listen(config, error), file=sys.stderr)
        return EXIT_FAILURE
    observatory_log = ObservatoryLog(config.log_name)
    focuser = new_focuser(config, observatory_log.announce)
    pyro.register(PyroFocuser(focuser, config.control_ips), objectId=config.daemon.name)
    observatory_log.start()
    focuser.start()
    serving = threading.Thread(target=pyro.requestLoop, name="pyro", daemon=True)
    serving.start()
    _log.info("serving %s on %s:%d", config.daemon.name, config.daemon.host, config.daemon.port)

    try:
        served = _wait_for_the_end(serving, observatory_log.log_overdue)
    finally:
        halted = focuser.close()
    if not halted:
        _log.error("the focuser's thread did not end: the motor may be running. Look at the focuser.")
    serving.join(LAST_ANSWERS_S)
    observatory_log.close()
    # Pyro itself is not closed: it would wait for each idle client in turn.
    return 0 if halted and served else EXIT_FAILURE


def _wait_for_the_end(serving: threading.Thread, meanwhile: Callable[[], None]) -> bool:
    """Wait for a signal, and call `meanwhile` every now and then. False: Pyro's thread ended instead, and nobody
    can call any more."""
    while serving.is_alive():
        meanwhile()
        signalled = signal.sigtimedwait(ENDING_SIGNALS, LOOK_AT_PYRO_S)
        # After a stop and a continue of the process Python gives an answer that is no signal.
        if signalled and signalled.si_signo in ENDING_SIGNALS:
            _log.info("ending on %s", signal.Signals(signalled.si_signo).name)
            return True
    _log.error("Pyro's thread has ended: nobody can call any more. Restart the daemon.")
    return False


def new_focuser(config: Config, announce: Callable[[int, str], None]) -> Focuser:
    """The service of a configuration, not yet started; `announce` as for a Focuser."""
    clock = SystemClock()
    if SIMULATOR_PACKAGE not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(SIMULATOR_PACKAGE)
    settings = Settings(
        port_name=config.serial_port,
        serial_timeout_s=config.serial_timeout_s,
        move_timeout_s=config.move_timeout_s,
        limits=Limits.from_mm(config.focus_range_mm, config.travel_mm, config.anti_backlash_mm),
        drive=Drive.from_mm(config.speed_mm_sec, config.acceleration_mm_sec_sec),
    )
    return Focuser(
        settings,
        lambda: open_link(config.serial_port, config.serial_baud, clock),
        announce,
        clock,
    )


def _listen(config: Config) -> Pyro4.Daemon:
    # Only what the clients use: others, pickle above all, can be made to run code.
    Pyro4.config.SERIALIZERS_ACCEPTED = {"serpent"}
    Pyro4.config.MAX_MESSAGE_SIZE = MAX_MESSAGE_BYTES
    Pyro4.config.THREADPOOL_SIZE = MAX_CONNECTIONS
    Pyro4.config.DETAILED_TRACEBACK = False
    return Pyro4.Daemon(host=config.daemon.host, port=config.daemon.port)


def _cannot_listen(config: Config, error: OSError) -> str:
    return (
        f"focusd: {config.daemon.host}:{config.daemon.port} cannot be listened on: {error}. "
        "Does another focusd run, or is this not the machine where this daemon belongs?"
    )


if __name__ == "__main__":
    sys.exit(main())
