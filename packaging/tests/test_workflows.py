"""The workflows: what they name is there, and their lines do what they should."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from support.publishing import Forge, Publishing, Signer
from support.shell import run
from support.sources import PROJECT

WORKFLOWS = PROJECT / ".github/workflows"
NAMES = sorted(path.name for path in WORKFLOWS.iterdir())
# Debian's Python has the reader (python3-yaml). BaseLoader leaves "on" and numbers as they are written.
TO_JSON = "import json, sys, yaml; json.dump(yaml.load(open(sys.argv[1]), yaml.BaseLoader), sys.stdout)"
# What no specification names: what the macros find that a build with setuptools requires, and what builds.
BUILD_TOOLS = {
    *("python3-packaging", "python3-pip", "python3-setuptools", "python3-wheel"),
    *("git", "rpm-build"),
}
SECRET = re.compile(r"secrets\.([A-Z_]+)")


def load(name: str) -> dict[str, Any]:
    said = run("/usr/bin/python3", "-c", TO_JSON, WORKFLOWS / name, env={}).ok()
    found: dict[str, Any] = json.loads(said)
    return found


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in load(name)["jobs"].values():
        yield from job.get("steps", [])


def runs(name: str) -> list[str]:
    return [step["run"] for step in steps(name) if "run" in step]


def run_of(name: str, word: str) -> str:
    (found,) = [line for line in runs(name) if word in line]
    return str(found)


def test_lines_are_shell_and_what_they_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert NAMES == ["publish.yml", "test.yml"]
    for name in NAMES:
        text = (WORKFLOWS / name).read_text()
        for path in re.findall(r"(?:\./)?((?:\.github|packaging|\.ci)/[\w./-]*\w)", text):
            assert (PROJECT / path).exists(), path
        for line in runs(name):
            run("bash", "-n", "-c", line, env={}).ok()
            assert "${{" not in line, "what comes from outside belongs in the environment"
            words = shlex.split(line)
            assert words[0] != "make" or words[1] in targets, line


def test_a_workflow_may_only_read_uses_githubs_own_actions_and_has_an_end() -> None:
    for name in NAMES:
        found = load(name)
        assert found["permissions"] == {"contents": "read"}
        for job in found["jobs"].values():
            assert "permissions" not in job
            assert "uses" in job or 0 < int(job["timeout-minutes"]) <= 60
        # Pinned by a commit, which a person cannot read.
        pinned = r"uses: (actions/[a-z-]+@[0-9a-f]{40}) # v[0-9]+\.[0-9]+\.[0-9]+$"
        used = [step for step in steps(name) if "uses" in step]
        assert re.findall(pinned, (WORKFLOWS / name).read_text(), re.MULTILINE) == [
            step["uses"] for step in used
        ]
        for step in used:
            if step["uses"].startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false"


def test_every_push_and_every_pull_request_is_tested_once() -> None:
    tested, published = load("test.yml")["on"], load("publish.yml")["on"]

    assert tested["push"] == {"branches-ignore": ["master"]}
    assert "pull_request" in tested
    assert "workflow_call" in tested
    assert published == {"push": {"branches": ["master"], "tags": ["v*"]}}
    assert load("publish.yml")["jobs"]["test"]["uses"] == "./.github/workflows/test.yml"


def test_the_pythons_are_those_of_the_continuous_integration() -> None:
    matrix = load("test.yml")["jobs"]["program"]["strategy"]["matrix"]["include"]
    script = (PROJECT / ".ci/run").read_text()
    versions = re.search(r"^VERSIONS=\((.*)\)$", script, re.MULTILINE)
    constraints = re.search(r"^declare -A CONSTRAINTS=\(\[(.*)\]=(.*)\)$", script, re.MULTILINE)

    assert versions
    assert constraints
    assert [row["python"] for row in matrix] == versions[1].split()
    assert {row["python"]: row["constraints"] for row in matrix if "constraints" in row} == {
        constraints[1]: constraints[2]
    }


def test_the_debian_packages_are_those_of_the_continuous_integration() -> None:
    script = (PROJECT / ".ci/run").read_text()
    for array, one_of_them in (
        ("DEBIAN", "createrepo-c"),
        ("BROWSER", "chromium"),
        ("INDI", "indi-bin"),
        ("MONITORING", "prometheus"),
    ):
        listed = re.search(rf"^{array}_PACKAGES=\((.*?)\)", script, re.MULTILINE | re.DOTALL)

        assert listed
        assert set(listed[1].split()) <= set(run_of("test.yml", one_of_them).split())


def test_the_temporary_folder_of_the_packages_is_no_overlay() -> None:
    """In a container it would be one, and the kernel lays no overlay over another: no test could boot a machine."""
    assert "--volume /tmp" in load("test.yml")["jobs"]["packages"]["container"]["options"]


def test_publishing_waits_for_all_before_it_and_nothing_else_waits_for_another() -> None:
    """Of those that wait in a group GitHub keeps the last one, and cancels the others: they would go untested."""
    jobs = load("publish.yml")["jobs"]

    assert jobs["build"]["needs"] == "test"
    assert jobs["publish"]["needs"] == "build"
    assert jobs["publish"]["concurrency"] == {"group": "publish", "cancel-in-progress": "false"}
    for found in map(load, NAMES):
        assert "concurrency" not in found
        assert [job for job, what in found["jobs"].items() if "concurrency" in what] in ([], ["publish"])


def test_both_releases_are_built_in_their_own_container_and_all_packages_arrive() -> None:
    build = load("publish.yml")["jobs"]["build"]
    rows = build["strategy"]["matrix"]["include"]
    (upload,) = [step["with"] for step in build["steps"] if step.get("uses", "").startswith("actions/upload")]

    assert {row["dist"]: row["image"].rpartition(":")[2] for row in rows} == {"el9": "9", "el10": "10"}
    assert build["container"]["image"] == "${{ matrix.image }}"
    assert upload["path"] == "dist/rpm/${{ matrix.dist }}/*.rpm"
    assert upload["if-no-files-found"] == "error"
    # Two artifacts of one name would be refused.
    assert "matrix.dist" in upload["name"]


def test_what_the_specifications_require_is_installed_before_the_build() -> None:
    line = run_of("publish.yml", "dnf").split()
    required = set()
    for spec in (PROJECT / "packaging/rpm").glob("*.spec"):
        required |= set(re.findall(r"^BuildRequires:\s+(\S+)", spec.read_text(), re.MULTILINE))

    assert required
    assert required | BUILD_TOOLS <= set(line)
    # And a person is told the same packages.
    told = runpy.run_path(str(PROJECT / "packaging/rpm/tools.py"))["EL_PACKAGES"]
    assert set(told.split()) | {"$MORE"} == set(line[line.index("install") + 1 :])
    order = [
        re.split("[ @]", step.get("run", step.get("uses", "")))[0]
        for step in load("publish.yml")["jobs"]["build"]["steps"]
    ]
    assert order[:3] == ["dnf", "actions/checkout", "python3"]


def test_a_tag_is_built_as_such() -> None:
    (step,) = [step for step in steps("publish.yml") if "build.py" in step.get("run", "")]
    assert step["env"] == {"TAG": "${{ github.ref_type == 'tag' && github.ref_name || '' }}"}
    for tag, more in {"": [], "v1.2.3": ["--tag", "v1.2.3"], "v1 $(id)": ["--tag", "v1 $(id)"]}.items():
        script = f'python3() {{ printf "%s\\n" "$@"; }}; {step["run"]}'
        words = run("bash", "-c", script, env={"TAG": tag}).ok().splitlines()
        assert words == ["packaging/rpm/build.py", "--out", "dist/rpm", *more]


def test_the_secrets_are_as_documented_and_only_one_step_has_them() -> None:
    page = (PROJECT / "packaging/repository/README.md").read_text()
    documented = re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)
    having = [step for step in steps("publish.yml") if SECRET.search(json.dumps(step))]

    assert len(documented) == 4
    assert [step["env"] for step in having] == [{name: f"${{{{ secrets.{name} }}}}" for name in documented}]
    assert having[0]["run"].startswith("python3 packaging/repository/publish.py")
    assert not SECRET.search((WORKFLOWS / "test.yml").read_text())


@pytest.mark.parametrize("with_secrets", [True, False])
def test_the_line_that_publishes_does_so_with_its_secrets(
    at: Publishing, rpm: Forge, signer: Signer, key: str, with_secrets: bool
) -> None:
    """It is run as it stands, in a checkout with the artifacts, each in a folder of its name."""
    (step,) = [step for step in steps("publish.yml") if "publish.py" in step.get("run", "")]
    (at.folder / "packaging").symlink_to(PROJECT / "packaging")
    for dist in ("el9", "el10"):
        folder = at.folder / f"packages/packages-{dist}"
        folder.mkdir(parents=True)
        shutil.copy(rpm("a", "1", dist), folder)
        shutil.copy(rpm("a", "1", dist, source=True), folder)
    env = dict.fromkeys(step["env"], "")
    if with_secrets:
        env["FOCUSD_REPOSITORY_GPG_KEY"] = signer.gpg("--armor", "--export-secret-keys", key)
        env["FOCUSD_REPOSITORY_TARGET"] = str(at.host)

    # As the runner does.
    shell = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"])
    own = {"PATH": os.environ["PATH"], "HOME": str(at.folder)}
    said = run(*shell, env={**own, **env}, cwd=at.folder).ok()

    if with_secrets:
        assert said.endswith(f"Published to {at.host}.\n")
        assert at.seen() == {
            **{dist: {"a-1"} for dist in ("el9", "el10")},
            **{f"{dist}/source": {"a-1.src"} for dist in ("el9", "el10")},
        }
    else:
        assert said.startswith("4 packages are built and not published")
