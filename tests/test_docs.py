"""The pages say what the code does: links, messages, tables and numbers that could drift apart are compared."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import rockit.focuser.ok3z as ok3z
from rockit.focuser.ok3z.cli.options import EXIT_CODES
from rockit.focuser.ok3z.commission.trials import TRIALS
from rockit.focuser.ok3z.constants import CommandStatus, FocuserStatus
from rockit.focuser.ok3z.daemon import main as daemon
from rockit.focuser.ok3z.driver import protocol
from rockit.focuser.ok3z.driver.planning import Leg
from rockit.focuser.ok3z.driver.rates import Ratios
from rockit.focuser.ok3z.servers.pyro import PyroFocuser, measurement, report
from rockit.focuser.ok3z.service.status import Audit, Confidence, Snapshot, State, Trust
from rockit.focuser.ok3z.version import VERSION
from tests.support.markdown import PROJECT, blocks, code, page, rows
from tests.support.processes import run

PACKAGE = PROJECT / "src/rockit/focuser/ok3z"
PAGES = sorted(
    path
    for where in ("*.md", "docs/**/*.md", "common/*.md", "tests/*.md", "tests/*/*.md", "monitoring/**/*.md")
    for path in PROJECT.glob(where)
)
SOURCES = sorted([*PROJECT.glob("src/**/*.py"), *PROJECT.glob("common/src/**/*.py")])
SCRIPTS = [PROJECT / "Makefile", PROJECT / "packaging/run-from-clone"]
# What a page may name outside the clone.
SYSTEM_FOLDERS = {"/dev/", "/etc/", "/tmp/", "/usr/", "/var/"}


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)


# Links and paths


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", prose(path.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_lead_somewhere() -> None:
    links = [
        (path, target)
        for path in PAGES
        for target in re.findall(r"\]\(([^)]+)\)", prose(path.read_text(encoding="utf-8")))
        if not re.match(r"https?://", target)
    ]
    assert len(links) > 100
    for path, target in links:
        file, _, anchor = target.partition("#")
        destination = (path.parent / file).resolve() if file else path
        assert destination.exists(), (path, target)
        assert not anchor or anchor in anchors(destination), (path, target)


def test_pages_that_are_cited_exist() -> None:
    tests = [*PROJECT.glob("tests/**/*.py"), *PROJECT.glob("common/tests/*.py")]
    tools = [
        path for folder in ("packaging", "bench") for path in (PROJECT / folder).glob("*") if path.is_file()
    ]
    named = {
        (name, path.name)
        for path in (*PAGES, *SOURCES, *tests, *tools)
        for name in re.findall(r"\bdocs/[\w/-]+\.(?:md|svg)\b", path.read_text(encoding="utf-8"))
    }
    assert [(name, source) for name, source in sorted(named) if not (PROJECT / name).exists()] == []


def test_no_page_names_a_folder_of_one_machine() -> None:
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|[\s`\"'(=])(/[a-z][\w.-]*/)", text, flags=re.MULTILINE))
        assert named <= SYSTEM_FOLDERS, path


# Messages


def string_constants(tree: ast.AST) -> Iterator[str]:
    """Every text in a module but its docstrings; `…` stands where a value is put in."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


@cache
def messages() -> str:
    texts = [re.sub(r"\$\{?\w+\}?|%s", "…", path.read_text(encoding="utf-8")) for path in SCRIPTS]
    for path in [*SOURCES, PROJECT / "packaging/demo"]:
        texts += string_constants(ast.parse(path.read_text(encoding="utf-8")))
    return "\n".join(texts)


@pytest.mark.parametrize("name", ["README.md", "docs/troubleshooting.md"])
def test_every_quoted_message_is_in_the_code(name: str) -> None:
    quoted = [text for row in rows(page(name), "Message") for text in code(row["Message"])]
    assert len(quoted) > 20
    # Where a message goes on, the page may leave it.
    assert [text for text in quoted if text.rstrip(" …") not in messages()] == []


def test_every_refusal_is_explained_in_the_readme() -> None:
    quoted = " ".join(row["Message"] for row in rows(page("README.md"), "Message"))
    assert [text for text in CommandStatus._messages.values() if f"`{text}`" not in quoted] == []


# Tables


def members(cls: type) -> dict[str, int]:
    return {name: value for name, value in vars(cls).items() if name[0] != "_" and isinstance(value, int)}


def published_numbers() -> dict[int, str]:
    return {number: name for name, number in members(CommandStatus).items()}


def test_command_statuses() -> None:
    described = {
        int(row["Number"]): (code(row["`CommandStatus`"])[0], row["Text"])
        for row in rows(page("docs/pyro.md"), "Number")
    }
    assert described == {
        number: (name, CommandStatus.message(number)) for number, name in published_numbers().items()
    }


