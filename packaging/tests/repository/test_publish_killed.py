"""A publisher that dies at any step: readers see the old or the new state, and the next run completes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2] / "repository"
PARTS = 4
# Runs publish.py, writes down each of its steps that leave a trace, and kills it before the one that is asked for.
DRIVER = """\
import json, os, runpy, signal, sys
script, log, stop_before = sys.argv[1], sys.argv[2], int(sys.argv[3])
WRITES = os.O_WRONLY | os.O_RDWR
TRACES = {"os.rename", "os.symlink", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "subprocess.Popen"}
steps = open(log, "w")
count = 0
def hook(event, arguments):
    global count
    if event not in TRACES and not (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES):
        return
    if str(arguments[0]) == "/dev/null":
        return
    if count == stop_before:
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
    print(json.dumps([event, *map(str, arguments[:2])]), file=steps, flush=True)
sys.argv = [script, *sys.argv[4:]]
sys.path.insert(0, os.path.dirname(script))
sys.dont_write_bytecode = True
sys.addaudithook(hook)
runpy.run_path(script, run_name="__main__")
"""


class Scene:
    """A tree that has seen three publications, and the fourth, which adds, drops and deletes in two repositories."""

    def __init__(self, folder: Path, reader: Any, rpm: Any, key: str, env: dict[str, str]) -> None:
        self._folder, self._reader, self.env = folder, reader, env
        self.prepared = folder / "prepared"
        for version in ("1", "2", "3", "4"):
            given = [rpm("a", version), rpm("b", version), rpm("a", version, "el10")]
            self.arguments = [*map(str, given), "--key", key, "--keep", "1"]
            if version != "4":
                assert self.run(self.prepared).returncode == 0
        self.old = self.read(self.prepared)
        self.steps = self._all_steps()

    def fresh(self, name: str) -> Path:
        folder = tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder)
        return Path(shutil.copytree(self.prepared, Path(folder) / "tree", symlinks=True))

    def run(self, tree: Path, stop_before: int = -1, **env: str) -> subprocess.CompletedProcess[str]:
        driver = [sys.executable, "-c", DRIVER, str(REPOSITORY / "publish.py"), str(self._folder / "steps")]
        return subprocess.run(
            [*driver, str(stop_before), str(tree), *self.arguments],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def read(self, tree: Path) -> dict[str, set[str]]:
        """What readers see, after proof that it is whole."""
        return {dist: self._reader(tree / dist) for dist in ("el9", "el10")}

    def under_way(self, tree: Path) -> Callable[[], None]:
        readers = [self._reader.under_way(tree / dist) for dist in ("el9", "el10")]

        def fetch() -> None:
            for reader in readers:
                reader()

        return fetch

    @staticmethod
    def layout(tree: Path) -> list[str]:
        """The names of all that is there, without what differs by the hour."""
        names = (path.relative_to(tree) for path in tree.rglob("*") if "repodata" not in path.parent.name)
        return sorted(
            str(name).rsplit("-", 1)[0] if "repodata." in name.name else str(name) for name in names
        )

    def _all_steps(self) -> list[list[str]]:
        tree = self.fresh("counted")
        ended = self.run(tree)
        assert (ended.returncode, ended.stderr) == (0, "")
        self.new, self.new_places = self.read(tree), self.layout(tree)
        return [json.loads(line) for line in (self._folder / "steps").read_text().splitlines()]


@pytest.fixture(scope="module")
def scene(reader: Any, rpm: Any, key: str, signer: Any) -> Iterator[Scene]:
    # In memory: how long a disk takes for each flush is no part of this.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Scene(Path(folder), reader, rpm, key, signer.env)


def worth_a_kill(steps: list[list[str]]) -> list[int]:
    """All steps in what readers see. Of those in the work in hand, the first and the last of each kind."""
    chosen: list[int] = []
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, (event, *subjects) in enumerate(steps):
        subject = subjects[-1] if event in ("os.rename", "os.symlink") else subjects[0]
        if event == "subprocess.Popen" or "/.publish/" in subject or "/" not in subject:
            kind = f"{event} {subject}" if event == "subprocess.Popen" else event
            first.setdefault(kind, number)
            last[kind] = number
        else:
            chosen.append(number)
    return sorted({*chosen, *first.values(), *last.values()})


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
def test_whenever_it_dies_readers_see_all_of_a_state_and_the_next_run_completes_it(
    scene: Scene, part: int
) -> None:
    for number in worth_a_kill(scene.steps)[part::PARTS]:
        tree = scene.fresh(f"killed-{number}")
        fetch = scene.under_way(tree)

        assert scene.run(tree, number).returncode == -9, scene.steps[number]

        state = scene.read(tree)
        assert all(state[dist] in (scene.old[dist], scene.new[dist]) for dist in state), scene.steps[number]
        fetch()
        ended = scene.run(tree)
        assert (ended.returncode, ended.stderr) == (0, ""), scene.steps[number]
        assert (scene.read(tree), scene.layout(tree)) == (scene.new, scene.new_places), scene.steps[number]
        fetch()
        shutil.rmtree(tree)


def test_the_steps_that_are_killed_are_those_that_matter(scene: Scene) -> None:
    """Tools of every kind; and in the tree: metadata come in, packages come in, links change, old ones go."""
    chosen = [scene.steps[number] for number in worth_a_kill(scene.steps)]
    tools = {Path(step[1]).name for step in chosen if step[0] == "subprocess.Popen"}
    renamed = [Path(step[2]).name.split(".")[0] for step in chosen if step[0] == "os.rename"]
    removed = [step[1] for step in chosen if step[0] == "os.remove"]

    assert {"createrepo_c", "gpg", "rpm", "rpmkeys", "rpmsign"} <= tools
    assert renamed == ["repodata"] * 2 + ["a-4-1", "b-4-1", "a-4-1"] + ["repodata"] * 2
    assert sum(name.endswith(".noarch.rpm") and "/el" in name for name in removed) == 3


def test_another_publication_after_a_death_publishes_no_half_of_the_first(
    scene: Scene, publish: Any, reader: Any, rpm: Any
) -> None:
    tree = scene.fresh("killed")
    # The metadata and the packages of el9 are in, and no link has changed.
    scene.run(tree, max(number for number, step in enumerate(scene.steps) if step[0] == "os.symlink") - 2)
    assert list(tree.glob("el9/a-4-*"))

    publish(tree, rpm("a", "5"))

    assert reader(tree / "el9") == {"b-3-1.el9.noarch.rpm", "a-3-1.el9.noarch.rpm", "a-5-1.el9.noarch.rpm"}
    assert not list(tree.rglob("*-4-*"))


@pytest.mark.parametrize("tool", ["createrepo_c", "rpmsign", "gpg"])
def test_a_tool_that_outlives_its_publisher_spoils_nothing(
    scene: Scene, imposters: Any, tool: str, tmp_path: Path
) -> None:
    """It goes on in the folder of the dead one, while the next one works in its own."""
    tree = scene.fresh("killed")
    orphan = f'#!/bin/sh\nkill -9 $PPID\nsleep 0.3\nREAL "$@"\ntouch {tmp_path}/done\n'

    assert scene.run(tree, **imposters(**{tool: orphan})).returncode == -9
    assert scene.read(tree) == scene.old
    assert (scene.run(tree).returncode, scene.read(tree), scene.layout(tree)) == (
        0,
        scene.new,
        scene.new_places,
    )
    os.sync()


def test_what_is_on_the_disk_is_there_before_it_is_given_its_name(scene: Scene, tmp_path: Path) -> None:
    """A power failure may undo what was not flushed: contents are flushed before the name, names before the link."""
    tree = scene.fresh("traced")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=rename,renameat,renameat2,fsync", "-o", str(trace)]
    publisher = [sys.executable, str(REPOSITORY / "publish.py"), str(tree), *scene.arguments]
    subprocess.run([*command, *publisher], env=scene.env, check=True, timeout=60, capture_output=True)
    calls = [line.split(None, 1)[1] for line in trace.read_text().splitlines() if str(tree) in line]

    names_on_disk: set[str] = set()
    waiting: list[str] = []
    links = 0
    for call in calls:
        if call.startswith("fsync"):
            names_on_disk.add(call.split("<", 1)[1].split(">")[0])
            waiting = [name for name in waiting if str(Path(name).parent) not in call]
            continue
        source, destination = call.split('"')[1::2]
        if "/.publish/" in destination:
            continue
        if "/.publish/" in source:
            assert source in names_on_disk, call
        if "/repodata." in destination:
            assert {f"{source}/repomd.xml", f"{source}/repomd.xml.asc"} < names_on_disk
        if destination.endswith("/repodata"):
            assert not waiting, call
            links += 1
        waiting.append(destination)
    assert links == 2
    assert not waiting
