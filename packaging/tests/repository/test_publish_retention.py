"""Which versions of a package stay in a tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

KEEP_NONE = """\
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from publish import publish
from yumtree.plan import Rules
from yumtree.program import run_program
from yumtree.tree import Tree
tree, rpm, key = sys.argv[1:]
sys.exit(run_program("it", Path(tree), lambda: publish(Tree(Path(tree)), [Path(rpm)], key, Rules(keep=0))))
"""


def offered(reader: Any, tree: Path) -> set[str]:
    """The packages for Enterprise Linux 9, by name and version."""
    return {name.split("-1.el")[0] for name in reader(tree / "el9")}


def test_the_last_versions_stay_and_the_others_leave_the_list_first(
    publish: Any, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    publish(tree, rpm("a", "9"), rpm("b", "1"), "--keep", 2)
    publish(tree, rpm("a", "10"), "--keep", 2)
    fetch = reader.under_way(tree / "el9")

    printed = publish(tree, rpm("a", "11"), "--keep", 2)

    assert printed == "el9: added a 11-1.el9. No longer listed: a 9-1.el9.\n"
    assert offered(reader, tree) == {"a-10", "a-11", "b-1"}
    # Somebody may be fetching it.
    assert (tree / "el9/a-9-1.el9.noarch.rpm").exists()
    fetch()
    publish(tree, rpm("a", "12"), "--keep", 2)
    assert not (tree / "el9/a-9-1.el9.noarch.rpm").exists()
    assert (tree / "el9/a-10-1.el9.noarch.rpm").exists()
    assert len(list(tree.glob("el9/repodata.*"))) == 2


def test_five_versions_stay_where_nothing_is_said(
    publish: Any, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    publish(tmp_path / "tree", *(rpm("a", str(number)) for number in range(1, 6)))
    publish(tmp_path / "tree", rpm("a", "6"))

    assert offered(reader, tmp_path / "tree") == {f"a-{number}" for number in range(2, 7)}


def test_an_old_version_that_the_newest_needs_stays(
    publish: Any, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    """The newest a needs b 2, and that one needs c 1. Nobody needs b 1 or c 2."""
    publish(
        tmp_path / "tree",
        *(rpm("a", "1"), rpm("a", "2", requires="Requires: b = 2-1.el9")),
        *(rpm("b", "1"), rpm("b", "2", requires="Requires: c < 2"), rpm("b", "3"), rpm("b", "4")),
        *(rpm("c", "1"), rpm("c", "2"), rpm("c", "3")),
        *("--keep", 1),
    )

    assert offered(reader, tmp_path / "tree") == {"a-2", "b-2", "b-4", "c-1", "c-3"}


def test_a_package_of_which_nothing_would_stay_is_refused(
    publish: Any, program: Any, key: str, reader: Any, rpm: Any, tmp_path: Path
) -> None:
    """Whatever the rules say: no program asks for it."""
    tree, script = tmp_path / "tree", tmp_path / "keep_none.py"
    publish(tree, rpm("a", "1"), rpm("b", "1"))
    script.write_text(KEEP_NONE.format(folder=str(Path(__file__).parents[2] / "repository")))

    ended = program(script, tree, rpm("a", "2"), key)

    assert ended.returncode == 1
    assert f"No version of a would be listed in {tree}/el9" in ended.stderr
    assert f"No version of b would be listed in {tree}/el9" in ended.stderr
    assert offered(reader, tree) == {"a-1", "b-1"}
