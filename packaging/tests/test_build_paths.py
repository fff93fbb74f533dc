"""Building with packaging/rpm/build.py where paths have a space, or what rpm takes for a macro."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from support.bench import Bench
from support.building import Built, names
from support.releases import EL9
from support.workshop import Workshop


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.source = bench.source.rename(bench.folder / "with space")
    bench.out = bench.folder / "a b/50% {out}"
    bench.env["TMPDIR"] = str(bench.folder / "temporary")
    (bench.folder / "temporary").mkdir()
    return bench


def place(bench: Bench) -> Path:
    """Where the last build was."""
    return Path(bench.focuser.env["HOME"]).parents[2]


def test_it_builds_in_another_place_and_leaves_nothing_there(bench: Bench) -> None:
    said = bench.build().ok()

    assert str(bench.out / "el9/rockit-focuser-ok3z-1.noarch.rpm") in said.splitlines()
    assert {path.name for path in (bench.out / "el9").iterdir()} == {
        "rockit-focuser-ok3z-1.noarch.rpm",
        "python3-rockit-common-1.noarch.rpm",
    }
    values = [
        value for option, value in zip(bench.focuser.words, bench.focuser.words[1:]) if option == "--define"
    ]
    assert [value for value in values if len(value.split()) != 2 or "%" in value] == []
    assert " " not in bench.focuser.words[-1]
    assert bench.focuser.archive()
    assert list((bench.folder / "temporary").iterdir()) == []


def test_the_place_is_the_same_each_time_and_another_one_for_another_folder(bench: Bench) -> None:
    places = []
    for out in (bench.out, bench.out, bench.folder / "a c"):
        bench.out = out
        bench.build().ok()
        places.append(bench.focuser.env["HOME"])

    assert places[0] == places[1]
    assert places[0] != places[2]


def test_what_a_killed_build_has_left_is_cleared_away(bench: Bench) -> None:
    bench.build().ok()
    left = place(bench)
    (left / "el9").mkdir(parents=True)

    bench.build().ok()
    assert not left.exists()


def test_what_somebody_else_has_put_there_is_not_used(bench: Bench) -> None:
    bench.build().ok()
    (bench.folder / "elsewhere").mkdir()
    # A link, which is not followed.
    taken = place(bench)
    taken.symlink_to(bench.folder / "elsewhere")

    bench.build().refused(f"rpm cannot build in {bench.out}", str(taken), "--out")
    assert bench.built_nothing()
    assert list((bench.folder / "elsewhere").iterdir()) == []


def test_a_temporary_folder_like_that_is_not_used_either(bench: Bench) -> None:
    bench.env["TMPDIR"] = str(bench.folder / "with space")
    bench.build().ok()
    assert bench.focuser.env["HOME"].startswith("/tmp/focusd-rpm-")
    assert not place(bench).exists()


def test_the_packages_hold_what_those_of_other_paths_do(
    workshop: Workshop, built: Built, tmp_path: Path
) -> None:
    """With the real rpmbuild, in a clone whose name has a space."""
    other = built.rpms(EL9.name)
    source = shutil.copytree(workshop.folder / f"source/{built.version.name}", tmp_path / "with space")
    script, out = source / "packaging/rpm/build.py", source / "dist/a rpm"

    workshop.run(sys.executable, script, "--source", source, "--dist", EL9.name, "--out", out).ok()
    found = names(workshop, [path for path in (out / EL9.name).iterdir() if "src.rpm" not in path.name])
    assert {name: contents(workshop, path) for name, path in found.items()} == {
        name: contents(workshop, path) for name, path in other.items()
    }


def contents(workshop: Workshop, path: Path) -> str:
    """What a package is called, and its files: names, sizes, times, digests."""
    words = ("rpm", "-qp", "--nosignature", "--dump", "--qf", "%{NEVRA}\n")
    return workshop.run(*words, path).ok()
