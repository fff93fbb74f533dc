"""The state file on the disk: it is replaced as a whole or not at all, and nothing else is read in its place."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rockit.focuser.ok3z.storage import state_file
from rockit.focuser.ok3z.storage.state_file import UnusableError


class FaultyOs:
    """The module `os`, but that a call of the test's choice fails."""

    CALLS = ("open", "write", "read", "fsync", "close", "replace", "unlink", "makedirs")

    def __init__(self) -> None:
        self.made: list[str] = []
        self.fails: Callable[[str, int], BaseException | None] = lambda name, number: None

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.CALLS:
            return real

        def call(*arguments: Any, **settings: Any) -> Any:
            self.made.append(name)
            error = self.fails(name, len(self.made))
            if error is None:
                return real(*arguments, **settings)
            if name == "close":
                # Whatever it answers, the system has closed it.
                real(*arguments)
            raise error

        return call


@pytest.fixture(name="system")
def fixture_system(monkeypatch: pytest.MonkeyPatch) -> FaultyOs:
    system = FaultyOs()
    monkeypatch.setattr(state_file, "os", system)
    return system


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "focusd" / "night.json"


def names_beside(path: Path) -> set[str]:
    return {found.name for found in path.parent.iterdir()}


def test_folder_and_file_are_made_for_their_owner_only(path: Path) -> None:
    state_file.replace(path, b"one", keep_old=False)

    assert path.read_bytes() == b"one"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert names_beside(path) == {"night.json"}


def test_the_file_is_on_the_disk_before_it_takes_its_place_and_the_folder_after(
    path: Path, system: FaultyOs
) -> None:
    state_file.replace(path, b"one", keep_old=False)

    assert system.made == [
        *("makedirs", "unlink", "open", "write", "fsync", "close"),
        *("replace", "open", "fsync", "close"),
    ]


@pytest.mark.parametrize("keep_old", [False, True])
@pytest.mark.parametrize("fault", ["crash", "error"])
def test_after_a_fault_in_any_call_there_is_the_old_file_or_the_new_one(
    keep_old: bool, fault: str, path: Path, system: FaultyOs
) -> None:
    class Crash(BaseException):
        """No code of the process runs any more."""

    def one_call_fails(call: int) -> Callable[[str, int], BaseException | None]:
        if fault == "crash":
            return lambda _name, number: Crash() if number >= call else None
        return lambda _name, number: OSError(errno.EIO, "I/O error") if number == call else None

    old, new = b"old " * 100, b"new " * 100
    aside = path.with_name("night.json.unusable")
    state_file.replace(path, old, keep_old=False)
    system.made.clear()
    state_file.replace(path, new, keep_old)
    for call in range(1, len(system.made) + 1):
        state_file.replace(path, old, keep_old=False)
        aside.unlink(missing_ok=True)
        system.made.clear()
        system.fails = one_call_fails(call)
        with pytest.raises((Crash, OSError)):
            state_file.replace(path, new, keep_old)
        system.fails = lambda name, number: None

        assert names_beside(path) <= {"night.json", ".night.json.new", "night.json.unusable"}
        if path.exists() or not keep_old:
            assert path.read_bytes() in (old, new)
        else:
            assert aside.read_bytes() == old
        # What a crash has left is in nobody's way.
        state_file.replace(path, old, keep_old=False)
        assert path.read_bytes() == old
        assert ".night.json.new" not in names_beside(path)


def test_a_write_that_takes_a_part_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))

    state_file.replace(path, b"0123456789", keep_old=False)

    assert path.read_bytes() == b"0123456789"


def test_a_full_disk_gets_its_room_back(path: Path, system: FaultyOs) -> None:
    system.fails = lambda name, _number: OSError(errno.ENOSPC, "No space left") if name == "write" else None

    for write in (
        lambda: state_file.replace(path, b"one", False),
        lambda: state_file.prove_writable(path, b"one"),
    ):
        with pytest.raises(OSError, match="No space left"):
            write()
        assert names_beside(path) == set()


def test_a_file_system_that_has_nothing_to_sync_in_a_folder_is_none_the_worse(
    path: Path, system: FaultyOs
) -> None:
    def fails(name: str, number: int) -> BaseException | None:
        return OSError(errno.EINVAL, "Invalid") if name == "fsync" and "replace" in system.made else None

    system.fails = fails
    state_file.replace(path, b"one", keep_old=False)

    assert path.read_bytes() == b"one"


def test_only_the_last_unusable_file_is_kept(path: Path) -> None:
    for content in (b"one", b"two", b"three"):
        state_file.replace(path, content, keep_old=True)

    assert {found.name: found.read_bytes() for found in path.parent.iterdir()} == {
        "night.json": b"three",
        "night.json.unusable": b"two",
    }


def test_a_folder_that_is_proven_writable_is_left_as_it_was(path: Path) -> None:
    state_file.prove_writable(path, b"one")

    assert names_beside(path) == set()


def test_a_link_in_the_place_of_the_new_file_leads_nowhere(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path.with_name(".night.json.new").symlink_to(victim)
    path.symlink_to(victim)

    state_file.replace(path, b"one", keep_old=False)

    assert victim.read_text() == "mine"
    assert not path.is_symlink()
    assert path.read_bytes() == b"one"


def test_a_link_that_somebody_puts_there_meanwhile_is_not_followed(
    path: Path, tmp_path: Path, system: FaultyOs
) -> None:
    def plant(name: str, _number: int) -> None:
        if name == "open":
            path.with_name(".night.json.new").symlink_to(tmp_path / "victim")

    system.fails = plant
    with pytest.raises(FileExistsError):
        state_file.replace(path, b"one", keep_old=False)

    assert not (tmp_path / "victim").exists()
    assert names_beside(path) == set()


def test_an_absent_file_has_no_content(path: Path) -> None:
    assert state_file.content_of(path) is None


def test_no_more_is_read_than_a_file_may_have(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(2**40)

    content = state_file.content_of(path)

    assert content is not None
    assert len(content) == state_file.MAX_FILE_BYTES + 1


@pytest.mark.parametrize("kind", ["directory", "pipe", "link", "socket"])
def test_what_is_no_file_is_not_read(
    kind: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir(parents=True)
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "elsewhere").write_bytes(b"one")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        monkeypatch.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)

    with pytest.raises(UnusableError, match=r"^it is (no regular file|a symbolic link)$"):
        state_file.content_of(path)


def test_every_error_of_the_disk_is_told_in_two_sentences_without_the_path() -> None:
    for number, name in errno.errorcode.items():
        told = state_file.told("written", OSError(number, os.strerror(number), "/a/secret/path"))

        assert told.startswith(f"the state file cannot be written: {os.strerror(number)}. "), name
        assert told.endswith("."), name
        assert "secret" not in told, name
