"""What packaging/rpm/build.py makes of the tree, for each release of Enterprise Linux."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.building import Built
from support.releases import Release
from support.sources import PROJECT
from support.workshop import Workshop

SERVER, CLIENT = "rockit-focuser-ok3z-server", "rockit-focuser-ok3z-client"
INDI = "rockit-focuser-ok3z-indi"
MODULE, DATA = "python3-rockit-focuser-ok3z", "rockit-atlas-data-ngts-m06"
COMMON = "python3-rockit-common"
OURS = (SERVER, CLIENT, INDI, MODULE, DATA)
PAGES = {
    SERVER: ("/usr/share/man/man8/focusd.8.gz", "/usr/share/man/man1/ok3z-simulator.1.gz"),
    CLIENT: ("/usr/share/man/man1/focus.1.gz",),
    INDI: ("/usr/share/man/man1/indi_ok3z_focus.1.gz",),
}
COMPLETIONS = (
    "/usr/share/bash-completion",
    "/usr/share/bash-completion/completions",
    "/usr/share/fish",
    "/usr/share/fish/vendor_completions.d",
    "/usr/share/zsh",
    "/usr/share/zsh/site-functions",
)
BELONGS = {
    SERVER: {
        "/etc/focusd",
        "/usr/bin/focusd",
        "/usr/bin/ok3z-simulator",
        "/usr/lib/firewalld/services/focusd.xml",
        "/usr/lib/systemd/system/focusd@.service",
        "/usr/libexec/focusd",
        "/usr/libexec/focusd/after-upgrade",
        *PAGES[SERVER],
        *COMPLETIONS,
        "/usr/share/bash-completion/completions/focusd",
        "/usr/share/fish/vendor_completions.d/focusd.fish",
        "/usr/share/zsh/site-functions/_focusd",
    },
    CLIENT: {
        "/usr/bin/focus",
        *PAGES[CLIENT],
        *COMPLETIONS,
        "/usr/share/bash-completion/completions/focus",
        "/usr/share/fish/vendor_completions.d/focus.fish",
        "/usr/share/zsh/site-functions/_focus",
    },
    INDI: {
        "/usr/bin/indi_ok3z_focus",
        "/usr/share/indi",
        "/usr/share/indi/indi_ok3z_focus.xml",
        *PAGES[INDI],
    },
    DATA: {
        "/etc/focusd",
        "/etc/focusd/ngts_m06.json",
        "/usr/lib/udev/rules.d/70-focuser-ngts_m06.rules",
    },
}
PROGRAMS = {
    "/usr/bin/focus": "#!/usr/bin/python3",
    "/usr/bin/focusd": "#!/usr/bin/python3",
    "/usr/bin/indi_ok3z_focus": "#!/usr/bin/python3",
    "/usr/bin/ok3z-simulator": "#!/usr/bin/python3",
    "/usr/libexec/focusd/after-upgrade": "#!/bin/sh",
}
SHIPPED_AS_IT_IS = {
    "/usr/lib/systemd/system/focusd@.service": "packaging/focusd@.service",
    "/usr/lib/firewalld/services/focusd.xml": "packaging/focusd.xml",
    "/usr/libexec/focusd/after-upgrade": "packaging/rpm/after-upgrade",
    "/usr/share/indi/indi_ok3z_focus.xml": "packaging/indi_ok3z_focus.xml",
    "/usr/lib/udev/rules.d/70-focuser-ngts_m06.rules": "packaging/70-focuser-ngts_m06.rules",
    "/etc/focusd/ngts_m06.json": "ngts_m06.json",
    "/usr/share/bash-completion/completions/focusd": "packaging/completions/focusd.bash",
    "/usr/share/fish/vendor_completions.d/focus.fish": "packaging/completions/focus.fish",
    "/usr/share/zsh/site-functions/_focus": "packaging/completions/_focus",
}


class Entry(NamedTuple):
    """A file or folder of a package, as rpm has it."""

    path: str
    mode: str
    owner: str
    flags: str


class Package:
    """A package, read by rpm."""

    def __init__(self, workshop: Workshop, path: Path) -> None:
        self._workshop, self._path = workshop, path

    def tag(self, query: str) -> str:
        return self._workshop.run("rpm", "-qp", "--nosignature", "--qf", query, self._path).ok()

    def entries(self) -> list[Entry]:
        lines = self.tag(
            "[%{FILENAMES}|%{FILEMODES:perms}|%{FILEUSERNAME}:%{FILEGROUPNAME}|%{FILEFLAGS:fflags}\n]"
        )
        return [Entry(*line.split("|")) for line in lines.splitlines()]

    def paths(self) -> set[str]:
        return {entry.path for entry in self.entries()}

    def relations(self, kind: str) -> set[str]:
        """What it requires, provides or obsoletes, but for what rpm itself must be able to do."""
        option = {"REQUIRE": "--requires", "PROVIDE": "--provides", "OBSOLETE": "--obsoletes"}[kind]
        said = self._workshop.run("rpm", "-qp", "--nosignature", option, self._path).ok()
        return {line.strip() for line in said.splitlines() if not line.startswith("rpmlib(")}

    def unpack(self, folder: Path) -> Path:
        archive = subprocess.run(
            ["rpm2cpio", self._path], env=self._workshop.env, capture_output=True, timeout=60, check=True
        )
        command = ["cpio", "--extract", "--make-directories", "--quiet", "--no-absolute-filenames"]
        subprocess.run(command, cwd=folder, input=archive.stdout, timeout=60, check=True)
        return folder


class Packages:
    """Those of one release, by their names."""

    def __init__(self, workshop: Workshop, built: Built, release: Release) -> None:
        self.by_name = {name: Package(workshop, path) for name, path in built.rpms(release.name).items()}
        self.sources = [Package(workshop, path) for path in built.sources(release.name)]
        self.evr = self.by_name[SERVER].tag("%{EPOCH}:%{VERSION}-%{RELEASE}")

    def __getitem__(self, name: str) -> Package:
        return self.by_name[name]

    def __iter__(self) -> Iterator[Package]:
        return iter(self.by_name.values())


@pytest.fixture
def packages(workshop: Workshop, built: Built, release: Release) -> Packages:
    return Packages(workshop, built, release)


@pytest.fixture
def unpacked(packages: Packages, tmp_path: Path) -> Path:
    """The files of all of them."""
    for package in packages:
        package.unpack(tmp_path)
    return tmp_path


def documents(name: str) -> tuple[str, str]:
    return f"/usr/share/doc/{name}", f"/usr/share/licenses/{name}"


def test_all_packages_are_made_for_any_machine(packages: Packages) -> None:
    assert set(packages.by_name) == {*OURS, COMMON}
    assert {package.tag("%{NAME}") for package in packages.sources} == {"rockit-focuser-ok3z", COMMON}
    assert {package.tag("%{ARCH}") for package in packages} == {"noarch"}


def test_each_package_has_its_files_and_no_others(packages: Packages) -> None:
    for name, belongs in BELONGS.items():
        paths = {path for path in packages[name].paths() if not path.startswith(documents(name))}
        assert paths == belongs, name


@pytest.mark.parametrize(
    ("name", "tree", "package"),
    [(MODULE, "src", "rockit/focuser/ok3z"), (COMMON, "common/src", "rockit/common")],
)
def test_a_module_is_complete_with_bytecode_of_its_own_python(
    packages: Packages, release: Release, name: str, tree: str, package: str
) -> None:
    top = f"/{release.site_packages}/"
    paths = {path[len(top) :] for path in packages[name].paths() if path.startswith(top)}
    # Folders have no suffix.
    files = {path for path in paths if path.startswith("rockit/") and Path(path).suffix not in ("", ".pyc")}
    code = {path for path in files if path.endswith(".py")}
    bytecode = {path for path in paths if path.endswith(".pyc")}
    source = [path for path in (PROJECT / tree / package).rglob("*") if path.is_file()]

    relative = {str(path.relative_to(PROJECT / tree)) for path in source if "__pycache__" not in path.parts}
    assert files == relative
    tag = f"cpython-{release.python.replace('.', '')}"
    expected = (re.sub(r"([^/]+)\.py$", rf"__pycache__/\1.{tag}", path) for path in code)
    assert bytecode == {f"{path}{level}.pyc" for path in expected for level in ("", ".opt-1")}


def test_a_module_shares_no_folder_but_its_name_space(packages: Packages, release: Release) -> None:
    top = f"/{release.site_packages}"
    module, common = (
        {path for path in packages[name].paths() if path.startswith(top)} for name in (MODULE, COMMON)
    )

    assert module & common == {f"{top}/rockit"}
    assert {f"{top}/rockit/focuser", f"{top}/rockit/focuser/ok3z"} <= module


def test_the_wheel_has_the_name_and_version_of_the_project(
    unpacked: Path, release: Release, built: Built
) -> None:
    number = built.version.number
    info = unpacked / release.site_packages / f"rockit_focuser_ok3z-{number}.dist-info"

    assert f"\nName: rockit-focuser-ok3z\nVersion: {number}\n" in (info / "METADATA").read_text()
    assert (info / "INSTALLER").read_text() == "rpm\n"
    assert not (info / "RECORD").exists()


def test_it_was_built_with_the_tools_of_the_release(
    packages: Packages, workshop: Workshop, release: Release
) -> None:
    python = workshop.folder / f"building-{release.name}/.work/venv-{release.name}/bin/python3"
    program = "import setuptools, sys; print('%d.%d' % sys.version_info[:2], setuptools.__version__)"

    setuptools = {"el9": "53.0.0", "el10": "69.0.3"}[release.name]
    assert workshop.run(python, "-c", program).ok().split() == [release.python, setuptools]


def test_everything_is_roots_and_only_root_may_write_it(packages: Packages) -> None:
    for entry in (entry for package in packages for entry in package.entries()):
        expected = "-rwxr-xr-x" if entry.path in PROGRAMS else "-rw-r--r--"
        assert entry.mode == ("drwxr-xr-x" if entry.mode.startswith("d") else expected), entry
        assert entry.owner == "root:root", entry


def test_only_what_an_operator_edits_is_configuration(packages: Packages) -> None:
    flagged = {
        entry.path: entry.flags for package in packages for entry in package.entries() if "c" in entry.flags
    }
    assert flagged == {"/etc/focusd/ngts_m06.json": "cn"}


def test_each_package_has_the_licence_and_programs_have_their_documents(packages: Packages) -> None:
    for name, package in packages.by_name.items():
        _, licences = documents(name)
        assert {entry.path for entry in package.entries() if "l" in entry.flags} == {f"{licences}/LICENSE"}
    for name in (SERVER, CLIENT, MODULE):
        folder, _ = documents(name)
        texts = {entry.path for entry in packages[name].entries() if "d" in entry.flags}
        assert {f"{folder}/README.md", f"{folder}/CHANGELOG.md"} <= texts
    assert f"{documents(SERVER)[0]}/docs/troubleshooting.md" in packages[SERVER].paths()
    monitoring = {f"{documents(SERVER)[0]}/monitoring/{name}" for name in ("alerts.yml", "dashboard.json")}
    assert monitoring <= set(packages[SERVER].paths())
    examples = {f"{documents(MODULE)[0]}/{name}" for name in ("python.md", "examples/focus_sweep.py")}
    assert examples <= set(packages[MODULE].paths())


def test_what_they_require(packages: Packages, release: Release) -> None:
    dist = f"python{release.python}dist"
    libraries = {f"{dist}(jsonschema) >= 3.2", f"{dist}(pyro4) >= 4.80", f"{dist}(rich) >= 13.1"}
    abi = f"python(abi) = {release.python}"
    module = f"{MODULE} = {packages.evr}"
    interpreters = {"/usr/bin/python3"}

    assert packages[COMMON].relations("REQUIRE") == {abi, *libraries}
    assert packages[MODULE].relations("REQUIRE") == {
        *(abi, *libraries, f"{dist}(pyserial) >= 3.4", f"{dist}(rockit-common)")
    }
    assert packages[CLIENT].relations("REQUIRE") == {module, *interpreters}
    assert packages[SERVER].relations("REQUIRE") == {
        *(module, *interpreters, "/bin/sh", "systemd", "firewalld-filesystem")
    }
    assert packages[DATA].relations("REQUIRE") == {f"config({DATA}) = {packages.evr}"}


def test_what_they_provide(packages: Packages, release: Release) -> None:
    dist = f"python{release.python}dist"
    for name in (*OURS, COMMON):
        evr = packages.evr if name != COMMON else packages[COMMON].tag("%{VERSION}-%{RELEASE}")
        assert f"{name} = {evr}" in packages[name].relations("PROVIDE")
    assert f"{dist}(rockit-common) = 1" in packages[COMMON].relations("PROVIDE")
    assert f"{dist}(rockit-focuser-ok3z) = 1" in packages[MODULE].relations("PROVIDE")


def test_which_of_two_packages_is_newer(packages: Packages, workshop: Workshop) -> None:
    """Ours are newer than those that observatories have. An observatory's own rockit.common stays."""
    common = packages[COMMON].tag("%{EPOCH}:%{VERSION}-%{RELEASE}")
    orders = {
        "20991231235959-1.el10": packages.evr,
        common.removeprefix("(none):"): "20240712-1.el9",
        # What the data package was called before goes.
        "20991231235959-1.el9": "1:0",
        "1:0": packages.evr,
    }

    assert {packages[name].tag("%{EPOCH}") for name in OURS} == {"1"}
    assert common.startswith("(none):")
    for older, newer in orders.items():
        asked = f'%{{lua: print(rpm.vercmp("{older}", "{newer}"))}}'
        assert int(workshop.run("rpm", "--eval", asked).ok()) == -1, (older, newer)