def test_focuser_statuses() -> None:
    described = {
        name: (int(row[""]), *code(row["Label"]))
        for row in rows(page("docs/pyro.md"), "`FocuserStatus`")
        for name in code(row["`FocuserStatus`"])
    }
    assert described == {
        name: (number, FocuserStatus.label(number)) for name, number in members(FocuserStatus).items()
    }


@pytest.mark.parametrize(("name", "title"), [("README.md", "Exit code"), ("docs/commands.md", "Code")])
def test_exit_codes(name: str, title: str) -> None:
    described = [int(row[title]) for row in rows(page(name), title)]
    assert described == sorted({number % EXIT_CODES for number in published_numbers()} | {255})


def test_methods() -> None:
    described = [
        re.match(r"`(\w+)\(", row["Call"]) for row in rows(page("docs/pyro.md"), "Call", "What it does")
    ]
    exposed = [name for name, method in vars(PyroFocuser).items() if getattr(method, "_pyroExposed", False)]
    assert [match and match[1] for match in described] == exposed


def reports() -> Iterator[tuple[Snapshot, dict[str, Any]]]:
    now = datetime(2026, 11, 22, tzinfo=timezone.utc)
    for state in State:
        for steps in (None, 10):
            snapshot = Snapshot(
                *(state, "why", steps, steps, Leg(9), 0.5, 3.0, 1.0, 7, 2.0),
                confidence=Confidence(Trust.RESUMED, "why", "then"),
                audit=Audit("now", "then", 3),
                state_file_problem="why",
                ratios=Ratios(2.0, 0.5, 41, 437),
            )
            yield snapshot, report(snapshot, 0.1, now, alpaca_problem="why", range_mm=6.0)
    yield Snapshot(), report(Snapshot(), None, now, range_mm=6.0)


def test_keys_of_the_status() -> None:
    described = {code(row["Key"])[0]: row["When"] for row in rows(page("docs/pyro.md"), "Key", "When")}
    assert set(described) == {key for _, answer in reports() for key in answer}
    for key, when in described.items():
        present = [(answer["status"], answer["moving"]) for _, answer in reports() if key in answer]
        assert (when == "always") == (len(present) == len(list(reports())))
        assert ("`status` is not 0" in when) == all(status for status, _ in present)
        assert (key in ("speed_mm_sec", "time_left_s", "leg", "homing_travelled_mm")) == all(
            moving for _, moving in present
        )


def test_keys_of_a_measurement() -> None:
    answer = measurement(Snapshot(), (), None, datetime(2026, 11, 22, tzinfo=timezone.utc))
    described = [
        code(row["Key of `last_measurement`"])[0]
        for row in rows(page("docs/pyro.md"), "Key of `last_measurement`")
    ]
    assert described == [key for key in answer if not key.endswith("_valid")]


def test_states_and_their_status() -> None:
    described = {
        code(row["`state`"])[0]: int(row["`status`"].split()[0])
        for row in rows(page("docs/pyro.md"), "`state`")
    }
    known = {snapshot.state: answer["status"] for snapshot, answer in reports() if snapshot.current_steps}
    assert described == {state.value: status for state, status in known.items()}


def test_configuration_keys() -> None:
    schema = json.loads((PACKAGE / "config/schema.json").read_text())
    example = json.loads(page("ngts_m06.json"))
    described = {
        code(row["Key"])[0]: code(row["NGTS M06"]) for row in rows(page("README.md"), "Key", "NGTS M06")
    }
    assert list(described) == list(schema["properties"])
    assert {key: json.loads(value[0]) for key, value in described.items() if value} == example
    optional = set(schema["properties"]) - set(schema["required"])
    assert optional == {
        "travel_mm",
        "restore_on_init",
        "resume_on_init",
        "resume_max_age_h",
        "hand",
        "alpaca",
        "metrics",
    }
    assert json.loads(blocks(page("docs/configuration.md"), "json")[0]) == example


def test_the_packaged_configuration_has_no_key_that_an_older_focus_refuses() -> None:
    schema = json.loads((PACKAGE / "config/schema.json").read_text())
    assert set(json.loads(page("ngts_m06.json"))) == set(schema["required"])
    (paragraph,) = re.findall(
        r"^\*\*Update the clients first\.\*\*.*?\n\n", page("docs/deployment.md"), re.S | re.M
    )
    assert {"travel_mm", "restore_on_init", "alpaca", "ngts_m06.json"} <= set(code(paragraph))


