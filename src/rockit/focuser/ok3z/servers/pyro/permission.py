"""Who may control, as the site's own helper says. It may ask a name server, so it has threads of its own.

What it says of an address is remembered for a while. The port has compared the address with `control_ips` before
anybody comes here, so it is never asked about strangers.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Callable, NamedTuple

import Pyro4
from rockit.common import helpers

from ...errors import BusyError, NotPermittedError
from ..net.addresses import Addresses

# One for stops, one for all else: a stop waits behind no other call.
LOOK_UP_THREADS = 2
# How many may wait for each of them. An address is looked up once at a time.
MOST_LOOK_UPS = 16
# How long the helper's word holds, and of how many addresses it is kept.
REMEMBERED_S = 60.0
MOST_REMEMBERED = 64
# How long a call waits for it. A stop that has waited so long is judged by its address alone: the halt must be on the
# wire within 100 ms.
LOOK_UP_PATIENCE_S = 20.0
STOP_LOOK_UP_PATIENCE_S = 0.05


Caller = tuple[object, object]
"""Who makes a Pyro call, as Pyro's context says it to the helper: its connection, and its address."""


class Permission:
    """Asks the site's helper who may control. Any thread may ask; nothing here waits.

    Args:
        control_ips: the addresses that may control.
    """

    def __init__(self, control_ips: Sequence[str]) -> None:
        self._control_ips = list(control_ips)
        self._addresses = Addresses(control_ips)
        self._lock = threading.Lock()
        self._remembered: dict[str, tuple[bool, float]] = {}
        self._desk = _Desk("pyro-look-up", self._look_up)
        self._stop_desk = _Desk("pyro-look-up-stop", self._look_up)

    def remembered(self, address: str) -> bool | None:
        """What the helper has said of an address not long ago; None: it must be asked."""
        permitted, until_s = self._remembered.get(address, (False, 0.0))
        return permitted if time.monotonic() < until_s else None

    def look_up(self, address: str, for_stop: bool) -> Future[bool]:
        """Ask the helper about the caller of the current Pyro call.

        Args:
            address: the caller's.
            for_stop: whether it wants to stop the motor.

        Returns:
            What ends with the helper's word, with what it raised, or with BusyError: it cannot be asked now.
        """
        context = Pyro4.current_context
        caller = (context.client, context.client_sock_addr)
        return (self._stop_desk if for_stop else self._desk).look_up(address, caller)

    def judge(self, address: str, said: Future[bool], for_stop: bool) -> bool:
        """Whether a caller may control, when what is said of it has come or the patience for that is over.

        Raises:
            NotPermittedError, BusyError: that is not known. Never for a stop.
            Exception: of the helper.
        """
        has_word = said.done() and not isinstance(said.exception(), BusyError)
        if for_stop and not has_word:
            return address in self._addresses
        if not said.done():
            raise NotPermittedError(
                f"whether {address} is among control_machines was not found out within {LOOK_UP_PATIENCE_S:.0f} s. "
                "Look at the name server of this machine."
            )
        return said.result()

    def _look_up(self, address: str, caller: Caller) -> bool:
        context = Pyro4.current_context
        context.client, context.client_sock_addr = caller
        try:
            permitted = bool(helpers.pyro_client_matches(self._control_ips))
        finally:
            context.client = context.client_sock_addr = None
        self._remember(address, permitted)
        return permitted

    def _remember(self, address: str, permitted: bool) -> None:
        with self._lock:
            self._remembered.pop(address, None)
            self._remembered[address] = permitted, time.monotonic() + REMEMBERED_S
            if len(self._remembered) > MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]


class _Errand(NamedTuple):
    address: str
    caller: Caller
    said: Future[bool]


class _Desk:
    """Looks up one address after the other, on a thread that is there while there are any."""

    def __init__(self, name: str, look_up: Callable[[str, Caller], bool]) -> None:
        self._name = name
        self._look_up = look_up
        self._lock = threading.Lock()
        self._errands: dict[str, _Errand] = {}
        self._waiting: deque[_Errand] = deque()
        self._has_thread = False

    def look_up(self, address: str, caller: Caller) -> Future[bool]:
        """Have an address looked up; all who ask meanwhile share it."""
        with self._lock:
            errand = self._errands.get(address)
            if errand is None:
                errand = _Errand(address, caller, Future())
                if len(self._errands) >= MOST_LOOK_UPS or not self._could_have_thread():
                    errand.said.set_exception(
                        BusyError("too many calls run already. Wait for the end of some.")
                    )
                    return errand.said
                self._errands[address] = errand
                self._waiting.append(errand)
            return errand.said

    def _could_have_thread(self) -> bool:
        if not self._has_thread:
            # A daemon: a name server that never answers must not keep the process from ending.
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # Of a machine that can make no more threads.
                return False
            self._has_thread = True
        return True

    def _work(self) -> None:
        while (errand := self._next()) is not None:
            try:
                permitted = self._look_up(errand.address, errand.caller)
            except Exception as error:
                end = partial(errand.said.set_exception, error)
            # A thread that ended here would be missed: SystemExit too means nothing on it.
            except BaseException as error:
                end = partial(errand.said.set_exception, RuntimeError(repr(error)))
            else:
                end = partial(errand.said.set_result, permitted)
            # Whoever hears of the end finds the place free.
            with self._lock:
                del self._errands[errand.address]
            end()
            # They would be kept until the next one comes, and its connection with them.
            del errand, end

    def _next(self) -> _Errand | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._has_thread = False
            return None
