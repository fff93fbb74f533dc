"""What publish.py puts into a tree, and what it refuses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest


def offered(reader: Any, tree: Path) -> dict[str, set[str]]:
    """The packages of each repository, by name and version."""
    places = sorted(link.parent for link in tree.rglob("repodata"))
    return {str(place.relative_to(tree)): {_short(name) for name in reader(place)} for place in places}


def state(tree: Path) -> dict[str, Any]:
    """Everything in a tree but the lock, byte for byte."""
    return {
        str(path.relative_to(tree)): os.readlink(path)
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in tree.rglob("*")
        if path.name != "lock"
    }


def _short(name: str) -> str:
    return name.split("-1.el")[0] + (".src" if ".src." in name else "")


def test_each_package_goes_to_the_repository_of_its_release(
    publish: Any, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    given = [rpm("a", "1"), rpm("a", "1", source=True), rpm("b", "1"), rpm("a", "1", "el10")]

    printed = publish(tmp_path / "tree", *given)

    assert offered(reader, tmp_path / "tree") == {
        "el9": {"a-1", "b-1"},
        "el9/source": {"a-1.src"},
        "el10": {"a-1"},
    }
    assert (
        printed
        == "el9: added a 1-1.el9, b 1-1.el9.\nel9/source: added a 1-1.el9 (source).\nel10: added a 1-1.el10.\n"
    )


def test_dnf_takes_it_with_both_signatures_asked_for(
    publish: Any, rpm: Any, signer: Any, tmp_path: Path
) -> None:
    publish(tmp_path / "tree", rpm("a", "1"), rpm("a", "1", source=True), rpm("b", "2"))

    assert dnf(tmp_path, "repoquery", env=signer.env) == ["a-0:1-1.el9.noarch", "b-0:2-1.el9.noarch"]
    dnf(tmp_path, "install", "--setopt=tsflags=justdb", "b", env=signer.env)


def test_dnf_refuses_metadata_that_somebody_has_touched(
    publish: Any, rpm: Any, signer: Any, tmp_path: Path
) -> None:
    publish(tmp_path / "tree", rpm("a", "1"))
    repomd = tmp_path / "tree/el9/repodata/repomd.xml"
    repomd.write_text(repomd.read_text().replace("<revision>", "<revision>1"))

    with pytest.raises(subprocess.CalledProcessError) as refused:
        dnf(tmp_path, "repoquery", env=signer.env)
    assert "signature" in refused.value.stderr.lower()


def dnf(folder: Path, *arguments: str, env: Any) -> list[str]:
    """What dnf says of folder/tree/el9, in a root of its own."""
    tree, config = folder / "tree", folder / "dnf.conf"
    config.write_text(
        f"[main]\n[ours]\nname=ours\nbaseurl=file://{tree}/el9\ngpgcheck=1\nrepo_gpgcheck=1\n"
        f"gpgkey=file://{tree}/RPM-GPG-KEY-focusd\n"
    )
    (folder / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    settings = {
        "reposdir": "/nonexistent",
        "varsdir": "/nonexistent",
        "pluginpath": "/nonexistent",
        "cachedir": folder / "c",
    }
    command = ["dnf", "-y", "-q", f"--installroot={folder}/root", "--releasever=9", "-c", str(config)]
    command += [f"--setopt={name}={value}" for name, value in settings.items()]
    ended = subprocess.run(
        [*command, *arguments],
        env={**env, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ended.stdout.splitlines()


def test_the_same_file_again_changes_nothing(publish: Any, rpm: Any, tmp_path: Path) -> None:
    publish(tmp_path / "tree", rpm("a", "1"))
    before = state(tmp_path / "tree")

    printed = publish(tmp_path / "tree", rpm("a", "1"), rpm("a", "1"))

    assert printed == "el9: nothing to do, all of it is there already.\n"
    assert state(tmp_path / "tree") == before


def test_a_version_that_goes_backwards_is_refused_and_both_are_named(
    publish: Any, refusal: Any, rpm: Any, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "1.10", epoch=1))
    before = state(tree)

    complaint = refusal(tree, rpm("a", "1.9", epoch=1), rpm("a", "20260101"), rpm("b", "1"))

    assert f"a 1:1.9-1.el9 goes backwards: {tree}/el9 has a 1:1.10-1.el9." in complaint
    assert "a 20260101-1.el9 goes backwards" in complaint
    assert "--allow-older" in complaint
    assert complaint.endswith("Nothing was published.\n")
    assert state(tree) == before


def test_a_deliberate_roll_back_is_taken_and_stays_listed(
    publish: Any, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "2"), "--keep", 1)

    publish(tree, rpm("a", "1"), "--keep", 1, "--allow-older")

    assert offered(reader, tree) == {"el9": {"a-1", "a-2"}}


def test_a_version_with_other_contents_is_refused(
    publish: Any, refusal: Any, rpm: Any, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "1"))
    before = state(tree)

    complaint = refusal(tree, rpm("a", "1", contents="else"), "--allow-older")

    assert f"a 1-1.el9 is in {tree}/el9 already, with other contents." in complaint
    assert state(tree) == before


def test_two_of_one_version_that_differ_are_refused(refusal: Any, rpm: Any, tmp_path: Path) -> None:
    complaint = refusal(tmp_path / "tree", rpm("a", "1"), rpm("a", "1", contents="else"))

    assert "a 1-1.el9 was given twice, with different contents." in complaint


def test_all_that_is_wrong_with_what_was_given_is_said_at_once(
    refusal: Any, publish: Any, rpm: Any, tmp_path: Path
) -> None:
    publish(tmp_path / "tree", rpm("a", "1"))
    before = state(tmp_path / "tree")
    (tmp_path / "text.rpm").write_text("/etc/passwd\n")
    damaged = tmp_path / "damaged.rpm"
    flip(rpm("a", "2"), damaged)
    cut = tmp_path / "cut.rpm"
    cut.write_bytes(rpm("a", "2").read_bytes()[:200])

    wrong = [tmp_path / "text.rpm", damaged, cut, tmp_path / "none.rpm", tmp_path, rpm("a", "2", "fc40")]
    complaint = refusal(tmp_path / "tree", *wrong, rpm("a", "2"))

    lines = complaint.splitlines()
    assert [str(path) in line for path, line in zip(wrong, lines)] == [True] * len(wrong)
    assert "is no RPM" in lines[0]
    assert "is damaged" in lines[1]
    assert "is damaged" in lines[2]
    assert "No such file" in lines[3]
    assert "Is a directory" in lines[4]
    assert "1.fc40, should end in .el9 or .el10" in lines[5]
    assert state(tmp_path / "tree") == before


def flip(source: Path, to: Path) -> None:
    """Copy a file with one bit of its last but twentieth byte changed: in an RPM, that is its payload."""
    contents = bytearray(source.read_bytes())
    contents[-20] ^= 1
    to.write_bytes(contents)


@pytest.mark.parametrize("left", [None, 0, 50, 200, -20], ids=lambda left: f"{left} bytes")
def test_a_package_of_the_tree_that_was_spoilt_is_not_listed_again(
    program: Any,
    key: str,
    publish: Any,
    refusal: Any,
    reader: Any,
    rpm: Any,
    tmp_path: Path,
    left: int | None,
) -> None:
    """New metadata would have the new checksum, and machines would take what the signature alone stops."""
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "1"), rpm("b", "1"))
    spoilt = tree / "el9/a-1-1.el9.noarch.rpm"
    spoil(spoilt, left)
    before = state(tree)

    complaint = refusal(tree, rpm("a", "2"))

    first, which, last = complaint.splitlines()
    assert first.startswith("publish: These are damaged, or not signed by this key.")
    assert "or delete them" in first
    assert which.startswith(f"{spoilt}: ")
    assert last == "Nothing was published."
    assert state(tree) == before
    spoilt.unlink()
    assert program("publish.py", tree, rpm("a", "2"), "--key", key).returncode == 0
    assert offered(reader, tree) == {"el9": {"a-2", "b-1"}}


def spoil(package: Path, left: int | None) -> None:
    """Leave so many bytes of a file, or all but one bit."""
    if left is None:
        flip(package, package)
    else:
        package.write_bytes(package.read_bytes()[:left])


@pytest.mark.parametrize("left", [None, 0, 200])
def test_a_spoilt_file_in_the_place_of_what_is_given_is_not_taken_for_other_contents(
    publish: Any, refusal: Any, rpm: Any, tmp_path: Path, left: int | None
) -> None:
    """As it lies there where the metadata were deleted that listed it."""
    tree = tmp_path / "tree"
    publish(tree, rpm("b", "1"))
    there = tree / "el9/a-1-1.el9.noarch.rpm"
    there.write_bytes(rpm("a", "1").read_bytes())
    spoil(there, left)

    if left is None:
        # Its header is whole: it is replaced.
        assert "added a 1-1.el9" in publish(tree, rpm("a", "1"))
    else:
        assert f"\n{there}: " in refusal(tree, rpm("a", "1"))


def test_a_package_that_is_lost_leaves_the_list_with_a_word(
    program: Any, key: str, publish: Any, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "1"), rpm("b", "1"))
    (tree / "el9/a-1-1.el9.noarch.rpm").unlink()

    ended = program("publish.py", tree, rpm("b", "2"), "--key", key)

    assert f"{tree}/el9/a-1-1.el9.noarch.rpm was listed and is not there." in ended.stderr
    assert offered(reader, tree) == {"el9": {"b-1", "b-2"}}
    publish(tree, rpm("a", "1"))
    assert offered(reader, tree) == {"el9": {"a-1", "b-1", "b-2"}}


def test_a_package_that_somebody_put_there_by_hand_is_left_alone(
    program: Any, key: str, publish: Any, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "1"))
    strange = tree / "el9/strange.rpm"
    strange.write_bytes(rpm("b", "1").read_bytes())

    ended = program("publish.py", tree, rpm("a", "2"), "--key", key)

    assert f"{strange} is listed nowhere: somebody else put it there" in ended.stderr
    assert strange.exists()
    assert offered(reader, tree) == {"el9": {"a-1", "a-2"}}


def test_a_repository_of_another_tool_is_not_touched(refusal: Any, rpm: Any, tmp_path: Path) -> None:
    (tmp_path / "tree/el9/repodata").mkdir(parents=True)
    (tmp_path / "tree/el9/theirs.rpm").write_text("theirs")

    complaint = refusal(tmp_path / "tree", rpm("a", "1"))

    assert "another tool made it" in complaint
    assert sorted(path.name for path in (tmp_path / "tree").rglob("*")) == [
        *(".publish", "el9", "lock", "repodata", "theirs.rpm")
    ]


def test_names_of_any_kind_can_be_given(publish: Any, reader: Any, rpm: Any, tmp_path: Path) -> None:
    """rpm itself takes brackets for a pattern."""
    odd = tmp_path / "a [1] %{x} -- ü.rpm"
    odd.write_bytes(rpm("a", "1").read_bytes())

    publish(tmp_path / "tree", odd)

    assert offered(reader, tmp_path / "tree") == {"el9": {"a-1"}}


def test_what_was_given_is_not_changed(publish: Any, rpm: Any, tmp_path: Path) -> None:
    before = rpm("a", "1").read_bytes()

    publish(tmp_path / "tree", rpm("a", "1"))

    assert rpm("a", "1").read_bytes() == before


@pytest.mark.parametrize("arguments", [["--keep", "0"], ["--keep", "-1"], ["--keep", "many"], ["--key", " "]])
def test_wrong_usage_is_said(program: Any, rpm: Any, tmp_path: Path, arguments: list[str]) -> None:
    named = arguments if "--key" in arguments else [*arguments, "--key", "x"]

    ended = program("publish.py", tmp_path / "tree", rpm("a", "1"), *named)

    assert ended.returncode == 2
    assert "should" in ended.stderr
    assert not (tmp_path / "tree").exists()