@pytest.mark.parametrize("name", ["README.md", "docs/commands.md"])
def test_commands(name: str) -> None:
    described = [code(row["Command"])[0].split()[1] for row in rows(page(name), "Command")]
    helped = run("focus", "--help").stdout
    assert sorted(described) == sorted(re.findall(r"^    (\w+) ", helped, flags=re.MULTILINE))


def test_options_of_focusd() -> None:
    described = set(
        re.findall(r"--[a-z-]+", next(text for text in blocks(page("README.md"), "") if "--verbose" in text))
    )
    told = {
        word
        for word, action in daemon.new_parser()._option_string_actions.items()
        if word.startswith("--") and action.help != argparse.SUPPRESS
    }
    assert described == told - {"--help"}


def test_make_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), flags=re.MULTILINE))
    assert (
        set(re.findall(r"\bmake ([a-z-]+)$", "\n".join(blocks(page("README.md"), "")), flags=re.MULTILINE))
        <= targets
    )


def test_constants_that_pages_quote() -> None:
    quoted = [
        (path.name, module, name, value)
        for path in PAGES
        for module, name, value in re.findall(
            r"`([\w.]+)\.([A-Z_]+)`(?: \(| \| )(\d[\d.]*)", path.read_text(encoding="utf-8")
        )
    ]
    assert len(quoted) > 20
    for source, module, name, value in quoted:
        known = getattr(importlib.import_module(f"rockit.focuser.ok3z.{module}"), name)
        assert float(value) == known, f"{source} says that {module}.{name} is {value}"


def test_frames() -> None:
    described = {code(row["Send"])[0]: row for row in rows(page("docs/protocol.md"), "Send")}
    numbered = [
        f(1) for f in (protocol.go_to, protocol.maximum_speed, protocol.acceleration, protocol.deceleration)
    ]
    commands = [
        *numbered,
        protocol.run_to_limit_switch(1),
        protocol.HALT,
        protocol.RELEASE,
        protocol.MICROSTEP_MODE,
    ]
    sent = {f"{one.code} {re.sub('1$', 'n', one.argument)}".strip() for one in commands}
    assert set(described) == sent | {query.code for query in protocol.QUERIES}
    for query in protocol.QUERIES:
        assert described[query.code]["Kind"] == "query"
        assert code(described[query.code]["Answer"])[0] == query.reply_code
    for written in sent:
        assert described[written]["Kind"].startswith("command")
        assert described[written]["Answer"] == ""


# Architecture and decisions


def test_every_folder_has_its_paragraph() -> None:
    described = {
        code(row["Folder"])[0].rstrip("/")
        for row in rows(page("docs/architecture.md"), "Folder", "What it is")
    }
    assert described == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


@pytest.mark.parametrize("words", [[], ["servers"]])
def test_the_house_is_drawn_as_it_is(words: list[str]) -> None:
    drawn = run("python", PROJECT / "docs/house.py", *words, timeout_s=50).stdout
    assert drawn
    assert f"```mermaid\n{drawn}```" in page("docs/architecture.md")


