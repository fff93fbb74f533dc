"""push and pull, into folders and through a stand-in for ssh."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

# Does on this machine what it should do on the host, and writes down what it was told.
SSH = """#!/bin/sh
printf '%s\\n' "$@" >>LOG.arguments
while [ $# -gt 0 ]; do
    case $1 in
        -i) cat "$2" >>LOG.key; stat -c %a "$2" >>LOG.mode; shift 2 ;;
        -o) case $2 in UserKnownHostsFile=*) cat "${2#*=}" >>LOG.hosts ;; esac; shift 2 ;;
        -F|-l) shift 2 ;;
        *) break ;;
    esac
done
shift
exec sh -c "$*"
"""
CALLS = 5


@pytest.fixture
def tree(publish: Any, rpm: Any, tmp_path: Path) -> Path:
    """Two versions one after the other, of which one may stay."""
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "1"), rpm("a", "1", "el10"), rpm("a", "1", source=True), "--keep", 1)
    publish(tree, rpm("a", "2"), "--keep", 1)
    return tree


@pytest.fixture
def ssh(imposters: Any, tmp_path: Path) -> dict[str, str]:
    return dict(imposters(ssh=SSH.replace("LOG", str(tmp_path / "ssh"))))


def test_the_host_has_what_the_tree_has_and_nothing_private(
    do: Any, reader: Any, tree: Path, host: Path, contents: Any
) -> None:
    do("push", tree, host)

    assert contents(host) == contents(tree)
    assert not (host / ".publish").exists()
    assert reader(host / "el9") == {"a-2-1.el9.noarch.rpm"}


def test_a_second_push_brings_the_new_and_deletes_the_old(
    do: Any, publish: Any, reader: Any, rpm: Any, tree: Path, host: Path, contents: Any
) -> None:
    do("push", tree, host)
    fetch = reader.under_way(host / "el9")
    publish(tree, rpm("a", "3"), "--keep", 1)

    do("push", tree, host)

    assert contents(host) == contents(tree)
    assert not (host / "el9/a-1-1.el9.noarch.rpm").exists()
    fetch()


def test_what_is_pulled_can_be_published_into_and_pushed(
    do: Any, publish: Any, reader: Any, rpm: Any, tree: Path, host: Path, tmp_path: Path, contents: Any
) -> None:
    do("push", tree, host)

    do("pull", tmp_path / "other", host)

    assert contents(tmp_path / "other") == contents(tree)
    publish(tmp_path / "other", rpm("a", "3"))
    do("push", tmp_path / "other", host)
    assert reader(host / "el9") == {"a-2-1.el9.noarch.rpm", "a-3-1.el9.noarch.rpm"}


def test_an_empty_host_gives_an_empty_tree(do: Any, host: Path, tmp_path: Path, contents: Any) -> None:
    do("pull", tmp_path / "new", host)

    assert contents(tmp_path / "new") == {}


def test_the_target_may_come_from_the_environment(do: Any, tree: Path, host: Path, contents: Any) -> None:
    do("push", tree, FOCUSD_REPOSITORY_TARGET=str(host))

    assert contents(host) == contents(tree)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", range(1, CALLS + 1))
def test_a_push_that_dies_leaves_the_old_or_the_new_state_and_the_next_one_completes_it(
    do: Any,
    program: Any,
    publish: Any,
    imposters: Any,
    reader: Any,
    rpm: Any,
    tree: Path,
    host: Path,
    call: int,
    when: str,
    tmp_path: Path,
    contents: Any,
) -> None:
    do("push", tree, host)
    old = reader(host / "el9")
    # More than one, so that the host's newest package is among those to be deleted.
    publish(tree, rpm("a", "3"), "--keep", 1)
    publish(tree, rpm("a", "4"), "--keep", 1)
    publish(tree, rpm("a", "5"), "--keep", 1)
    kill = f"[ $(wc -l <{tmp_path}/calls) -ne {call} ] || kill -9 $PPID"
    lines = [f"echo >>{tmp_path}/calls", *([kill] if when == "before" else []), 'REAL "$@" || exit', kill]
    killer = '#!/bin/sh\ncase $* in --server*) exec REAL "$@";; esac\n' + "\n".join(lines) + "\n"

    if when == "before":
        killer = killer.replace(kill, f"{kill} && [ $(wc -l <{tmp_path}/calls) -ne {call} ] || exit")
    assert program("push", tree, host, **imposters(rsync=killer)).returncode == -9

    assert reader(host / "el9") in (old, {"a-5-1.el9.noarch.rpm"})
    do("push", tree, host)
    assert contents(host) == contents(tree)


def test_what_is_not_ours_on_the_host_is_never_deleted(
    do: Any, publish: Any, rpm: Any, tree: Path, host: Path, contents: Any
) -> None:
    for name in ("index.html", "el9/README", "el8/theirs.rpm"):
        (host / name).parent.mkdir(exist_ok=True)
        (host / name).write_text("theirs")
    do("push", tree, host)
    publish(tree, rpm("a", "3"), "--keep", 1)

    do("push", tree, host)

    assert {name for name, what in contents(host).items() if what == b"theirs"} == {
        *("index.html", "el9/README", "el8/theirs.rpm")
    }


@pytest.mark.parametrize("theirs", ["el9/theirs.rpm", "el9/repodata/repomd.xml", "el10/source/theirs.rpm"])
def test_a_repository_of_others_on_the_host_is_refused(
    complaint: Any, tree: Path, host: Path, theirs: str, contents: Any
) -> None:
    (host / theirs).parent.mkdir(parents=True)
    (host / theirs).write_text("theirs")
    before = contents(host)

    assert "were not published by publish.py" in complaint("push", tree, host)
    assert contents(host) == before


def test_a_host_that_is_newer_is_not_put_back(
    do: Any, complaint: Any, publish: Any, rpm: Any, tree: Path, host: Path, tmp_path: Path, contents: Any
) -> None:
    """Two trees from one: each would take away what the other has published."""
    do("push", tree, host)
    shutil.copytree(tree, tmp_path / "other", symlinks=True)
    publish(tmp_path / "other", rpm("a", "3"))
    do("push", tmp_path / "other", host)
    before = contents(host)

    assert "is newer in el9, or went another way" in complaint("push", tree, host)
    publish(tree, rpm("a", "4"))
    assert "Pull it, publish into that, and push" in complaint("push", tree, host)
    assert "Push it, or pull into an empty one" in complaint("pull", tree, host)
    assert contents(host) == before


def test_a_file_that_the_host_has_spoilt_is_sent_again(
    do: Any, reader: Any, tree: Path, host: Path, contents: Any
) -> None:
    """Of the same size and time, as a power failure may leave it."""
    do("push", tree, host)
    package = host / "el9/a-2-1.el9.noarch.rpm"
    times = package.stat()
    package.write_bytes(bytes(times.st_size))
    os.utime(package, ns=(times.st_atime_ns, times.st_mtime_ns))
    (host / "el9/.a-2-1.el9.noarch.rpm.Xy12Za").write_text("half")
    (host / "el9/.repodata.31095").symlink_to("repodata.1-00000000")

    do("push", tree, host)

    assert contents(host) == contents(tree)


def test_a_key_from_the_environment_reaches_ssh_and_stays_nowhere(
    do: Any, ssh: dict[str, str], tree: Path, host: Path, tmp_path: Path, contents: Any
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    secrets = {
        "FOCUSD_REPOSITORY_SSH_KEY": "the key\r\n" * 2,
        "FOCUSD_REPOSITORY_KNOWN_HOSTS": "host ssh-ed25519 AAAA",
    }

    do("push", tree, f"repo@host:{host}", TMPDIR=str(scratch), **ssh, **secrets)

    assert contents(host) == contents(tree)
    assert (tmp_path / "ssh.key").read_text() == "the key\nthe key\n" * CALLS
    assert (tmp_path / "ssh.mode").read_text() == "600\n" * CALLS
    assert (tmp_path / "ssh.hosts").read_text() == "host ssh-ed25519 AAAA\n" * CALLS
    told = (tmp_path / "ssh.arguments").read_text().splitlines()
    assert {"StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=20"} <= set(
        told
    )
    assert list(scratch.iterdir()) == []


def test_without_a_key_it_is_the_users_own_ssh(
    do: Any, ssh: dict[str, str], tree: Path, host: Path, tmp_path: Path, contents: Any
) -> None:
    do("push", tree, f"host:{host}", **ssh)

    assert contents(host) == contents(tree)
    assert not (tmp_path / "ssh.key").exists()
    assert "BatchMode=yes" in (tmp_path / "ssh.arguments").read_text()


@pytest.mark.parametrize("name", ["FOCUSD_REPOSITORY_SSH_KEY", "FOCUSD_REPOSITORY_KNOWN_HOSTS"])
def test_a_key_without_its_hosts_goes_nowhere(
    complaint: Any, tree: Path, host: Path, name: str, contents: Any
) -> None:
    assert f"only {name} is set" in complaint("push", tree, host, **{name: "x"})
    assert contents(host) == {}


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("git@host: Permission denied (publickey).", "The host refuses the ssh key: repo@host:/srv"),
        ("Host key verification failed.", "The host is not the one in the known hosts: repo@host:/srv"),
        ("ssh: Could not resolve hostname host", "The host's name is not known: repo@host:/srv"),
        ("something else", "The transfer failed: repo@host:/srv"),
    ],
)
def test_a_host_that_lets_nobody_in_is_said(
    complaint: Any, imposters: Any, tree: Path, said: str, hint: str
) -> None:
    words = complaint(
        "push", tree, "repo@host:/srv", **imposters(ssh=f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
    )

    assert hint in words
    assert said in words


def test_a_host_that_says_nothing_is_given_up(complaint: Any, imposters: Any, tree: Path) -> None:
    words = complaint(
        "push", tree, "repo@host:/srv", "--timeout", 1, **imposters(ssh="#!/bin/sh\nexec sleep 50\n")
    )

    assert "timeout" in words


def test_a_folder_that_is_not_there_is_said(complaint: Any, tree: Path, tmp_path: Path) -> None:
    assert "make it by hand, once" in complaint("push", tree, tmp_path / "none")
    assert "make it by hand, once" in complaint("pull", tmp_path / "new", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_tree_that_is_not_there_is_said(complaint: Any, host: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert "Publish into it first" in complaint("push", tmp_path / "none", host)
    assert "Publish into it first" in complaint("push", tmp_path / "empty", host)


@pytest.mark.parametrize(
    "target", ["host:", "host:relative", "rsync://host/module", "host::module", "-e", "a b:/srv"]
)
def test_a_target_that_is_none_is_said(complaint: Any, tree: Path, target: str) -> None:
    assert "should be a folder" in complaint("push", tree, "--", target)


def test_no_target_at_all_is_said(complaint: Any, tree: Path) -> None:
    assert "FOCUSD_REPOSITORY_TARGET" in complaint("push", tree)


def test_rsync_that_is_missing_is_said(complaint: Any, tree: Path, host: Path, tmp_path: Path) -> None:
    assert "rsync is not on PATH" in complaint("push", tree, host, PATH=str(tmp_path))
