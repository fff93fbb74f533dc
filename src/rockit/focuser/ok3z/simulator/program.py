"""`ok3z-simulator`: a virtual OK3Z on a pseudo-terminal, as if connected to /dev/focuser."""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import termios
from contextlib import ExitStack, suppress
from dataclasses import fields

from .control import ControlServer, tell
from .controller import HungUpError, VirtualOK3Z
from .options import OptionError, Options
from .pty_port import PtyPort

_READ_BYTES = 4096


def main(arguments: list[str] | None = None) -> int:
    """The command. Exits with 0, with 1 if something failed, with 2 for wrong usage."""
    parser = new_parser()
    given = parser.parse_args(arguments)
    try:
        if given.tell:
            return _tell(*given.tell)
        if not given.link:
            parser.error("--link PATH is needed: where to put the serial port.")
        chosen = {name: value for name in Options.describe() if (value := getattr(given, name)) is not None}
        return _run(VirtualOK3Z(**chosen), given.link, given.control)
    except (OptionError, OSError) as error:
        print(f"ok3z-simulator: {error}", file=sys.stderr)
        return 1


def new_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ok3z-simulator",
        usage=(
            "ok3z-simulator --link PATH [--control PATH] [option ...]\n"
            "       ok3z-simulator --tell PATH TEXT\n"
            "       ok3z-simulator --help"
        ),
        description="A virtual ASA OK3Z focuser controller on a pseudo-terminal.",
        epilog="SIGTERM or Ctrl-C ends it. All about faults: ok3z-simulator --tell PATH help",
    )
    parser.add_argument("--link", metavar="PATH", help="put the serial port here, as a symbolic link")
    parser.add_argument("--control", metavar="PATH", help="make a control socket here")
    parser.add_argument(
        "--tell", nargs=2, metavar=("PATH", "TEXT"), help="say one line to a control socket, print the answer"
    )
    options = parser.add_argument_group("the device")
    for one in fields(Options):
        options.add_argument(
            f"--{one.name.replace('_', '-')}",
            dest=one.name,
            metavar=_metavar(one.default, one.metadata["choices"]),
            help=f"{one.metadata['text']} [{_as_written(one.default)}]".replace("%", "%%"),
        )
    return parser


def _metavar(default: object, choices: tuple[str, ...] | None) -> str:
    if choices:
        return "|".join(choices)
    if isinstance(default, bool):
        return "0|1"
    return "TEXT" if isinstance(default, str) else "X"


def _as_written(default: object) -> object:
    return int(default) if isinstance(default, bool) else default


def _tell(path: str, text: str) -> int:
    try:
        answer = tell(path, text)
    except (OSError, ValueError) as error:
        raise OptionError(f"Nothing answers at {path} ({error}). Is the simulator running?") from None
    print(json.dumps(answer))
    return 0 if answer.get("ok") else 1


def _run(model: VirtualOK3Z, link: str, control: str | None) -> int:
    with ExitStack() as stack:
        bell = _Bell()
        stack.callback(bell.close)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # One that was ignored at the start stays ignored: `nohup`, or a script's `&`.
            if signal.getsignal(number) != signal.SIG_IGN:
                stack.callback(signal.signal, number, signal.signal(number, bell.on_signal))
        port = PtyPort(link)
        stack.callback(port.unplug)
        port.plug_in()
        if control:
            stack.callback(ControlServer(model, control).close)
        model.add_listener(bell.ring)
        print(f"ok3z-simulator: ready at {link}", flush=True)
        _serve(model, port, bell)
    return 0


class _Bell:
    """Wakes the main loop: from the control thread, or to end."""

    def __init__(self) -> None:
        self.is_over = False
        self.out, self._into = os.pipe()
        os.set_blocking(self.out, False)
        os.set_blocking(self._into, False)

    def ring(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._into, b"x")

    def on_signal(self, _number: int, _frame: object) -> None:
        self.is_over = True
        self.ring()

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.out, 4096)

    def close(self) -> None:
        os.close(self.out)
        os.close(self._into)


def _serve(model: VirtualOK3Z, port: PtyPort, bell: _Bell) -> None:
    """Carry bytes between the terminal and the model until a signal comes."""
    while not bell.is_over:
        _plug_as_told(model, port)
        # The control socket's thread can hang up at any moment; the next round then sees it.
        with suppress(HungUpError):
            _carry_once(model, port, bell)


def _plug_as_told(model: VirtualOK3Z, port: PtyPort) -> None:
    if model.is_hung_up:
        port.unplug()
    elif port.fd is None:
        port.plug_in()


def _carry_once(model: VirtualOK3Z, port: PtyPort, bell: _Bell) -> None:
    """Bytes to the host that are due, then wait; bytes from the host, if they ended the waiting."""
    if port.fd is not None:
        port.write(model.read(_READ_BYTES))
    watched = [bell.out] if port.fd is None else [bell.out, port.fd]
    ready, _, _ = select.select(watched, [], [], _until_next(model))
    if bell.out in ready:
        bell.clear()
    if port.fd in ready:
        model.write(_as_heard(port.read(), model, port))


def _until_next(model: VirtualOK3Z) -> float | None:
    moment = model.next_event_s
    return None if moment is None else max(0.0, moment - model.clock.monotonic())


def _as_heard(data: bytes, model: VirtualOK3Z, port: PtyPort) -> bytes:
    """The host's bytes; noise if it has set the port otherwise than the controller speaks."""
    settings = port.settings()
    expected = [getattr(termios, f"B{model.options.baud}", settings[0]), termios.CS8] if settings else []
    if settings == expected or not model.options.check_baud:
        return data
    return bytes(byte ^ 0xA5 for byte in data)


if __name__ == "__main__":
    sys.exit(main())
