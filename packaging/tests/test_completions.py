"""The completions in the shells that they are for: commands, options and configurations are offered."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

COMPLETIONS = Path(__file__).parents[1] / "completions"
COMMANDS = {
    *("set", "offset", "stop", "status", "json", "init", "audit", "kill", "watch", "record", "reference"),
    *("log", "moved", "hold", "release", "run", "terms", "term"),
}
OF_INIT = {"--help", "--config", "--timeout", "--resume", "--restore", "--new-controller"}
OF_FOCUSD = {"--help", "--check", "--print-port", "--commission", "--verbose", "--record", "--version"}
BOUND_S = 30
# The words as bash parts them; the last is the one at the cursor. No program can be found.
BASH = """
PATH=/nonexistent
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"_shtab_$1"
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
"""
LOADED = """
source /usr/share/bash-completion/bash_completion
_completion_loader "$1"
[[ $? -eq 124 ]] && complete -p "$1"
"""
# On ^X b it writes the line that is being edited, and ends.
ZSHRC = """
fpath=("$COMPLETIONS" $fpath)
PS1='ready> '
write-line() { print -r -- "$BUFFER" >"$LINE_FILE"; exit }
zle -N write-line
bindkey '^Xb' write-line
setopt no_beep
autoload -Uz compinit
compinit -u -D
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with configurations and other things."""
    place = tmp_path / "place"
    (place / "sub").mkdir(parents=True)
    for name in ("night.json", "notes.txt", "sub/c.json"):
        (place / name).write_text("", encoding="utf-8")
    return place


def run(folder: Path, *command: str, **environment: str) -> str:
    ended = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )
    assert ended.stderr == ""
    return ended.stdout


def offered_by_bash(folder: Path, line: str) -> set[str]:
    program, *words = line.split(" ")
    file = str(COMPLETIONS / f"{program}.bash")
    return set(run(folder, "bash", "--norc", "-c", BASH, "bash", file, program, *words).splitlines())


def offered_by_fish(folder: Path, line: str) -> set[str]:
    file = str(COMPLETIONS / f"{line.split()[0]}.fish")
    script = "source $argv[1]; complete -C $argv[2]"
    said = run(folder, "fish", "--no-config", "-c", script, file, line, XDG_DATA_HOME=str(folder.parent))
    return {each.partition("\t")[0].rstrip("/") for each in said.splitlines()}


@pytest.mark.parametrize("offered", [offered_by_bash, offered_by_fish])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("focus ", COMMANDS),
        ("focus st", {"stop", "status"}),
        ("focus --timeout 5 st", {"stop", "status"}),
        ("focus --config night.json st", {"stop", "status"}),
        ("focus --", {"--help", "--version", "--config", "--timeout", "--all", "--daemon"}),
        ("focus stop --a", {"--all"}),
        ("focus init --", OF_INIT),
        ("focus offset -0.25 --t", {"--timeout"}),
        ("focusd --", OF_FOCUSD),
        ("focus --config ", {"night.json", "sub"}),
        ("focus set 2.5 --config n", {"night.json"}),
        ("focusd ", {"night.json", "sub"}),
        ("focusd --check ", {"night.json", "sub"}),
        ("focusd sub/", {"sub/c.json"}),
        # No number is completed, and nothing wrong is offered.
        ("focus set ", set()),
        ("focus --timeout ", set()),
    ],
)
def test_what_is_offered(offered: object, folder: Path, line: str, expected: set[str]) -> None:
    assert callable(offered)
    assert offered(folder, line) == expected


def test_bash_completion_loads_it(folder: Path) -> None:
    shelf = folder / "bash-completion/completions"
    shelf.mkdir(parents=True)
    for name in ("focus", "focusd"):
        (shelf / name).write_bytes((COMPLETIONS / f"{name}.bash").read_bytes())
        said = run(folder, "bash", "--norc", "-c", LOADED, "bash", name, XDG_DATA_DIRS=str(folder))
        assert said == f"complete -o bashdefault -F _shtab_{name} {name}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("focus se", "focus set "),
        ("focus --timeout 5 wa", "focus --timeout 5 watch "),
        ("focus init --resu", "focus init --resume "),
        ("focus offset -0.25 --co", "focus offset -0.25 --config "),
        ("focus set --config ni", "focus set --config night.json "),
        ("focusd sub/", "focusd sub/c.json "),
        ("focusd su", "focusd sub/"),
        ("focusd no", "focusd no"),
        ("focus set ", "focus set "),
        ("focus --timeout ", "focus --timeout "),
        ("focus stop s", "focus stop s"),
    ],
)
def test_the_tab_key_in_zsh(folder: Path, line: str, expected: str) -> None:
    (folder.parent / ".zshrc").write_text(ZSHRC, encoding="utf-8")
    line_file = folder.parent / "line"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "ZDOTDIR": str(folder.parent), "TERM": "xterm",
        "LANG": "C.UTF-8", "COMPLETIONS": str(COMPLETIONS), "LINE_FILE": str(line_file),
    }  # fmt: skip
    terminal, slave = pty.openpty()
    command = ["setsid", "--ctty", "--wait", "zsh", "--no-globalrcs", "-i"]
    shell = subprocess.Popen(command, cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        seen = b""
        while b"ready> " not in seen:
            seen += os.read(terminal, 65536)
        os.write(terminal, f"{line}\t\x18b".encode())
        end_s = time.monotonic() + BOUND_S
        while shell.poll() is None and time.monotonic() < end_s:
            try:
                os.read(terminal, 65536)
            except OSError:
                shell.wait(BOUND_S)
        assert line_file.read_text(encoding="utf-8") == f"{expected}\n"
    finally:
        os.close(terminal)
        shell.kill()
        shell.wait(BOUND_S)
