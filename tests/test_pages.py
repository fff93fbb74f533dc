"""Manual pages and completions: whatever the parsers have is in them, and what they say beside that is true."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rockit.focuser.ok3z.cli import arguments
from rockit.focuser.ok3z.cli import main as cli
from rockit.focuser.ok3z.daemon import main as daemon
from rockit.focuser.ok3z.simulator import program as simulator

PROJECT = Path(__file__).parents[1]
GENERATOR = PROJECT / "packaging/pages"
MODULES = ("bash", "fish", "manual", "parsers", "program", "reader", "roff", "words", "zsh")
PROGRAMS = ("focus", "focusd", "ok3z-simulator")
FILES = {
    "man/focus.1",
    "man/focusd.8",
    "man/ok3z-simulator.1",
    *(f"completions/{name}.{shell}" for name in ("focus", "focusd") for shell in ("bash", "fish")),
    "completions/_focus",
    "completions/_focusd",
}
DATE = "2026-11-22"
# Whatever one of roff, bash, zsh and fish could take for something else.
HOSTILE = ".'\"\\$`-[x]:%(y)é"
BOUND_S = 60


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of the generator, which are no part of the package."""
    monkeypatch.syspath_prepend(str(PROJECT / "packaging"))
    return SimpleNamespace(**{name: importlib.import_module(f"pages.{name}") for name in MODULES})


def run(
    *words: str, python: tuple[str, ...] = (sys.executable, "-S"), **environment: str
) -> subprocess.CompletedProcess[str]:
    """The generator as a build runs it. -S: without any installed package."""
    return subprocess.run(
        [*python, str(GENERATOR), *words],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )


