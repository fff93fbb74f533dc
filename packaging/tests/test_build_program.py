"""How packaging/rpm/build.py chooses what it builds and with what, and what it says when it cannot."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.bench import BUILD, STAMP, TREE, VERSION_FILE, Bench
from support.shell import run


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_release_is_the_time_of_the_commit_and_its_hash(bench: Bench) -> None:
    bench.build().ok()
    lines = bench.focuser.spec().splitlines()

    commit = bench.git("rev-parse", "HEAD").strip()
    assert lines == [
        "%global source_version 1.2.3",
        f"%global source_release {STAMP}.g{commit[:7]}",
        "Name: one",
    ]
    assert bench.common.spec().splitlines()[0] == "%global source_version 4.5.6"


def test_a_release_may_be_given_as_far_as_rpm_takes_it(bench: Bench) -> None:
    bench.build("--release", "7-test").refused("letters, digits and . _ + ~ ^", "'7-test'")
    assert bench.built_nothing()
    bench.build("--release", "7.test").ok()
    assert "%global source_release 7.test\n" in bench.focuser.spec()


def test_a_tag_is_of_the_version_that_is_built_and_comes_after_its_commit(bench: Bench) -> None:
    bench.build("--tag", "v1.2.3").ok()
    tagged, untagged = f"{STAMP}.g0000000.tag.el9", f"{STAMP}.g0000000.el9"
    assert re.search(rf"(?m)^%global source_release {STAMP}\.g[0-9a-f]{{7}}\.tag$", bench.focuser.spec())
    assert (
        run("rpm", "--eval", f'%{{lua: print(rpm.vercmp("{tagged}", "{untagged}"))}}', env={}).ok() == "1\n"
    )

    bench.build("--tag", "v1.2.4").refused("tag v1.2.4 should be v1.2.3", VERSION_FILE)
    bench.write("CHANGELOG.md", "## [1.2.3] - unreleased\n")
    bench.build("--tag", "v1.2.3").refused("CHANGELOG.md should have a line '## [1.2.3] - YYYY-MM-DD'")
    assert bench.built_nothing()


def test_each_archive_has_its_part_of_the_tree(bench: Bench) -> None:
    bench.build().ok()
    assert bench.focuser.archive() == {
        f"rockit-focuser-ok3z-1.2.3/{path}": text for path, text in TREE.items()
    }
    assert bench.common.archive() == {"rockit-common-4.5.6/setup.cfg": TREE["common/setup.cfg"]}
    assert (bench.common.folder / "SOURCES/LICENSE").read_text() == TREE["LICENSE"]


def test_a_change_that_is_not_committed_is_built_and_called_dirty(bench: Bench) -> None:
    bench.write(VERSION_FILE, 'VERSION = "1.2.4"\n')
    said = bench.build().ok()

    assert re.search(rf"not committed: the release is {STAMP}\.g[0-9a-f]{{7}}\.dirty", said)
    assert "%global source_version 1.2.4\n" in bench.focuser.spec()
    assert re.search(r"(?m)^%global source_release .*\.dirty$", bench.focuser.spec())
    assert bench.focuser.archive()[f"rockit-focuser-ok3z-1.2.4/{VERSION_FILE}"] == 'VERSION = "1.2.4"\n'


def test_the_same_change_gives_the_same_archive_and_leaves_the_checkout_alone(bench: Bench) -> None:
    bench.write(VERSION_FILE, 'VERSION = "1.2.4"\n')
    bench.git("status")
    before = {path: path.read_bytes() for path in bench.source.rglob("*") if path.is_file()}
    archives = []
    for _ in range(2):
        bench.build().ok()
        archives.append((bench.focuser.folder / "SOURCES/rockit-focuser-ok3z-1.2.4.tar.gz").read_bytes())
    assert archives[0] == archives[1]
    assert {path: path.read_bytes() for path in bench.source.rglob("*") if path.is_file()} == before


def test_files_that_git_does_not_track_are_named_and_left_out(bench: Bench) -> None:
    bench.write("notes.txt", "mine\n")
    said = bench.build().ok()

    assert "git does not track them: notes.txt" in said
    assert not [path for path in bench.focuser.archive() if path.endswith("notes.txt")]
    assert ".dirty" not in bench.focuser.spec()


def test_a_version_that_rpm_orders_otherwise_or_does_not_take_is_refused(bench: Bench) -> None:
    for version in ("1.2.3rc1", "1.2-3", "", "1.2.3 beta"):
        bench.write(VERSION_FILE, f'VERSION = "{version}"\n')
        bench.build().refused(VERSION_FILE, repr(version), "digits and dots")
        assert bench.built_nothing()


def test_what_is_not_the_top_of_a_checkout_is_refused(bench: Bench) -> None:
    bench.build("--source", bench.folder).refused(f"{bench.folder} cannot be used as a git checkout")
    bench.build("--source", bench.source / "common").refused("not the top", f"--source {bench.source}")


def test_on_enterprise_linux_it_builds_for_that_with_its_own_macros(bench: Bench) -> None:
    (bench.folder / ".rpmmacros").write_text("%_topdir /nonexistent\n")
    bench.env["PYTHONPATH"] = "/nonexistent"
    bench.rhel = "10.1"
    said = bench.build().ok()

    assert said.splitlines() == [
        str(bench.out / "el10/rockit-focuser-ok3z-1.noarch.rpm"),
        str(bench.out / "el10/python3-rockit-common-1.noarch.rpm"),
    ]
    assert "--nodeps" not in bench.focuser.words
    assert not {"dist", "__python3", "_dbpath"} & bench.focuser.defined
    assert {"_topdir", "_tmppath"} <= bench.focuser.defined
    assert not (bench.focuser.folder / "home/.rpmmacros").exists()


def test_nothing_of_the_callers_surroundings_is_seen(bench: Bench) -> None:
    bench.env.update(PYTHONPATH="/nonexistent", LC_ALL="de_DE.UTF-8", TZ="Asia/Tokyo", CFLAGS="-g")
    bench.build().ok()

    env = bench.focuser.env
    assert Path(env["HOME"]).is_relative_to(bench.out)
    assert env["SOURCE_DATE_EPOCH"] == bench.git("log", "-1", "--format=%ct").strip()
    assert not {"PYTHONPATH", "CFLAGS"} & env.keys()
    assert (env["LC_ALL"], env["TZ"]) == ("C.UTF-8", "UTC")


def test_on_enterprise_linux_nothing_else_can_be_chosen(bench: Bench) -> None:
    for words in (("--dist", "el10"), ("--python", sys.executable)):
        bench.build(*words).refused("builds for el9")
    bench.build("--dist", "el9").ok()


def test_a_failed_build_shows_its_end_keeps_its_log_and_names_what_to_install(bench: Bench) -> None:
    bench.code, bench.says = 1, "error: Failed build dependencies: python3-wheel"
    said = bench.build().refused(
        *("rockit-focuser-ok3z.spec was not built for el9", "ended with 1", bench.says),
        *("dnf --enablerepo=crb install", "pyproject-rpm-macros", "python3-tomli"),
        *("python3-pip", "python3-setuptools", "python3-packaging", "python3-wheel"),
    )

    [log] = re.findall(r"\S+\.log", said)
    assert Path(log).read_text() == f"{bench.says}\n"


def test_packages_of_an_earlier_build_are_replaced_by_a_build_that_succeeds(bench: Bench) -> None:
    (bench.out / "el9").mkdir(parents=True)
    (bench.out / "el9/old.rpm").touch()
    bench.code = 1
    bench.build().refused()
    assert (bench.out / "el9/old.rpm").exists()

    bench.code = 0
    bench.build().ok()
    assert {path.name for path in (bench.out / "el9").iterdir()} == {
        "rockit-focuser-ok3z-1.noarch.rpm",
        "python3-rockit-common-1.noarch.rpm",
    }


def test_two_builds_do_not_share_a_folder(bench: Bench) -> None:
    bench.build().ok()
    with (bench.out / ".work/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        bench.build().refused("Another build runs in", str(bench.out))


def test_a_missing_tool_is_named_with_what_to_install(bench: Bench) -> None:
    bench.build().ok()
    for missing in ("rpmbuild", "git"):
        tools = bench.folder / f"without-{missing}"
        tools.mkdir()
        for name in {"git", "rpm", "rpmbuild"} - {missing}:
            (tools / name).symlink_to(shutil.which(name, path=f"{bench.bin}:/usr/bin") or "")
        bench.env["PATH"] = str(tools)
        bench.build().refused(f"{missing} cannot be run", "apt-get install", "dnf --enablerepo=crb install")


def test_elsewhere_a_missing_python_is_named(bench: Bench) -> None:
    bench.rhel, bench.env["PYENV_ROOT"] = "", str(bench.folder)
    bench.build("--dist", "el9").refused(
        "el9 needs a Python 3.9", "pyenv install 3.9", f"{bench.folder}/versions"
    )


def test_elsewhere_a_python_of_no_release_is_refused(bench: Bench) -> None:
    bench.rhel = ""
    other = bench.folder / "python"
    other.write_text("#!/bin/sh\necho 3.4\n")
    other.chmod(0o755)
    bench.build("--python", other).refused(f"{other} is no Python 3.9 (el9) or 3.12 (el10)")
    bench.build("--dist", "el9", "--python", other).refused("el9 needs a Python 3.9", f"Looked at: {other}")


def test_it_is_run_from_anywhere_by_the_systems_python() -> None:
    said = subprocess.run(
        [BUILD, "--help"], cwd="/", capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "--release" in said
