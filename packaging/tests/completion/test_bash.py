"""The completion in bash: by sourcing it, by bash-completion's lazy loading, and by the tab key on a terminal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

BOUND_S = 30
COMMANDS = {"set", "offset", "stop", "status", "json", "init", "audit", "kill", "watch"}
CONFIGURATIONS = {"a.json", "my file.json", "it's $5.json", 'quo"te.json', "back\\slash.json", "a:b.json"}
FOLDERS = {"sub", "set"}
# No program can be found, and a variable that is not set is an error.
SOURCED = """
set -u
PATH=/nonexistent
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"_$1"
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\0' "${COMPREPLY[@]}"
"""
LOADED = """
source /usr/share/bash-completion/bash_completion
_completion_loader "$1"
[[ $? -eq 124 ]] && complete -p "$1"
"""
RC = """
PS1='ready> '
bind 'set bell-style none'
bind 'set enable-bracketed-paste off'
bind -x '"\\C-xb": printf "%s<end>" "$READLINE_LINE" >"$LINE_FILE"'
"""

Offered = Callable[..., list[str]]


@pytest.fixture
def offered(completions: Path, folder: Path) -> Offered:
    """What is offered for words as bash parts them; the last is the one at the cursor."""
    return lambda *words: sourced(completions / f"{words[0]}.bash", folder, *words)


def sourced(file: Path, folder: Path, *words: str) -> list[str]:
    ended = subprocess.run(
        ["bash", "--norc", "-c", SOURCED, "bash", str(file), *words],
        cwd=folder,
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.split("\0")[:-1]


def test_commands(offered: Offered) -> None:
    assert set(offered("focus", "")) == COMMANDS
    assert set(offered("focus", "st")) == {"stop", "status"}
    assert offered("focus", "nothing") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["focus", "--"], {"--help", "--version", "--config", "--timeout"}),
        (["focus", "-"], {"-h", "--help", "--version", "--config", "--timeout"}),
        (["focus", "set", "--"], {"--help", "--config", "--timeout"}),
        (
            ["focus", "init", "--"],
            {"--help", "--config", "--timeout", "--resume", "--restore", "--new-controller"},
        ),
        (["focus", "init", "--resume", "--re"], {"--restore"}),
        (["focus", "--timeout", "5", "set", "--"], {"--help", "--config"}),
        (["focus", "--timeout", "=", "5", "set", "--"], {"--help", "--config"}),
        (["focus", "offset", "-0.25", "--t"], {"--timeout"}),
        (["focus", "nonsense", "--"], set()),
        (["focus", "set", "--", "--"], set()),
        (["focusd", "--"], {"--help", "--check", "--print-port", "--verbose", "--version"}),
        (["focusd", "--check", "--"], {"--help", "--verbose", "--version"}),
        (["focusd", "a.json", "--print-port", "--"], {"--help", "--verbose", "--version"}),
    ],
)
def test_options(offered: Offered, words: list[str], expected: set[str]) -> None:
    assert set(offered(*words)) == expected


@pytest.mark.parametrize(
    "words",
    [
        ["focus", "set", ""],
        ["focus", "offset", "-0."],
        ["focus", "status", ""],
        ["focus", "--timeout", ""],
        ["focus", "--timeout", "="],
        ["focusd", "a.json", ""],
        ["focusd", "--verbose", "a.json", "s"],
    ],
)
def test_nothing_is_offered_where_nothing_is_known(offered: Offered, words: list[str]) -> None:
    assert offered(*words) == []


@pytest.mark.parametrize(
    "words",
    [["focus", "--timeout", "5"], ["focus", "--config", "a.json"], ["focus", "--config", "=", "a.json"]],
)
def test_the_command_is_found_after_options_with_values(offered: Offered, words: list[str]) -> None:
    assert set(offered(*words, "st")) == {"stop", "status"}


@pytest.mark.parametrize(
    "words",
    [
        ["focus", "--config", ""],
        ["focus", "--config", "="],
        ["focus", "set", "--config", ""],
        ["focus", "set", "2.5", "--timeout", "5", "--config", "="],
        ["focusd", ""],
        ["focusd", "--check", ""],
        ["focusd", "--", ""],
    ],
)
def test_configurations_and_folders(offered: Offered, words: list[str]) -> None:
    found = offered(*words)
    assert set(found) == {*CONFIGURATIONS, *FOLDERS}
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["focusd", "sub/"], ["sub/c.json"]),
        (["focusd", "m"], ["my file.json"]),
        (["focusd", "my\\ f"], ["my file.json"]),
        (["focusd", "'my f"], ["my file.json"]),
        (["focusd", '"my f'], ["my file.json"]),
        (["focusd", "\"it's \\$"], ["it's $5.json"]),
        (["focusd", "it\\'s\\ \\$"], ["it's $5.json"]),
        (["focusd", 'quo\\"'], ['quo"te.json']),
        (["focusd", '"back\\s'], ["back\\slash.json"]),
        (["focusd", ".h"], [".hidden"]),
        (["focusd", "~/m"], ["~/my file.json"]),
        (["focusd", "$(touch"], []),
        (["focus", "--config", "=", "m"], ["my file.json"]),
        (["focus", "--config", "=", '"my f'], ["my file.json"]),
        (["focus", "--config=m"], ["--config=my file.json"]),
        (["focus", "--config", "=", "~/m"], []),
        (["focusd", "a", ":", "b"], ["b.json"]),
        (["focusd", "a", ":"], ["b.json"]),
        (["focusd", "a\\:"], ["a:b.json"]),
        (["focus", "--config", "=", "a", ":", "b"], ["b.json"]),
        (["focus", '"set"', "--t"], ["--timeout"]),
        (["focus", "'--timeout'", '"5"', "se"], ["set"]),
    ],
)
def test_words_as_people_write_them(offered: Offered, words: list[str], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_characters_that_mean_something_come_through(odd: Path, folder: Path) -> None:
    from_choices = sourced(odd / "focusd.bash", folder, "focusd", "--pick", "")
    assert len(from_choices) == 2
    assert from_choices[1] == "plain"
    # Offered as a shell reads it back.
    command = ["bash", "-c", f"printf %s {from_choices[0]}"]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=BOUND_S).stdout
    assert told == "x.'\"\\`-[x]:%(y)é$(touch made)`touch made`"
    assert not (folder / "made").exists()


def test_bash_completion_loads_it(completions: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "bash-completion/completions"
    shelf.mkdir(parents=True)
    for name in ("focus", "focusd"):
        (shelf / name).write_bytes((completions / f"{name}.bash").read_bytes())
        ended = subprocess.run(
            ["bash", "--norc", "-c", LOADED, "bash", name],
            env={"PATH": os.environ["PATH"], "XDG_DATA_DIRS": str(tmp_path), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=BOUND_S,
        )
        assert ended.stdout == f"complete -F _{name} {name}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("focus se", "focus set "),
        ("focus --timeout 5 wa", "focus --timeout 5 watch "),
        ("focus --config=m", "focus --config=my\\ file.json "),
        ("focus --config='my", "focus --config='my file.json' "),
        ("focusd ~/my", "focusd ~/my\\ file.json "),
        ("focusd it", "focusd it\\'s\\ \\$5.json "),
        ("focusd su", "focusd sub/"),
        ("focusd a:", "focusd a:b.json "),
        ('focusd "quo', 'focusd "quo\\"te.json" '),
        ("focusd back", "focusd back\\\\slash.json "),
        ("focus set ", "focus set "),
        ("focusd no", "focusd no"),
    ],
)
def test_the_tab_key(completions: Path, folder: Path, terminals: Any, line: str, expected: str) -> None:
    rc = folder.parent / "rc"
    sources = "".join(f"source '{completions}/{name}.bash'\n" for name in ("focus", "focusd"))
    rc.write_text(f"{RC}{sources}set -u\n", encoding="utf-8")
    terminal = terminals(
        ["bash", "--noprofile", "--rcfile", str(rc), "-i"], folder, {"PATH": os.environ["PATH"]}
    )
    terminal.wait_for("ready> ")
    assert terminal.completed(line) == expected


def test_the_tab_key_with_the_cursor_in_a_word(completions: Path, folder: Path, terminals: Any) -> None:
    rc = folder.parent / "rc"
    rc.write_text(f"{RC}source '{completions}/focus.bash'\n", encoding="utf-8")
    terminal = terminals(
        ["bash", "--noprofile", "--rcfile", str(rc), "-i"], folder, {"PATH": os.environ["PATH"]}
    )
    terminal.wait_for("ready> ")
    # Two to the left, so that the cursor stands behind the o.
    assert terminal.completed("focus ozz\x1b[D\x1b[D").startswith("focus offset")