def test_files_that_the_architecture_names_are_there() -> None:
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.(?:py|json))`", page("docs/architecture.md"))
    assert len(named) > 20
    assert [name for name in named if not ((PACKAGE / name).exists() or (PROJECT / name).exists())] == []


def test_folders_of_tests_that_the_architecture_names_are_there_and_none_is_left_out() -> None:
    named = {
        name
        for row in rows(page("docs/architecture.md"), "Folder or file")
        for name in code(row["Folder or file"])
    }
    assert [name for name in named if not list(PROJECT.glob(name))] == []
    tests = {path.parent for path in PROJECT.glob("tests/*/**/test_*.py")}
    covered = [PROJECT / name for name in named]
    assert [path for path in sorted(tests) if not any(path.is_relative_to(one) for one in covered)] == []


def test_every_promise_names_its_tests_and_every_decision_has_a_promise() -> None:
    promises = rows(page("tests/README.md"), "Promise", "From", "Tests")
    assert len(promises) >= 40
    for row in promises:
        assert code(row["Tests"]), row["Promise"]
        assert [name for name in code(row["Tests"]) if not (PROJECT / name).is_file()] == [], row["Promise"]
    cited = {name for row in promises for name in re.findall(r"/decisions/([\w.-]+)\)", row["From"])}
    assert cited == {path.name for path in PROJECT.glob("docs/decisions/*.md")}


def test_make_help_names_every_target() -> None:
    told = run("/usr/bin/env", "make", "--no-print-directory", "help", cwd=PROJECT).stdout
    assert [line.split()[0] for line in told.splitlines()] == [
        target
        for target in re.findall(r"^([a-z-]+):", page("Makefile"), flags=re.MULTILINE)
        if target != "help"
    ]


def test_the_python_page_names_what_a_program_can_use() -> None:
    described = {}
    for row in rows(page("docs/python.md"), "Method"):
        name, _, arguments = code(row["Method"])[0].rstrip(")").partition("(")
        described[name] = [word.partition("=")[0] for word in arguments.split(", ") if word]
        parameters = inspect.signature(getattr(ok3z.RemoteFocuser, name)).parameters
        assert ["self", *described[name], "timeout_s"] == list(parameters)
        assert row["Waits at most"] == f"{parameters['timeout_s'].default:g} s"
    assert set(described) == {name for name in vars(ok3z.RemoteFocuser) if name[0] != "_"}
    fields = {field.name for field in dataclasses.fields(ok3z.Status)} | {"idle", "label"}
    (paragraph,) = re.findall(
        r"^A `Status` has .*?\n\n", page("docs/python.md"), flags=re.DOTALL | re.MULTILINE
    )
    assert set(code(paragraph)) - {"Status", "FocuserStatus"} == fields


def test_the_python_page_names_every_exception_and_says_what_they_are() -> None:
    described = [code(row["Exception"])[0] for row in rows(page("docs/python.md"), "Exception")]
    errors = {
        name
        for name in ok3z.__all__
        if isinstance(getattr(ok3z, name), type) and issubclass(getattr(ok3z, name), ok3z.FocuserError)
    }
    assert set(described) == errors - {"FocuserError", "CallError"}
    first = described.index("DaemonUnreachableError")
    assert [issubclass(getattr(ok3z, name), ok3z.CallError) for name in described] == [
        number >= first for number in range(len(described))
    ]


def test_decisions_are_numbered_and_have_one_form() -> None:
    paths = sorted(PROJECT.glob("docs/decisions/*.md"))
    for number, path in enumerate(paths, start=1):
        assert path.name.startswith(f"{number:04d}-")
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == [
            "Context",
            "Decision",
            "Considered",
            "Consequences",
        ]


def test_the_version_is_the_newest_of_the_changelog() -> None:
    version, date = re.findall(r"^## \[([\d.]+)\] - (.*)$", page("CHANGELOG.md"), flags=re.MULTILINE)[0]
    assert version == VERSION
    assert datetime.strptime(date, "%Y-%m-%d") < datetime.now()


def test_the_figures_of_the_readme_are_those_that_were_measured() -> None:
    told = {row["Measured"]: row for row in rows(page("README.md"), "Measured")}
    stop, positions, inward = told.values()

    halts = [
        row
        for row in rows(page("docs/performance.md"), "Figure", "Unit", "n")
        if "call to halt at" in row["Figure"]
    ]
    slowest, n = max(float(row["Max"]) for row in halts), sum(int(row["n"]) for row in halts)
    assert stop[""] == f"{slowest:.1f} ms, the slowest of {n}"
    assert stop["Its limit"].startswith(f"{float(halts[0]['Limit']):.1f} ms: ")

    (judged,) = [
        row
        for row in rows(page("docs/reliability.md"), "What must hold")
        if "true one" in row["What must hold"]
    ]
    assert positions[""] == f"{judged['Violated']} of {judged['Judged']} that were judged"
    (actions,) = re.findall(
        r"^Version .*?, (\d+) actions in ", page("docs/reliability.md"), flags=re.MULTILINE
    )
    faults = sum(int(row["Times"]) for row in rows(page("docs/reliability.md"), "Fault", "Times"))
    asked = next(name for name, row in told.items() if row is positions)
    assert f" {actions} actions, {faults} of them faults" in asked

    moves = {row["Figure"]: row for row in rows(page("docs/performance.md"), "Figure", "Unit", "n")}
    over = [float(row["Median"]) for name, row in moves.items() if name.endswith(" mm inward")]
    line = sum(
        float(moves[f"{gap}: bytes on the line"]["Median"])
        for gap in ("before the first leg", "after the last leg")
    )
    assert inward[""] == f"{sum(over) / len(over):.0f} ms"
    assert inward["Its limit"].startswith(f"{line:.0f} ms: ")


def test_the_first_night_quotes_messages_of_the_code() -> None:
    quoted = [text for row in rows(page("docs/first-night.md"), "Message") for text in code(row["Message"])]
    assert len(quoted) > 15
    pieces = [
        piece.strip() for text in quoted for piece in re.split(r"…[.:;]*", text) if len(piece.strip()) > 2
    ]
    assert [piece for piece in pieces if piece not in messages()] == []


def test_the_first_night_tells_each_trial_in_its_order() -> None:
    told = [text for row in rows(page("docs/first-night.md"), "Trial") for text in code(row["Trial"])]
    assert told == [trial.name for trial in TRIALS]
