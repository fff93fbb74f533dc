"""What goes wrong around a publication: keys, tools, disks, and others who publish."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2] / "repository"
PATIENCE_S = 30.0


@pytest.fixture
def tree(publish: Any, rpm: Any, tmp_path: Path) -> Path:
    """A tree with one version."""
    publish(tmp_path / "tree", rpm("a", "1"))
    return tmp_path / "tree"


def names(tree: Path) -> list[str]:
    """All that is in a tree."""
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))


def test_a_key_that_is_missing_is_said(refusal: Any, tree: Path, rpm: Any) -> None:
    before = names(tree)

    complaint = refusal(tree, rpm("a", "2"), "--key", "nobody@example.org")

    assert 'There is no secret key "nobody@example.org" in /tmp/gpg-' in complaint
    assert "gpg --import" in complaint
    assert names(tree) == before


def test_a_name_of_more_than_one_key_is_said_with_their_fingerprints(
    refusal: Any, signer: Any, tree: Path, rpm: Any
) -> None:
    keys = [signer.make_key(f"{name}@twice.example.org") for name in ("one", "two")]

    complaint = refusal(tree, rpm("a", "2"), "--key", "twice.example.org")

    assert '2 secret keys answer to "twice.example.org"' in complaint
    assert all(key in complaint for key in keys)


def test_keys_that_cannot_sign_are_said(refusal: Any, signer: Any, tree: Path, rpm: Any) -> None:
    # Made at a time long ago, for a day.
    long_ago = ("--faked-system-time", "20200101T000000")
    signer.gpg(*long_ago, "--quick-generate-key", "Test <past@example.org>", "rsa2048", "sign", "1d")
    signer.make_key("other@example.org", "rsa2048", "cert", "never")

    assert "has expired" in refusal(tree, rpm("a", "2"), "--key", "past@example.org")
    assert "may not sign" in refusal(tree, rpm("a", "2"), "--key", "other@example.org")


def test_another_key_than_the_trees_is_refused(
    refusal: Any, signer: Any, key: str, tree: Path, rpm: Any
) -> None:
    other = signer.make_key("second@example.org")
    before = names(tree)

    complaint = refusal(tree, rpm("a", "2"), "--key", other)

    assert f"is signed by another key ({key}) than the one named ({other})" in complaint
    assert names(tree) == before


def test_a_package_that_another_key_signed_does_not_stay(
    refusal: Any, program: Any, signer: Any, tree: Path, rpm: Any, tmp_path: Path
) -> None:
    """Somebody who can write to the host, and has no key, gets nothing signed."""
    theirs = signer.make_key("intruder@example.org")
    assert program("publish.py", tmp_path / "theirs", rpm("a", "1"), "--key", theirs).returncode == 0
    package = "el9/a-1-1.el9.noarch.rpm"
    shutil.copyfile(tmp_path / "theirs" / package, tree / package)

    assert f"{tree / package}: digests SIGNATURES NOT OK" in refusal(tree, rpm("a", "2"))
    shutil.copyfile(rpm("a", "1"), tree / package)
    assert f"{tree / package}: digests SIGNATURES NOT OK" in refusal(tree, rpm("a", "2"))


def test_a_signature_that_did_not_become_one_is_noticed_before_anything_goes_in(
    refusal: Any, imposters: Any, reader: Any, tree: Path, rpm: Any
) -> None:
    before = names(tree)

    complaint = refusal(tree, rpm("a", "2"), **imposters(rpmsign="#!/bin/sh\nexit 0\n"))

    assert "digests SIGNATURES NOT OK" in complaint
    assert names(tree) == before


@pytest.mark.parametrize("tool", ["createrepo_c", "gpg", "rpm", "rpmkeys", "rpmsign"])
def test_a_tool_that_is_missing_is_said_with_its_package(
    refusal: Any, tree: Path, rpm: Any, tmp_path: Path, tool: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in {"createrepo_c", "gpg", "rpm", "rpmkeys", "rpmsign"} - {tool}:
        (tools / name).symlink_to(str(shutil.which(name)))

    complaint = refusal(tree, rpm("a", "2"), PATH=str(tools))

    package = {"createrepo_c": "createrepo-c", "gpg": "gnupg"}.get(tool, "rpm")
    assert complaint.startswith(f"publish: {tool} is not on PATH. Install, on Debian: {package};")


@pytest.mark.parametrize("tool", ["createrepo_c", "rpmsign", "gpg"])
def test_a_tool_that_fails_is_quoted_and_nothing_is_lost(
    refusal: Any, imposters: Any, publish: Any, reader: Any, tree: Path, rpm: Any, tool: str
) -> None:
    before = names(tree)
    harmless = 'case "$*" in *--list*|*--export*|*--show*) exec REAL "$@";; esac'
    broken = f'#!/bin/sh\n{harmless}\necho "{tool} is ill" >&2; exit 7\n'

    complaint = refusal(tree, rpm("a", "2"), **imposters(**{tool: broken}))

    assert f"{tool} is ill" in complaint
    assert names(tree) == before
    publish(tree, rpm("a", "2"))
    assert len(reader(tree / "el9")) == 2


def test_metadata_that_leave_a_package_out_are_not_published(
    refusal: Any, imposters: Any, tree: Path, rpm: Any
) -> None:
    before = names(tree)
    forgetful = '#!/bin/sh\nfor last; do :; done\nrm "$last"/a-1-*.rpm\nexec REAL "$@"\n'

    complaint = refusal(tree, rpm("a", "2"), **imposters(createrepo_c=forgetful))

    assert "not of the packages given" in complaint
    assert names(tree) == before


@pytest.fixture
def publishing(signer: Any, key: str, imposters: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts a publication that stands still in createrepo_c until the file `go` is there."""
    started = []
    waiting = f'#!/bin/sh\ntouch {tmp_path}/waits\nwhile ! [ -e {tmp_path}/go ]; do sleep 0.05; done\nexec REAL "$@"\n'

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, REPOSITORY / "publish.py", *arguments, "--key", key]
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**signer.env, **imposters(createrepo_c=waiting)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        end = time.monotonic() + PATIENCE_S
        while not (tmp_path / "waits").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        return process

    yield start
    (tmp_path / "go").touch()
    for process in started:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_two_at_once_are_kept_apart(
    publishing: Any, refusal: Any, publish: Any, reader: Any, tree: Path, rpm: Any, tmp_path: Path
) -> None:
    first = publishing(tree, rpm("a", "2"))

    complaint = refusal(tree, rpm("a", "3"))

    assert f"Another publisher works on {tree} (process {first.pid} on " in complaint
    assert "Wait until it has ended" in complaint
    (tmp_path / "go").touch()
    assert first.communicate(timeout=PATIENCE_S)[1] == ""
    assert first.returncode == 0
    publish(tree, rpm("a", "3"))
    assert len(reader(tree / "el9")) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_that_is_told_to_end_clears_its_work_away(
    publishing: Any, tree: Path, rpm: Any, number: signal.Signals
) -> None:
    before = names(tree)
    process = publishing(tree, rpm("a", "2"))

    process.send_signal(number)

    complaint = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 1
    assert complaint.startswith("publish: Stopped.")
    assert names(tree) == before