def written(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def plain(roff: str) -> str:
    """Roff as it is read: without fonts, with the characters that escapes stand for."""
    return re.sub(r"\\(f[BIR]|\(..|\[u[0-9A-F]+\]|.)", lambda found: character(found.group(1)), roff)


def character(escape: str) -> str:
    known = {
        "-": "-",
        "(aq": "'",
        "(dq": '"',
        "(ga": "`",
        "(ha": "^",
        "(ti": "~",
        "(rs": "\\",
        "&": "",
        '"': '\\"',
    }
    if escape.startswith("["):
        return chr(int(escape[2:-1], 16))
    return known.get(escape, "" if escape.startswith("f") else "(an escape that is none)")


def made(pages: Any, name: str, parser: argparse.ArgumentParser) -> dict[str, str]:
    words = pages.words.WORDS[name]
    files: dict[str, str] = pages.program.pages_of(pages.reader.read(parser, words.usage), words, DATE)
    return files


# The command


def test_it_writes_every_file_without_any_installed_package(tmp_path: Path) -> None:
    ended = run(str(tmp_path / "new/folder"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert set(written(tmp_path / "new/folder")) == FILES


def test_pyro_is_really_absent_there() -> None:
    command = [sys.executable, "-S", "-c", "import Pyro4"]
    assert subprocess.run(command, env={}, capture_output=True, timeout=BOUND_S).returncode != 0


def test_with_pyro_it_writes_the_same(tmp_path: Path) -> None:
    for folder, python in (("with", (sys.executable,)), ("without", (sys.executable, "-S"))):
        assert run(str(tmp_path / folder), python=python, SOURCE_DATE_EPOCH="0").returncode == 0
    assert written(tmp_path / "with") == written(tmp_path / "without")


def test_only_its_own_files_are_overwritten(tmp_path: Path) -> None:
    for name in ("focus.1", "other.1"):
        (tmp_path / "man").mkdir(exist_ok=True)
        (tmp_path / "man" / name).write_text("old", encoding="utf-8")
    assert run(str(tmp_path)).returncode == 0
    files = written(tmp_path)
    assert set(files) == {*FILES, "man/other.1"}
    assert files["man/other.1"] == "old"
    assert files["man/focus.1"] != "old"
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*/*focus*")} == {0o644}


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ended = run(str(tmp_path / "file"))
    assert ended.returncode == 1
    assert re.fullmatch(
        r"packaging/pages: \S+/file\S* cannot be written: Not a directory\. Name a folder .*\n", ended.stderr
    )


def test_a_file_that_cannot_be_replaced_leaves_no_scraps(tmp_path: Path) -> None:
    (tmp_path / "man/focus.1").mkdir(parents=True)
    ended = run(str(tmp_path))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert written(tmp_path) == {}


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--verbose"]])
def test_wrong_usage(words: list[str]) -> None:
    ended = run(*words)
    assert ended.returncode == 2
    assert ended.stderr.startswith("One folder is needed")


def test_the_date_is_that_of_the_source(tmp_path: Path) -> None:
    assert run(str(tmp_path), SOURCE_DATE_EPOCH="86400").returncode == 0
    titles = [text for name, text in written(tmp_path).items() if name.startswith("man/")]
    assert all(
        re.search(r'^\.TH \S+ [18] 1970-01-02 "focusd [\d.]+"$', text, re.MULTILINE) for text in titles
    )


def test_a_date_that_is_none_is_refused(tmp_path: Path) -> None:
    ended = run(str(tmp_path), SOURCE_DATE_EPOCH="yesterday")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "SOURCE_DATE_EPOCH is 'yesterday'" in ended.stderr


# What the parsers have


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_option_command_and_help_text_is_in_the_manual(pages: Any, name: str) -> None:
    parser = pages.parsers.parsers()[name]
    text = " ".join(
        plain(pages.manual.page(pages.reader.read(parser), pages.words.WORDS[name], DATE)).split()
    )
    wanted = list(told_by(parser))
    assert len(wanted) > 10
    assert [each for each in wanted if each not in text] == []


def told_by(parser: argparse.ArgumentParser) -> Any:
    """Everything that --help has; texts with single spaces."""
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        if isinstance(action, argparse._SubParsersAction):
            for command, below in action.choices.items():
                yield command
                yield from told_by(below)
        else:
            yield from action.option_strings
            yield " ".join((action.help or "").replace("%%", "%").replace("`", "").split())
    if " " in parser.prog:
        yield " ".join((parser.description or "").split())


@pytest.mark.parametrize("name", ["focus", "focusd"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_option_and_command_is_in_the_completions(pages: Any, name: str, shell: str) -> None:
    parser = pages.parsers.parsers()[name]
    text = getattr(pages, shell).completion(pages.reader.read(parser))
    options = {word for word in told_by(parser) if word.startswith("--")}
    wanted = {*options, *(cli.COMMANDS if name == "focus" else ())}
    assert {
        each for each in wanted if not re.search(rf"(?<![\w-])(-l '{each[2:]}'|{each})(?![\w-])", text)
    } == set()


@pytest.mark.parametrize("command", ["", "set"])
def test_an_option_that_focus_gets_shows_everywhere(pages: Any, command: str) -> None:
    parser = arguments.new_parser()
    below = next(each for each in parser._actions if isinstance(each, argparse._SubParsersAction)).choices
    (below[command] if command else parser).add_argument("--brand-new", metavar="NEW", help="what is new")
    check_growth(made(pages, "focus", parser), pages, parser)
    usage = next(text for name, text in made(pages, "focus", parser).items() if name.endswith(".1"))
    line = next(line for line in plain(usage).splitlines() if "[--brand-new NEW]" in line)
    assert line.startswith(f"focus {command} ".replace("  ", " "))


@pytest.mark.parametrize(("name", "new_parser"), [("focusd", daemon.new_parser)])
def test_an_option_that_focusd_gets_shows_everywhere(pages: Any, name: str, new_parser: Any) -> None:
    parser = new_parser()
    parser.add_argument("--brand-new", metavar="NEW", help="what is new")
    check_growth(made(pages, name, parser), pages, parser)


def test_an_option_that_the_simulator_gets_shows_in_its_manual(pages: Any) -> None:
    parser = simulator.new_parser()
    parser.add_argument("--brand-new", metavar="NEW", help="what is new")
    manual = plain(made(pages, "ok3z-simulator", parser)["man/ok3z-simulator.1"])
    assert "--brand-new NEW\nwhat is new" in manual
    assert "[--brand-new NEW]" in manual.partition("DESCRIPTION")[0]


def check_growth(files: dict[str, str], pages: Any, parser: argparse.ArgumentParser) -> None:
    name = parser.prog
    assert "--brand-new NEW\nwhat is new" in plain(files[f"man/{name}.{pages.words.WORDS[name].section}"])
    assert re.search(r"--brand-new'\) takes=1 ", files[f"completions/{name}.bash"])
    assert re.search(r"options=\(.* --brand-new\b", files[f"completions/{name}.bash"])
    assert re.search(
        r"--brand-new=\[what is new\]: :(\w+)'(.*\n)*\1\(\) { _message -r 'NEW: what is new' }",
        files[f"completions/_{name}"],
    )
    assert "-l 'brand-new' -x -d 'what is new'" in files[f"completions/{name}.fish"]


# What parsers could have


@pytest.fixture
def odd() -> argparse.ArgumentParser:
    """A parser with characters in its texts that mean something in each of the languages written here."""
    parser = argparse.ArgumentParser(prog="focusd", description=HOSTILE, epilog=f"Example: {HOSTILE}")
    parser.add_argument("--odd", metavar=HOSTILE, help=HOSTILE.replace("%", "%%"))
    parser.add_argument("--pick", choices=[HOSTILE, "plain"], help="pick one")
    parser.add_argument("place", metavar=HOSTILE, help=HOSTILE.replace("%", "%%"))
    return parser


def test_characters_that_mean_something_come_through_to_the_manual(pages: Any, odd: Any) -> None:
    page = made(pages, "focusd", odd)["man/focusd.8"]
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".TP", ".PP", ".nf", ".fi", '.\\"'}
    assert page.isascii()
    lines = plain(page).splitlines()
    at = lines.index(f"--odd {HOSTILE}")
    assert lines[at + 1] == HOSTILE
    assert f"--pick {{{HOSTILE},plain}}" in lines
    assert f"pick one; one of: {HOSTILE}, plain" in lines
    assert lines.count(HOSTILE) == 4
    assert f"focusd - {HOSTILE}" in lines


@pytest.mark.parametrize("character", list("`\n\t\x1b"))
def test_no_character_begins_a_line_of_roff(pages: Any, character: str) -> None:
    assert "\n" not in pages.roff.prose(f"a{character}.so /etc/passwd")
    assert pages.roff.prose(f"a{character}b").isprintable()


def test_what_a_writer_cannot_show_is_refused(pages: Any) -> None:
    parser = argparse.ArgumentParser(prog="focusd")
    parser.add_argument("--any", nargs="*")
    with pytest.raises(pages.reader.UnreadableError, match=r"^--any takes a number of values that varies"):
        pages.reader.read(parser)


def test_exclusive_options_say_so_in_every_output(pages: Any) -> None:
    parser = argparse.ArgumentParser(prog="focusd")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--one", "-o", action="store_true", help="first")
    group.add_argument("--two", action="store_true", help="second")
    files = made(pages, "focusd", parser)
    manual = plain(files["man/focusd.8"])
    assert "focusd [-o | --two]" in manual
    assert "second (not with --one or -o)" in manual
    assert "' --two') takes=0 excluded+=(--two --one -o)" in files["completions/focusd.bash"]
    assert "'(--two --one -o)--two[second]'" in files["completions/_focusd"]
    assert "__focusd_free \\'\\' \\'--two\\' \\'--one\\' \\'-o\\''" in files["completions/focusd.fish"]


def test_an_option_that_may_be_repeated_stays_on_offer(pages: Any) -> None:
    parser = argparse.ArgumentParser(prog="focusd")
    parser.add_argument("--more", action="append", metavar="X", help="more")
    files = made(pages, "focusd", parser)
    assert "' --more') takes=1 excluded+=()" in files["completions/focusd.bash"]
    assert "'*--more=[more]: :_focusd_value_0'" in files["completions/_focusd"]
    assert "__focusd_free \\'\\'' -l 'more'" in files["completions/focusd.fish"]
