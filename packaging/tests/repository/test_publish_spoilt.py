"""Metadata that a power failure has cut: those that readers see are said with a remedy, others are cleared away."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

Spoil = Callable[[Path], None]
PACKAGES = {f"a-{version}-1.el9.noarch.rpm" for version in "12"}


@pytest.fixture
def tree(publish: Any, rpm: Any, tmp_path: Path) -> Path:
    """A tree with two releases, of which one has two versions."""
    publish(tmp_path / "tree", rpm("a", "1"), rpm("a", "1", "el10"))
    publish(tmp_path / "tree", rpm("a", "2"))
    return tmp_path / "tree"


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def blank(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def repomd(made: Path) -> Path:
    return made / "repomd.xml"


def primary(made: Path) -> Path:
    # Not one of those that were carried over.
    (found,) = re.findall(r'href="repodata/([^"]*-primary.xml.gz)"', repomd(made).read_text())
    return made / str(found)


# All that leaves what readers see without a list of packages.
SPOILING: dict[str, Spoil] = {
    "repomd.xml is empty": lambda made: empty(repomd(made)),
    "repomd.xml is cut": lambda made: cut(repomd(made)),
    "the list is empty": lambda made: empty(primary(made)),
    "the list is cut": lambda made: cut(primary(made)),
    "the list is blank": lambda made: blank(primary(made)),
    "the list is gone": lambda made: primary(made).unlink(),
    "the link leads nowhere": lambda made: shutil.rmtree(made.resolve()),
}


def delete_metadata(place: Path) -> None:
    """As the complaint has it: all that is called repodata* there."""
    for found in place.glob("repodata*"):
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()


@pytest.mark.parametrize("spoil", SPOILING.values(), ids=SPOILING)
def test_spoilt_metadata_are_said_and_what_the_complaint_says_mends_them(
    publish: Any, refusal: Any, reader: Any, rpm: Any, tree: Path, contents: Any, spoil: Spoil
) -> None:
    spoil(tree / "el9/repodata")
    before = contents(tree)

    complaint = refusal(tree, rpm("a", "3"))

    assert complaint.startswith(f"publish: The metadata in {tree}/el9 cannot be read: ")
    assert "Nothing was published." in complaint
    assert f"Delete {tree}/el9/repodata*" in complaint
    assert f"{tree}/el9/*.rpm" in complaint
    assert contents(tree) == before
    delete_metadata(tree / "el9")
    publish(tree, *(tree / "el9").glob("*.rpm"), rpm("a", "3"))
    assert reader(tree / "el9") == PACKAGES | {"a-3-1.el9.noarch.rpm"}
    assert reader(tree / "el10") == {"a-1-1.el10.noarch.rpm"}


def test_metadata_that_cannot_be_read_for_another_reason_are_not_said_to_be_spoilt(
    refusal: Any, rpm: Any, tree: Path
) -> None:
    """It would be a pity to delete them."""
    made = tree / "el9/repodata"
    listing = primary(made)
    listing.unlink()
    listing.symlink_to(listing.name)

    complaint = refusal(tree, rpm("a", "3"))

    assert "Too many levels of symbolic links" in complaint
    assert "Delete" not in complaint


def test_all_places_that_were_spoilt_are_said_at_once(refusal: Any, rpm: Any, tree: Path) -> None:
    for place in ("el9", "el10"):
        empty(tree / place / "repodata/repomd.xml")

    complaint = refusal(tree, rpm("a", "3"))

    assert f"Delete {tree}/el9/repodata*" in complaint
    assert f"Delete {tree}/el10/repodata*" in complaint


@pytest.fixture
def secrets(signer: Any, key: str, host: Path) -> dict[str, str]:
    exported = signer.gpg("--armor", "--export-secret-keys", key)
    return {"FOCUSD_REPOSITORY_GPG_KEY": exported, "FOCUSD_REPOSITORY_TARGET": str(host)}


@pytest.fixture
def built(rpm: Any, tmp_path: Path) -> Path:
    (tmp_path / "built").mkdir()
    shutil.copy(rpm("a", "3"), tmp_path / "built")
    return tmp_path / "built"


@pytest.mark.parametrize("spoil", SPOILING.values(), ids=SPOILING)
def test_a_host_whose_metadata_were_spoilt_is_named_by_the_workflow_and_mended_by_hand(
    do: Any,
    complaint: Any,
    publish: Any,
    reader: Any,
    tree: Path,
    host: Path,
    built: Path,
    secrets: dict[str, str],
    tmp_path: Path,
    contents: Any,
    spoil: Spoil,
) -> None:
    do("push", tree, host)
    spoil(host / "el9/repodata")
    before = contents(host)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    said = complaint("release.py", built, TMPDIR=str(scratch), **secrets)

    assert f"The metadata in {host}/el9 cannot be read: " in said
    assert f"Delete {host}/el9/repodata*" in said
    assert str(scratch) not in said
    assert contents(host) == before
    delete_metadata(host / "el9")
    do("pull", tmp_path / "mine", host)
    publish(tmp_path / "mine", *(tmp_path / "mine/el9").glob("*.rpm"))
    do("push", tmp_path / "mine", host)
    assert reader(host / "el9") == PACKAGES
    do("release.py", built, **secrets)
    assert reader(host / "el9") == PACKAGES | {"a-3-1.el9.noarch.rpm"}
    assert reader(host / "el10") == {"a-1-1.el10.noarch.rpm"}


def test_a_spoilt_host_is_named_by_pull_too(
    do: Any, complaint: Any, tree: Path, host: Path, tmp_path: Path
) -> None:
    do("push", tree, host)
    empty(host / "el9/repodata/repomd.xml")

    assert f"pull: The metadata in {host}/el9 cannot be read: " in complaint("pull", tmp_path / "mine", host)


def test_a_package_of_the_host_that_was_cut_is_named_by_the_workflow(
    do: Any, complaint: Any, tree: Path, host: Path, built: Path, secrets: dict[str, str]
) -> None:
    do("push", tree, host)
    cut(host / "el9/a-1-1.el9.noarch.rpm")

    assert f"\n{host}/el9/a-1-1.el9.noarch.rpm: " in complaint("release.py", built, **secrets)


def test_a_tree_that_was_spoilt_is_mended_by_a_pull(do: Any, tree: Path, host: Path, contents: Any) -> None:
    do("push", tree, host)
    empty(tree / "el9/repodata/repomd.xml")
    delete_metadata(tree / "el9")

    do("pull", tree, host)

    assert contents(tree) == contents(host)
    assert (tree / "el9/repodata/repomd.xml").read_text()


def test_a_host_that_was_spoilt_is_mended_by_a_push_of_the_tree_that_it_has(
    do: Any, tree: Path, host: Path, contents: Any
) -> None:
    do("push", tree, host)
    empty(host / "el9/repodata/repomd.xml")
    cut(primary(host / "el10/repodata"))
    cut(host / "el9/a-1-1.el9.noarch.rpm")

    do("push", tree, host)

    assert contents(host) == contents(tree)


@pytest.mark.parametrize("spoil", [spoil for name, spoil in SPOILING.items() if "link" not in name])
@pytest.mark.parametrize("again", [1, 2])
def test_older_metadata_that_were_spoilt_are_cleared_away_and_no_package_with_them(
    program: Any, key: str, publish: Any, reader: Any, rpm: Any, tmp_path: Path, spoil: Spoil, again: int
) -> None:
    """What they listed is not known any more, so nobody can say that it is not wanted."""
    tree = tmp_path / "tree"
    for version in "12":
        publish(tree, rpm("a", version), "--keep", 1)
    (before,) = tree.glob("el9/repodata.1-*")
    spoil(before)

    for version in range(3, 3 + again):
        ended = program("publish.py", tree, rpm("a", str(version)), "--key", key, "--keep", 1)
        assert ended.returncode == 0, ended
        assert f"{tree}/el9/a-1-1.el9.noarch.rpm is listed nowhere" in ended.stderr

    assert reader(tree / "el9") == {f"a-{version}-1.el9.noarch.rpm"}
    assert not before.exists()
    assert (tree / "el9/a-1-1.el9.noarch.rpm").exists()


def test_metadata_that_came_half_and_that_no_reader_sees_are_cleared_away(
    publish: Any, reader: Any, rpm: Any, tree: Path
) -> None:
    half = tree / "el9/repodata.3-0123abcd"
    half.mkdir()
    empty(half / "repomd.xml")

    publish(tree, rpm("a", "3"))

    assert reader(tree / "el9") == PACKAGES | {"a-3-1.el9.noarch.rpm"}
    assert not half.exists()


def test_the_latest_older_metadata_that_are_whole_stay_for_readers_under_way(
    publish: Any, reader: Any, rpm: Any, tree: Path
) -> None:
    fetch = reader.under_way(tree / "el9")
    (before,) = tree.glob("el9/repodata.1-*")
    spoilt = tree / "el9/repodata.1-ffffffff"
    spoilt.mkdir()
    empty(spoilt / "repomd.xml")

    publish(tree, rpm("a", "2"))

    assert before.exists()
    assert not spoilt.exists()
    fetch()