class Mount:
    """A small disk that nobody else sees: processes enter its mount namespace."""

    def __init__(self, folder: Path, kilobytes: int) -> None:
        script = (
            f"mount -t tmpfs -o size={kilobytes}k,mode=755 tmpfs {folder} && echo ready && exec sleep 300"
        )
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self.enter = ["nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt"]
        self.seen_from_outside = Path(f"/proc/{self._holder.pid}/root{folder}")

    def run(self, *command: object) -> None:
        subprocess.run([*self.enter, *map(str, command)], check=True, timeout=PATIENCE_S)

    def fill(self, spare_kilobytes: int) -> None:
        """Leave only so much."""
        spare = os.statvfs(self.seen_from_outside)
        size = spare.f_bavail * spare.f_bsize - spare_kilobytes * 1024
        (self.seen_from_outside / "ballast").write_bytes(bytes(size))

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate(timeout=PATIENCE_S)


@pytest.fixture
def disk(tree: Path, tmp_path: Path) -> Iterator[Mount]:
    """A disk of 4 MB with the tree on it, at tmp_path/disk."""
    (tmp_path / "disk").mkdir()
    mount = Mount(tmp_path / "disk", 4096)
    shutil.copytree(tree, mount.seen_from_outside / "tree", symlinks=True)
    yield mount
    mount.close()


@pytest.mark.parametrize("spare", [0, 4, 12])
@pytest.mark.parametrize("tool", ["rpm", "rpmkeys", "rpmsign", "createrepo_c", "gpg"])
def test_a_disk_that_gets_full_is_said_and_nothing_is_lost(
    disk: Mount,
    program: Any,
    key: str,
    imposters: Any,
    reader: Any,
    rpm: Any,
    tmp_path: Path,
    tool: str,
    spare: int,
) -> None:
    """Just before one of the tools writes. Where the rest is enough for it, a later step has less."""
    tree, seen = tmp_path / "disk/tree", disk.seen_from_outside / "tree"
    old = reader(seen / "el9")
    ballast = tmp_path / "disk/ballast"
    filling = f"[ -e {ballast} ] || cat /dev/zero >{ballast} 2>/dev/null; truncate -cs -{spare}K {ballast}"
    harmless = "*' -K '*|*--list*|*--export*|*--show*"
    filler = f'#!/bin/sh\ncase " $* " in {harmless}) ;; *) {filling};; esac\nexec REAL "$@"\n'

    ended = program(
        "publish.py", tree, rpm("a", "2"), "--key", key, before=disk.enter, **imposters(**{tool: filler})
    )

    assert (disk.seen_from_outside / "ballast").exists()
    if ended.returncode == 0:
        assert spare
        assert len(reader(seen / "el9")) == 2
        return
    assert ended.stderr.startswith(f"publish: The disk of {tree} is full"), ended.stderr
    assert reader(seen / "el9") == old
    assert sorted(path.name for path in seen.glob("el9/*.rpm")) == sorted(old)
    assert [path.name for path in seen.glob(".publish/*")] == ["lock"]
    (disk.seen_from_outside / "ballast").unlink()
    assert program("publish.py", tree, rpm("a", "2"), "--key", key, before=disk.enter).returncode == 0
    assert len(reader(seen / "el9")) == 2


def test_a_tree_that_cannot_be_written_is_said(
    disk: Mount, program: Any, key: str, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    disk.run("mount", "-o", "remount,ro", tmp_path / "disk")

    ended = program("publish.py", tmp_path / "disk/tree", rpm("a", "2"), "--key", key, before=disk.enter)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"publish: {tmp_path}/disk/tree cannot be written: Read-only file system")
    assert len(reader(disk.seen_from_outside / "tree/el9")) == 1


def test_a_file_in_place_of_the_tree_is_said(refusal: Any, rpm: Any, tmp_path: Path) -> None:
    (tmp_path / "tree").write_text("")

    assert "cannot be written: Not a directory" in refusal(tmp_path / "tree", rpm("a", "1"))
