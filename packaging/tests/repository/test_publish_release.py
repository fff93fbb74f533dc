"""release.py, which does it all in the workflow: pull, publish, push."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "repository/README.md"
BOUND_S = 60


@pytest.fixture
def built(rpm: Any, tmp_path: Path) -> Path:
    """What the two builds have made, as the workflow downloads it."""
    for dist in ("el9", "el10"):
        (tmp_path / "built" / dist).mkdir(parents=True)
        shutil.copy(rpm("a", "1", dist), tmp_path / "built" / dist)
        shutil.copy(rpm("a", "1", dist, source=True), tmp_path / "built" / dist)
    return tmp_path / "built"


@pytest.fixture
def secrets(signer: Any, key: str, host: Path) -> dict[str, str]:
    exported = signer.gpg("--armor", "--export-secret-keys", key)
    return {"FOCUSD_REPOSITORY_GPG_KEY": exported, "FOCUSD_REPOSITORY_TARGET": str(host)}


def test_it_publishes_what_was_built_and_leaves_no_secret(
    do: Any, reader: Any, rpm: Any, built: Path, secrets: dict[str, str], host: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    do("release.py", built, TMPDIR=str(scratch), **secrets)
    shutil.copy(rpm("a", "2"), built)

    do("release.py", built, TMPDIR=str(scratch), **secrets)

    assert reader(host / "el9") == {"a-1-1.el9.noarch.rpm", "a-2-1.el9.noarch.rpm"}
    assert reader(host / "el10") == {"a-1-1.el10.noarch.rpm"}
    assert reader(host / "el10/source") == {"a-1-1.el10.src.rpm"}
    assert list(scratch.iterdir()) == []


def test_without_secrets_it_stops_and_says_so(program: Any, built: Path) -> None:
    # This is what a workflow gives for a secret that is not set.
    ended = program("release.py", built, FOCUSD_REPOSITORY_GPG_KEY="", FOCUSD_REPOSITORY_TARGET="")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(
        "4 packages are built and not published: none of FOCUSD_REPOSITORY_GPG_KEY,"
    )


@pytest.mark.parametrize("missing", ["FOCUSD_REPOSITORY_GPG_KEY", "FOCUSD_REPOSITORY_TARGET"])
def test_half_of_the_secrets_is_a_mistake(
    complaint: Any, built: Path, secrets: dict[str, str], host: Path, missing: str, contents: Any
) -> None:
    secrets[missing] = ""

    assert f"{missing}" in complaint("release.py", built, **secrets)
    assert contents(host) == {}


def test_a_host_needs_an_ssh_key(complaint: Any, built: Path, secrets: dict[str, str]) -> None:
    secrets["FOCUSD_REPOSITORY_TARGET"] = "repo@host:/srv"

    assert "FOCUSD_REPOSITORY_SSH_KEY, FOCUSD_REPOSITORY_KNOWN_HOSTS" in complaint(
        "release.py", built, **secrets
    )


def test_a_key_that_is_none_is_said(complaint: Any, built: Path, secrets: dict[str, str]) -> None:
    secrets["FOCUSD_REPOSITORY_GPG_KEY"] = "no key"

    assert "holds 0" in complaint("release.py", built, **secrets)


def test_nothing_built_is_said(complaint: Any, secrets: dict[str, str], host: Path) -> None:
    assert "There is no RPM below" in complaint("release.py", host, **secrets)


def test_a_refusal_reaches_the_workflow_and_the_host_stays(
    do: Any, complaint: Any, rpm: Any, built: Path, secrets: dict[str, str], host: Path, contents: Any
) -> None:
    do("release.py", built, **secrets)
    before = contents(host)
    shutil.copy(rpm("a", "0.9"), built)

    assert "goes backwards" in complaint("release.py", built, **secrets)
    assert contents(host) == before


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_no_number_of_versions_to_keep_empties_the_host(
    do: Any, program: Any, built: Path, secrets: dict[str, str], host: Path, number: str, contents: Any
) -> None:
    do("release.py", built, **secrets)
    before = contents(host)

    ended = program("release.py", built, "--keep", number, **secrets)

    assert ended.returncode == 2
    assert "should be a whole number from 1 on" in ended.stderr
    assert contents(host) == before


def test_the_number_of_versions_to_keep_is_heeded(
    do: Any, reader: Any, rpm: Any, built: Path, secrets: dict[str, str], host: Path
) -> None:
    do("release.py", built, **secrets)
    shutil.copy(rpm("a", "2"), built)

    do("release.py", built, "--keep", 1, **secrets)

    assert reader(host / "el9") == {"a-2-1.el9.noarch.rpm"}


def test_what_was_built_of_changes_that_nobody_committed_is_refused(
    do: Any, complaint: Any, rpm: Any, built: Path, secrets: dict[str, str], host: Path, contents: Any
) -> None:
    do("release.py", built, **secrets)
    before = contents(host)
    # The release of build.py: `.dirty` comes before the distribution.
    for dist in ("dirty.el9", "dirty.el10"):
        shutil.copy(rpm("a", "2", dist), built)

    said = complaint("release.py", built, **secrets)

    assert "a 2-1.dirty.el9 was built of a tree with changes that were not committed" in said
    assert "a 2-1.dirty.el10 was built" in said
    assert contents(host) == before


def test_the_key_that_the_readme_makes_signs_and_is_one_that_every_rpm_verifies(
    do: Any, built: Path, host: Path, tmp_path: Path
) -> None:
    lines = re.findall(r"^gpg .*$", README.read_text(), re.MULTILINE)
    # gpg's socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        env = {**os.environ, "GNUPGHOME": home, "LC_ALL": "C"}
        exported = "".join(shell(line, env) for line in lines)
        made = shell("gpg --batch --with-colons --list-secret-keys", env)
        shell("gpgconf --kill all", env)
    (key,) = [line.split(":") for line in made.splitlines() if line.startswith("sec:")]
    rsa, never = "1", ""

    do("release.py", built, FOCUSD_REPOSITORY_GPG_KEY=exported, FOCUSD_REPOSITORY_TARGET=str(host))
    assert (host / "el9/repodata/repomd.xml.asc").is_file()
    # What else it is, of the columns that gpg has for it: it may sign, and certify itself.
    assert (key[2], key[3], key[6], key[11].lower()) == ("4096", rsa, never, "scsc")


def shell(line: str, env: dict[str, str]) -> str:
    ended = subprocess.run(
        ["sh", "-c", line], env=env, capture_output=True, text=True, check=True, timeout=BOUND_S
    )
    return ended.stdout
