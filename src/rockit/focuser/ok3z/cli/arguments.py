"""The command line of `focus` in full: every command with its options, its help and its complaints."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from typing import NoReturn

from ..client import (
    MOTION_TIMEOUT_S,
    REFERENCE_TIMEOUT_S,
    SHUTDOWN_TIMEOUT_S,
    STATUS_TIMEOUT_S,
    STOP_TIMEOUT_S,
)
from ..version import VERSION
from .options import COMMANDS_FOR_SEVERAL, Options, UsageError
from .suggestions import IN_ORDER, command_for, number_for, option_for

# Written as the shell would: float() alone would also take 1_000 and other scripts' digits.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
NO_FINITE_NUMBER = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
VALUED_OPTIONS = ("--config", "--timeout", "--daemon")
OTHER_OPTIONS = (
    *("--help", "--version", "--all", "--resume", "--restore", "--new-controller"),
    *("--why", "--wait", "--since", "--csv", "--json", "--name", "--hold"),
    *("--owner", "--ttl", "--clear"),
)
DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MEANT_AS_NEGATIVE = re.compile(r"-[\d.]|-(nan|inf)", re.ASCII | re.IGNORECASE)

EPILOG = """\
examples:
  focus init                connect to the focuser and home it
  focus init --resume       the same, without homing if it is not needed
  focus set 2.5             move to 2.5 mm
  focus offset -0.05        move 0.05 mm inward of the current target
  focus status              one line: state and position
  focus watch               the same, live
  focus log                 what has moved since yesterday, and why
  focus moved T0 T1         whether it moved between two moments
  focus stop --all          stop every focuser of the site

