"""The built-in phone book: what is known without a site file."""

from __future__ import annotations

from .registered_daemon import RegisteredDaemon

MACHINES: dict[str, str] = {
    "LocalHost": "127.0.0.1",
    "NGTSDASNUC": "10.2.5.115",
}

DAEMONS: dict[str, RegisteredDaemon] = {
    "localhost_test": RegisteredDaemon("localhost_test_daemon", MACHINES["LocalHost"], 9000),
    "localhost_test2": RegisteredDaemon("localhost_test_daemon2", MACHINES["LocalHost"], 9001),
    "localhost_test3": RegisteredDaemon("localhost_test_daemon3", MACHINES["LocalHost"], 9002),
    "localhost_test4": RegisteredDaemon("localhost_test_daemon4", MACHINES["LocalHost"], 9003),
    "localhost_test5": RegisteredDaemon("localhost_test_daemon5", MACHINES["LocalHost"], 9004),
    "ngts_m06_focuser": RegisteredDaemon("ngts_m06_focuser_daemon", MACHINES["NGTSDASNUC"], 9002),
}
