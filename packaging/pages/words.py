"""What a manual says and no parser knows: exit codes, files, environment, examples, other pages.

All of it is compared with the code by tests/test_pages.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rockit.focuser.ok3z.cli.main import EXIT_CODES
from rockit.focuser.ok3z.cli.options import USAGE_STATUS
from rockit.focuser.ok3z.constants import CommandStatus
from rockit.focuser.ok3z.daemon.main import EXIT_CONFIG, EXIT_FAILURE, EXIT_INTERRUPTED

from .description import Example

# argparse's own.
EXIT_USAGE = 2


@dataclass(frozen=True)
class Words:
    """Our own words on one program.

    Args:
        section: of the manual.
        description: paragraphs.
        exit_status: what each exit code means.
        files: paths, and what is there.
        environment: variables, and what they do.
        examples: beyond those of the parser.
        see_also: other pages.
        usage: usage lines, where those of the parser are not to be used.
    """

    section: int
    description: tuple[str, ...]
    exit_status: Mapping[int, str]
    files: tuple[tuple[str, str], ...]
    environment: tuple[tuple[str, str], ...]
    examples: tuple[Example, ...]
    see_also: tuple[str, ...]
    usage: tuple[str, ...] = ()


SITE_FILES = (
    (
        "/etc/rockit/site.json",
        "The machines and daemons of this observatory, where they are not built in. "
        "`python3 -m rockit.common` prints all that are known, or what is wrong with this file.",
    ),
)
SITE_ENVIRONMENT = (("ROCKIT_SITE_PATH", "A file to read in the place of /etc/rockit/site.json."),)

FOCUS = Words(
    section=1,
    description=(
        "focus homes the telescope's focuser, moves it, stops it and shows where it stands. "
        "It does so through the daemon focusd(8), over the network.",
        "0 mm is fully in. A number is written with a point: 2.5, -0.25, -.5. Times are seconds.",
        "set, offset, init, audit, stop and kill return when they are done, and print the state in one line. "
        "Options may stand before or after the command.",
        "If something looks wrong: `focus stop` stops any movement, from any machine that may control the focuser. "
        "`focus status` says why the focuser is offline and what to do. Where it says that the focuser may still be "
        "moving, and `focus stop` fails too, cut the motor's power.",
    ),
    exit_status={
        CommandStatus.Succeeded: "Done. After set and offset the focuser stands at the target.",
        CommandStatus.Failed: "Failed, or stopped by somebody else. The message says why.",
        CommandStatus.Blocked: "Another command is running. Wait for its end, or stop it: `focus stop`.",
        CommandStatus.InvalidControlIP: "This machine may not control the focuser: it is not one of the "
        "control_machines in the daemon's configuration.",
        CommandStatus.PositionOutsideLimits: "The position is outside the range, 0 to focus_range_mm.",
        CommandStatus.NotConnected: "The focuser is not connected. Connect and home it: `focus init`.",
        CommandStatus.NotDisconnected: "The focuser is already connected.",
        CommandStatus.CommunicationFailed
        % EXIT_CODES: "No daemon answers. After a movement has begun: its end is "
        "not known, and the focuser may still be moving.",
        CommandStatus.TerminatedByUser % EXIT_CODES: "Ended by Ctrl-C or SIGTERM. The message says where the "
        "focuser stands.",
        USAGE_STATUS: "Wrong usage, or a configuration that cannot be used.",
    },
    files=(
        (
            "/etc/focusd/*.json",
            "The configuration, which names the daemon to call. If there are several, one must be chosen by --config "
            "or FOCUSD_CONFIG_PATH.",
        ),
        *SITE_FILES,
    ),
    environment=(
        ("FOCUSD_CONFIG_PATH", "The configuration to use where --config is not given."),
        *SITE_ENVIRONMENT,
        ("NO_COLOR", "If this is set, nothing is coloured."),
        ("TERM", "On a terminal that cannot redraw a line (dumb) no bar is shown."),
    ),
    examples=(
        Example("focus stop", "stop whatever it does"),
        Example("focus --config ./test.json status", "ask the daemon of another configuration"),
    ),
    see_also=("focusd(8)", "ok3z-simulator(1)"),
)

FOCUSD = Words(
    section=8,
    description=(
        "focusd owns the serial port of one focuser, and lets other programs move it over Pyro, focus(1) for one. "
        "The loss of its terminal ends it as SIGTERM does. A signal that was ignored when it started (nohup, or a "
        "script's &) stays ignored.",
        "With the key alpaca in its configuration it also serves astronomy programs by Alpaca, and a panel for "
        "browsers. That needs aiohttp.",
        "As a service it runs from the unit focusd@.service, one instance for each file in /etc/focusd.",
        "After a start the focuser is offline until it is homed: `focus init`. After a restart `focus init --resume` "
        "carries on without homing, where it is proven that the controller is as it was left.",
        "It logs to stderr, one line an event; the messages for the observatory's log are on stdout.",
    ),
    exit_status={
        0: "Ended by a signal, with the motor halted; or printed what was asked for.",
        EXIT_FAILURE: "It cannot listen at its address or be called any more, the motor's thread does not end, or a "
        "result cannot be written. The message says which.",
        EXIT_USAGE: "Wrong usage.",
        EXIT_CONFIG: "The configuration cannot be used, and every fault in it is told; or the system lets it open too "
        "few files. systemd does not start it again.",
        EXIT_INTERRUPTED: "Ctrl-C while something was only to be printed.",
    },
    files=(
        (
            "/etc/focusd/*.json",
            "A configuration for each focuser. The name without .json is that of the instance.",
        ),
        *SITE_FILES,
        ("/dev/focuser", "The serial port in the configuration that comes with it; a udev rule makes it."),
        (
            "/var/lib/focusd/INSTANCE/DAEMON.json",
            "How the focuser was left, for `focus init --resume`, and how fast it was seen to run. Only focusd reads "
            "it. It may be deleted: the focuser must then be homed.",
        ),
        ("~/.local/state/focusd/DAEMON.json", "The same, where focusd runs from a shell."),
    ),
    environment=(
        *SITE_ENVIRONMENT,
        ("STATE_DIRECTORY", "The folder of the state file. systemd sets it."),
        ("XDG_STATE_HOME", "Without STATE_DIRECTORY, the state file is in the folder focusd below this one."),
        ("HOME", "Without both, it is in .local/state/focusd below this one."),
        ("RUNTIME_DIRECTORY", "The folder of the note that the state file is out of date. systemd sets it."),
        ("XDG_RUNTIME_DIR", "Without RUNTIME_DIRECTORY, the note is in the folder focusd below this one."),
        (
            "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, JOURNAL_STREAM",
            "Set by systemd: where to tell that the daemon is ready and alive, and how to log.",
        ),
    ),
    examples=(
        Example("focusd --print-port /etc/focusd/ngts_m06.json", "the TCP port to open in the firewall"),
        Example(
            "systemctl enable --now focusd@ngts_m06",
            "serve /etc/focusd/ngts_m06.json now and after each boot",
        ),
        Example("systemctl restart focusd@ngts_m06", "after an upgrade, or a change of the configuration"),
        Example("journalctl -u focusd@ngts_m06", "what it logged"),
    ),
    see_also=("focus(1)", "ok3z-simulator(1)", "systemctl(1)", "firewall-cmd(1)"),
)

SIMULATOR = Words(
    section=1,
    description=(
        "ok3z-simulator makes a pseudo-terminal that answers as the controller does, and points a symbolic link at "
        "it: the serial port for focusd(8) or for any other program. It has a motor, a spindle with backlash, a "
        "limit switch and hard stops. It runs until it is ended, and removes the link.",
        "With --tell it instead says one line to a simulator that runs, and prints the answer as JSON. So is looked "
        "at the device, and made to fail.",
        "The options of the device take a number, a text, or 1 and 0 for yes and no. What holds without them stands "
        "in brackets.",
    ),
    exit_status={
        0: "Ended by SIGTERM, SIGHUP or Ctrl-C; with --tell: it is done.",
        1: "Something cannot be done, or with --tell: nobody answers, or the answer is an error.",
        EXIT_USAGE: "Wrong usage.",
    },
    files=(
        (
            "PATH of --link",
            "A symbolic link to the pseudo-terminal. What is no such link is never overwritten.",
        ),
    ),
    environment=(),
    examples=(
        Example(
            "ok3z-simulator --link /tmp/focuser --control /tmp/ok3z-control --start-mm 1.5",
            "a focuser that stands at 1.5 mm",
        ),
        Example("ok3z-simulator --tell /tmp/ok3z-control state", "what is true of the device"),
        Example(
            "ok3z-simulator --tell /tmp/ok3z-control 'fault lost to=P081 count=3'",
            "three moves are not answered",
        ),
        Example("ok3z-simulator --tell /tmp/ok3z-control 'power-cut 2'", "no power for 2 s"),
    ),
    see_also=("focusd(8)", "focus(1)"),
)

WORDS = {"focus": FOCUS, "focusd": FOCUSD, "ok3z-simulator": SIMULATOR}