def test_the_data_package_takes_the_place_of_its_old_name(packages: Packages) -> None:
    old = "rockit-focuser-ok3z-data-ngts-m06"
    assert packages[DATA].relations("OBSOLETE") == {f"{old} < 1:0"}
    assert f"{old} = {packages.evr}" in packages[DATA].relations("PROVIDE")


def test_the_release_says_when_and_which_commit(packages: Packages, release: Release) -> None:
    assert re.fullmatch(
        rf"1:[0-9.]+-20261101120000\.g[0-9a-f]{{7}}\.{release.name}",
        packages.evr,
    )


def test_programs_are_started_by_the_systems_interpreters(unpacked: Path) -> None:
    found = {path: (unpacked / path[1:]).read_text().splitlines()[0] for path in PROGRAMS}
    assert {path: line.removesuffix(" -s") for path, line in found.items()} == PROGRAMS


def test_nothing_tells_where_it_was_built(packages: Packages, workshop: Workshop, unpacked: Path) -> None:
    tellers = [
        path for path in unpacked.rglob("*") if path.is_file() and bytes(workshop.folder) in path.read_bytes()
    ]
    assert not tellers
    assert {package.tag("%{BUILDHOST}") for package in packages} == {"build"}


def test_files_are_those_of_the_tree(unpacked: Path) -> None:
    for path, source in SHIPPED_AS_IT_IS.items():
        assert (unpacked / path[1:]).read_bytes() == (PROJECT / source).read_bytes(), path