Positions are millimetres outward from the inner limit switch, from 0 to focus_range_mm.
The configuration is the file $FOCUSD_CONFIG_PATH, else the single /etc/focusd/*.json.
Ctrl-C during set, offset, term, init and audit stops the focuser.
Exit code: 0 done, 1 failed, 2 another command runs or somebody holds it, 3 not permitted from this
machine, 6 outside the range, 7 not connected, 8 already connected, 155 no daemon answers, 156 ended by
Ctrl-C, 255 wrong usage or configuration. moved: 0 no, 1 yes, 10 unknown. run: that of its command.
"""


DEFAULT_TIMEOUTS = (
    f"{MOTION_TIMEOUT_S:g} s for init, audit, set, offset and term, {STOP_TIMEOUT_S:g} s for stop and kill, "
    f"{REFERENCE_TIMEOUT_S:g} s for reference, {STATUS_TIMEOUT_S:g} s for the others"
)


class Parser(argparse.ArgumentParser):
    """Ends wrong usage in UsageError, where argparse prints its usage and exits with 2."""

    def __init__(self, **settings: object) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}. See `{self.prog} --help`.")


def parse(words: Sequence[str]) -> Options:
    """The options of a command line. Raises UsageError; --help and --version print and raise SystemExit."""
    words = _without_words_for_help(words)
    if _command_in(words) == "stop" and not {"-h", "--help", "--version"} & set(words):
        return _stop_in(words)
    words, program = _without_program(words)
    words = [word for word in words if word != "--"]
    _require_known(words)
    parser = new_parser()
    options = parser.parse_args([_shielded(word) for word in words], namespace=Options())
    _require_one_choice(options)
    options.program = program
    if not options.command:
        raise UsageError(
            f"focus: a command is missing. See `focus --help`.\n{parser.format_usage().rstrip()}"
        )
    return options


def _command_in(words: Sequence[str]) -> str:
    """The first word that is a command, and no value of an option; empty if there is none."""
    left = list(words)
    while left:
        word = left.pop(0)
        if word in VALUED_OPTIONS:
            del left[:1]
        elif word in IN_ORDER:
            return word
    return ""


def _stop_in(words: Sequence[str]) -> Options:
    """Whoever wants a stop gets one, whatever else was typed: what cannot be understood is ignored."""
    options = Options("stop")
    left = list(words)
    command_seen = False
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if word == "stop" and not command_seen:
            command_seen = True
        elif word == "--all":
            options.all = True
        elif name in VALUED_OPTIONS:
            given = [value] if equals else left[:1]
            del left[: 0 if equals else 1]
            if not (given and _take(options, name, given[0])):
                options.ignored += [word] if equals else [word, *given]
        else:
            options.ignored.append(word)
    return options


def _take(options: Options, name: str, value: str) -> bool:
    """Give an option its value; False if it can be none."""
    if name == "--timeout":
        try:
            options.timeout_s = _seconds(value)
        except argparse.ArgumentTypeError:
            return False
    elif name == "--config":
        options.config = value
    else:
        options.daemon = value
    return True


def _require_one_choice(options: Options) -> None:
    """Complain of what does not say clearly which focusers are meant. Raises UsageError."""
    given = [name for name in ("all", "daemon", "config") if getattr(options, name) not in (None, False)]
    chosen = " and ".join(f"--{name}" for name in given)
    if options.means_several and len(given) > 1:
        raise UsageError(f"focus: {chosen} exclude each other. See `focus --help`.")
    if options.means_several:
        _require_several(options.command, chosen)


def _require_several(command: str | None, chosen: str) -> None:
    if command not in ("", None, *COMMANDS_FOR_SEVERAL):
        raise UsageError(f"focus {command}: {chosen} is for status, json and stop. See `focus --help`.")


def millimetres(options: Options) -> float:
    """The one number of `set` and `offset`; NaN if the text means no finite number. Raises UsageError."""
    command, words = options.command, options.number
    meant = number_for(words)
    example = "focus set 2.5" if command == "set" else "focus offset -0.25"
    hint = f"Did you mean `focus {command} {meant}`?" if meant else f"Example: `{example}`."
    if len(words) != 1:
        given = "none was given" if not words else f"{len(words)} were given ({' '.join(words).strip()})"
        raise UsageError(f"focus {command}: one number of mm is needed, {given}. {hint}")
    text = words[0].strip()
    if NO_FINITE_NUMBER.fullmatch(text):
        return math.nan
    if not NUMBER.fullmatch(text):
        raise UsageError(f"focus {command}: {text!r} is no number of millimetres. {hint}")
    return float(text)


def _without_program(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Apart, what `focus run` is to run: its words are another program's."""
    if "--" not in words or next((word for word in words if word in IN_ORDER), "") != "run":
        return words, ()
    at = list(words).index("--")
    return words[:at], words[at + 1 :]


def _without_words_for_help(words: Sequence[str]) -> Sequence[str]:
    """`focus help`, `focus help set` and `focus version` as options."""
    if words[:1] == ["help"]:
        return [*words[1:2], "--help"]
    return ["--version"] if words == ["version"] else words


def _require_known(words: Sequence[str]) -> None:
    """Complain of what is no command and of what is no option, as somebody who knows what was meant. Raises UsageError.

    argparse would take the value of an option that it does not know for the command.
    """
    options = [*VALUED_OPTIONS, *OTHER_OPTIONS]
    left = list(words)
    command = ""
    while left:
        word = left.pop(0)
        if _looks_like_an_option(word):
            name = word.partition("=")[0]
            if name not in options:
                meant = option_for(word, options)
                hint = f" Did you mean `{meant}`?" if meant else ""
                raise UsageError(f"focus: there is no option {word}.{hint} See `focus --help`.")
            if name in ("--all", "--daemon"):
                _require_several(command, name)
            if word in VALUED_OPTIONS:
                del left[:1]
        elif not command and not word.startswith("-"):
            if word not in IN_ORDER:
                raise UsageError(_no_such_command(word, left))
            command = word


def _looks_like_an_option(word: str) -> bool:
    # `-h` is one, and argparse's; `-config` is meant as one.
    return word.startswith("-") and len(word) > 2 and not MEANT_AS_NEGATIVE.match(word)


def _no_such_command(word: str, others: Sequence[str]) -> str:
    meant = command_for(word)
    if not meant and number_for([word, *others]):
        meant, others = "set", [word, *others]
    said = f"focus: there is no command {word!r}."
    if not meant:
        return f"{said} See `focus --help`."
    number = number_for(others) if meant in ("set", "offset") else ""
    return f"{said} Did you mean `{' '.join(filter(None, ('focus', meant, number)))}`? See `focus --help`."


def _shielded(word: str) -> str:
    """A negative number behind a space: argparse takes that for a value, but -1e-2 for an option."""
    return f" {word}" if MEANT_AS_NEGATIVE.match(word) else word


def _seconds(text: str) -> float:
    if not NUMBER.fullmatch(text.strip()):
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is no number of seconds")
    seconds = float(text)
    # More than this overflows the system's own clock types.
    if not 0 <= seconds <= 1e6:
        raise argparse.ArgumentTypeError(f"{text.strip()} s is not within 0 (no limit) and 1000000 s")
    return seconds


def new_parser() -> Parser:
    parser = Parser(
        prog="focus",
        usage="focus [--config FILE | --all | --daemon PATTERN] [--timeout S] command ...",
        description="Control the telescope's focuser.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"focus {VERSION}")
    _add_common(parser, default=None)
    _add_several(parser, default=None)
    commands = parser.add_subparsers(dest="command", metavar="command", prog="focus", parser_class=Parser)
    motion = f"{MOTION_TIMEOUT_S:g} s"
    initialize = _add_command(
        commands,
        "init",
        "connect and home",
        "Connect to the focuser, home it and wait until it is homed. Ctrl-C stops it.\n"
        "After a restart of the daemon --resume saves the homing, if the controller is exactly as it was left.",
        "examples:\n  focus init\n  focus init --resume\n  focus init --resume --restore",
        motion,
        flags="[--resume] [--restore] [--new-controller] ",
    )
    initialize.add_argument(
        "--resume",
        action="store_true",
        help="carry on without homing if the controller is as it was left; home otherwise",
    )
    initialize.add_argument(
        "--restore", action="store_true", help="then return to the last position that was reached"
    )
    initialize.add_argument(
        "--new-controller",
        action="store_true",
        help="forget how fast the controller before it ran; say it once, after the controller was exchanged",
    )
    setting = _add_command(
        commands,
        "set",
        "move to a position",
        "Move to a position and wait for the arrival. Ctrl-C stops the focuser.\n"
        "Positions are millimetres outward from the inner limit switch, from 0 to focus_range_mm.",
        'examples:\n  focus set 2.5\n  focus set 2.5 --why "filter R"\n  focus set 0 --timeout 60',
        motion,
        number="position in mm",
        flags="[--why TEXT] [--wait S] ",
    )
    _add_motion_options(setting)
    offset = _add_command(
        commands,
        "offset",
        "move by a distance",
        "Move by a distance and wait for the arrival. Ctrl-C stops the focuser.\n"
        "The distance counts from the current target, positive outward.",
        "examples:\n  focus offset 0.1\n  focus offset -0.25",
        motion,
        number="distance in mm",
        flags="[--why TEXT] [--wait S] ",
    )
    _add_motion_options(offset)
    _add_command(
        commands,
        "stop",
        "stop any movement",
        "Stop any movement, homing included, and wait for the standstill.",
        "example:\n  focus stop",
        f"{STOP_TIMEOUT_S:g} s",
    )
    _add_command(
        commands,
        "status",
        "print state and position",
        "Print state and position in one line. If there is more to say (why the focuser is offline, how\n"
        "homing gets on), indented lines follow; they go to stderr if stdout is not a terminal.",
        "examples:\n  focus status\n  ssh telescope focus status",
        f"{STATUS_TIMEOUT_S:g} s",
    )
    _add_command(
        commands,
        "json",
        "print the status as JSON",
        "Print everything that the daemon reports as one line of JSON.",
        "examples:\n  focus json\n  focus json | jq .current_mm",
        f"{STATUS_TIMEOUT_S:g} s",
    )
    _add_command(
        commands,
        "audit",
        "count lost steps",
        "Home again, say how many steps were lost since the last homing, and return to the position.\n"
        "Ctrl-C stops the focuser.",
        "example:\n  focus audit",
        motion,
    )
    _add_command(
        commands,
        "kill",
        "disconnect; init connects again",
        "Disconnect the daemon from the focuser. The daemon itself keeps running. Afterwards nothing can be moved\n"
        "before focus init.",
        "example:\n  focus kill",
        f"{SHUTDOWN_TIMEOUT_S:g} s",
    )
    _add_command(
        commands,
        "record",
        "keep what went over the wire",
        "Have the daemon write the last 8000 frames between it and the controller into a file on its machine: for\n"
        "whoever looks for the cause of something odd. After a fault it does so by itself.",
        "example:\n  focus record",
        f"{STATUS_TIMEOUT_S:g} s",
    )
    reference = _add_command(
        commands,
        "reference",
        "say that the focus is good now",
        "Have the daemon take the temperature of now as that of a good focus: what it corrects for the temperature\n"
        "counts from here. After an autofocus. Nothing moves.",
        'examples:\n  focus reference\n  focus reference --why "autofocus, filter R"',
        f"{REFERENCE_TIMEOUT_S:g} s",
        flags="[--why TEXT] ",
    )
    reference.add_argument("--why", metavar="TEXT", default="", help="what for, for the history")
    _add_command(
        commands,
        "watch",
        "show the status live",
        "Show state, position, target, speed and time left until Ctrl-C. Waits for a daemon that is away.\n"
        "If stdout is not a terminal, every change is a line that begins with its UTC time.",
        "examples:\n  focus watch\n  focus watch >> focus.log",
        f"{STATUS_TIMEOUT_S:g} s",
    )
    _add_history_commands(commands)
    _add_term_commands(commands, motion)
    return parser


def _add_motion_options(parser: Parser) -> None:
    parser.add_argument("--why", metavar="TEXT", default="", help="what for, for the history")
    parser.add_argument(
        "--wait",
        metavar="S",
        dest="wait_s",
        type=_seconds,
        default=0.0,
        help="seconds to wait while others hold the focuser (default: 0)",
    )


def _add_history_commands(commands: argparse._SubParsersAction[Parser]) -> None:
    status = f"{STATUS_TIMEOUT_S:g} s"
    log = _add_command(
        commands,
        "log",
        "print what has moved",
        "Print the history: what has moved, who asked for it and why, stops, lost links, and starts of the daemon.\n"
        "Times are UTC.",
        "examples:\n  focus log\n  focus log --since 12h\n  focus log --since 2026-11-22T18:00 --csv > night.csv",
        status,
        flags="[--since TIME] [--csv | --json] ",
    )
    log.add_argument(
        "--since",
        metavar="TIME",
        default="1d",
        help="from when on: 90s, 30m, 12h or 1d ago, or a moment in UTC (default: 1d)",
    )
    form = log.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="as CSV")
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    moved = _add_command(
        commands,
        "moved",
        "say whether it moved",
        "Say whether the focuser moved between two moments, and exit with 0 if it did not, with 1 if it did, and\n"
        "with 10 if that is not known. Moments are ISO text in UTC, or Unix seconds.",
        "examples:\n  focus moved 2026-11-22T20:00:00Z 2026-11-22T20:01:00Z\n  focus moved 1795377600 1795377660",
        status,
        flags="T0 T1 ",
    )
    moved.add_argument("t0", metavar="T0", help="the beginning")
    moved.add_argument("t1", metavar="T1", help="the end")
    hold = _add_command(
        commands,
        "hold",
        "keep it from moving",
        "Have nothing move for some seconds, and print a token: whoever has it may release the hold. Stops pass.",
        "example:\n  focus hold 60 --name cam1",
        status,
        flags="SECONDS --name NAME ",
    )
    hold.add_argument("seconds", metavar="SECONDS", type=_seconds, help="how long, at most 600")
    hold.add_argument("--name", metavar="NAME", required=True, help="who holds it, for those who are refused")
    release = _add_command(
        commands,
        "release",
        "let it move again",
        "End a hold.",
        "example:\n  focus release 6b1f0c9e5a2d4477",
        status,
        flags="TOKEN ",
    )
    release.add_argument("token", metavar="TOKEN", help="what hold has printed")
    run = _add_command(
        commands,
        "run",
        "run a program while nothing moves",
        "Hold the focuser, run a program, and release it. The hold lasts as long as the program does; the exit code\n"
        "is the program's, or 2 if the focuser moves and it was not run.",
        "example:\n  focus run --hold cam1 -- expose 60 m31.fits",
        status,
        flags="--hold NAME ",
        rest=" -- COMMAND ...",
    )
    run.add_argument(
        "--hold", metavar="NAME", dest="name", required=True, help="who holds it, for those who are refused"
    )


def _add_term_commands(commands: argparse._SubParsersAction[Parser], motion: str) -> None:
    _add_command(
        commands,
        "terms",
        "list the corrections",
        "List the terms, which are corrections of several programs that add up: what each adds, whose it is, since\n"
        "when, and what the base is.",
        "example:\n  focus terms",
        f"{STATUS_TIMEOUT_S:g} s",
    )
    term = _add_command(
        commands,
        "term",
        "set or clear a correction",
        "Set a term, or clear it, and wait until the focuser stands at the sum. Ctrl-C stops the focuser; the term is\n"
        "as it was then. Without --owner a term is cleared whosever it is.",
        "examples:\n  focus term filter 0.12 --owner me\n  focus term filter -0.03 --owner me --ttl 1h\n"
        "  focus term --clear filter",
        motion,
        flags="[NAME MM | --clear NAME] [--owner OWNER] [--ttl TIME] ",
    )
    # Counted by terms.term(): argparse's own complaints do not say what to write.
    term.add_argument(
        "words", metavar="NAME MM", nargs="*", help="what it corrects, and by how many mm outward"
    )
    term.add_argument("--owner", metavar="OWNER", default="", help="whose it is: no other may change it")
    term.add_argument(
        "--ttl",
        metavar="TIME",
        dest="ttl_s",
        type=duration_s,
        default=None,
        help="how long it lasts: 90s, 30m, 12h or 1d (default: until it is cleared)",
    )
    term.add_argument("--clear", metavar="NAME", default="", help="clear this one")


def duration_s(text: str) -> float:
    """A time such as 90s or 12h, in seconds. Raises argparse's error for anything else."""
    found = DURATION.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text.strip()!r} is no time. Examples: 90s, 30m, 12h, 1d")
    return float(found[1]) * SECONDS[found[2]]


def _add_command(
    commands: argparse._SubParsersAction[Parser],
    name: str,
    summary: str,
    description: str,
    examples: str,
    default_timeout: str,
    number: str = "",
    flags: str = "",
    rest: str = "",
) -> Parser:
    if name in COMMANDS_FOR_SEVERAL:
        flags = "[--all | --daemon PATTERN] "
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        usage=f"focus {name} {'MM ' if number else ''}{flags}[--config FILE] [--timeout S]{rest}",
    )
    if number:
        # Counted by millimetres(): argparse's own complaints do not say what to write.
        parser.add_argument("number", metavar="MM", nargs="*", help=number)
    # SUPPRESS: without the option, what stood before the command must remain.
    _add_common(parser, default=argparse.SUPPRESS, default_timeout=default_timeout)
    if name in COMMANDS_FOR_SEVERAL:
        _add_several(parser, default=argparse.SUPPRESS)
    return parser


def _add_several(parser: Parser, default: str | None) -> None:
    parser.add_argument(
        "--all",
        action="store_true",
        default=default,
        help="every focuser of rockit.common.daemons, for status, json and stop",
    )
    parser.add_argument(
        "--daemon",
        metavar="PATTERN",
        default=default,
        help="the same, of those with such a name: a name, or a pattern such as 'ngts_*'",
    )


def _add_common(parser: Parser, default: str | None, default_timeout: str = DEFAULT_TIMEOUTS) -> None:
    parser.add_argument("--config", metavar="FILE", default=default, help="JSON file of the focuser's daemon")
    parser.add_argument(
        "--timeout",
        metavar="S",
        dest="timeout_s",
        type=_seconds,
        default=default,
        help=f"seconds to wait for the daemon's answer, 0: no limit (default: {default_timeout})",
    )