def test_manual_pages_are_of_their_programs(unpacked: Path) -> None:
    for page in (page for pages in PAGES.values() for page in pages):
        program, section, _ = Path(page).name.split(".")
        text = gzip.decompress((unpacked / page[1:]).read_bytes()).decode()
        assert f"\n.Dt {program.upper()} {section}\n" in text
        assert text == (PROJECT / f"packaging/man/{program}.{section}").read_text()


def test_only_the_server_has_scriptlets(packages: Packages) -> None:
    kinds = ("PREIN", "POSTIN", "PREUN", "POSTUN", "PRETRANS", "POSTTRANS")
    asked = "".join(f"%|{kind}?{{{kind} }}|" for kind in kinds)
    found = {name: package.tag(asked).split() for name, package in packages.by_name.items()}

    assert found.pop(SERVER) == ["POSTIN", "PREUN", "POSTUN", "POSTTRANS"]
    assert not any(found.values())


def test_an_update_restarts_nothing(packages: Packages) -> None:
    scripts = {kind: packages[SERVER].tag(f"%{{{kind}}}") for kind in ("POSTIN", "POSTUN", "POSTTRANS")}
    code = {kind: re.sub(r"(?m)^#.*$", "", text).strip() for kind, text in scripts.items()}

    assert "install-system-units focusd@.service" in code["POSTIN"]
    assert code["POSTUN"] == ""
    assert code["POSTTRANS"] == "/usr/libexec/focusd/after-upgrade || :"


def test_source_packages_say_what_they_are_without_the_checkout(packages: Packages, tmp_path: Path) -> None:
    version, _, release = packages.evr.partition(":")[2].rpartition("-")
    for package in packages.sources:
        package.unpack(tmp_path)
    head = (tmp_path / "rockit-focuser-ok3z.spec").read_text().splitlines()[:2]

    assert head == [
        f"%global source_version {version}",
        f"%global source_release {release.rpartition('.')[0]}",
    ]
    assert (tmp_path / f"rockit-focuser-ok3z-{version}.tar.gz").is_file()
    assert (tmp_path / "LICENSE").is_file()


def test_the_same_commit_gives_the_same_bytes(workshop: Workshop, built: Built, release: Release) -> None:
    first = {
        path.name: path.read_bytes()
        for path in (*built.rpms(release.name).values(), *built.sources(release.name))
    }
    source = workshop.folder / f"source/{built.version.name}"
    # Where the first ones were built, for source packages tell that.
    with workshop.alone(f"building-{release.name}") as place:
        words = ("--source", source, "--dist", release.name, "--out", place)
        workshop.run(sys.executable, source / "packaging/rpm/build.py", *words).ok()
        second = {path.name: path.read_bytes() for path in (place / release.name).glob("*.rpm")}

    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
