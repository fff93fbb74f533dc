"""A distribution in small: stand-ins for Enterprise Linux's own packages, and the real Python ones in its versions.

The Python packages come from the Python package index, in exactly the versions that the release and its usual
repositories have, and are packed with rpm's own dependency generator. So what is installed runs, and what our
packages fail to require is not there.
"""

from __future__ import annotations

import csv
import shutil
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path

from .building import SPECS, build_spec, busybox
from .releases import Release, interpreter
from .sources import PROJECT
from .workshop import Workshop

# By rich and by jsonschema, for what we do not ask of them. They have most of the files.
UNUSED = ("pygments", "setuptools", "pkg_resources", "_distutils_hack")
HEADER = """\
Name:      third-party
Version:   1
Release:   1%{{?dist}}
Summary:   What our packages need of the Python package index
License:   Various
%global _binaries_in_noarch_packages_terminate_build 0
%global debug_package %{{nil}}
# Shared objects are there for the Python of this machine.
%global __requires_exclude ^(lib|ld-|rtld)
BuildArch: noarch
%description
Only for the tests of the packaging.
%install
mkdir -p %{{buildroot}}/{site_packages}
cp -r {modules}/. %{{buildroot}}/{site_packages}
"""
PACKAGE = """
%package -n python3-{name}
Version:   {version}
Summary:   {name} of the Python package index
%description -n python3-{name}
Only for the tests of the packaging.
%files -n python3-{name}
{files}
"""


def build_distribution(workshop: Workshop, release: Release, cache: Path, out: Path) -> None:
    """A repository of the stand-ins for one release; `cache` is a folder in which pip keeps what it downloads."""
    packages = out / "packages"
    _build_stubs(workshop, release, packages / "stubs")
    _build_third_party(workshop, release, cache, packages / "third-party")
    workshop.run("createrepo_c", "--quiet", "--compatibility", out).ok()


def _build_stubs(workshop: Workshop, release: Release, out: Path) -> None:
    defines = {
        "dist": f".{release.name}",
        "releasever": release.number,
        "python_version": release.python,
        "python": str(interpreter(release.python).path),
        "busybox": str(busybox()),
        "systemd_version": release.systemd,
    }
    build_spec(workshop, SPECS / "stubs.spec", out, defines)


def _build_third_party(workshop: Workshop, release: Release, cache: Path, out: Path) -> None:
    out.mkdir(parents=True)
    modules = out.with_name("modules")
    pip = (interpreter(release.python).path, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
    options = (
        "--no-compile",
        "--quiet",
        "--root-user-action=ignore",
        "--cache-dir",
        cache,
        "--target",
        modules,
    )
    workshop.run(*pip, "install", *options, "--constraint", release.dependencies, *_required()).ok()
    spec = out.with_suffix(".spec")
    spec.write_text(_third_party_spec(release, modules))
    build_spec(workshop, spec, out, {"dist": f".{release.name}"})
    shutil.rmtree(modules)


def _required() -> list[str]:
    """What our distributions say that they need, but for one another."""
    required = []
    for setup in (PROJECT / "setup.cfg", PROJECT / "common/setup.cfg"):
        parser = ConfigParser()
        parser.read(setup, encoding="utf-8")
        required += parser["options"]["install_requires"].split()
    return [name for name in required if name != "rockit-common"]


def _third_party_spec(release: Release, modules: Path) -> str:
    _remove_what_no_package_has(modules)
    header = HEADER.format(site_packages=release.site_packages, modules=modules)
    return header + "".join(_package(release, folder) for folder in sorted(modules.glob("*.dist-info")))


def _remove_what_no_package_has(modules: Path) -> None:
    """Commands, which go elsewhere, and packages that are required and not used, but for their names."""
    for name in ("bin", *UNUSED):
        shutil.rmtree(modules / name, ignore_errors=True)
    for path in modules.glob("*.pth"):
        path.unlink()


def _package(release: Release, dist_info: Path) -> str:
    metadata = Parser().parsestr((dist_info / "METADATA").read_text(encoding="utf-8"), headersonly=True)
    with open(dist_info / "RECORD", newline="", encoding="utf-8") as record:
        recorded = {row[0].partition("/")[0] for row in csv.reader(record)}
    # Its commands are recorded as outside.
    present = sorted(top for top in recorded if top != ".." and (dist_info.parent / top).exists())
    files = "\n".join(f"/{release.site_packages}/{top}" for top in present)
    return PACKAGE.format(name=metadata["Name"], version=metadata["Version"], files=files)
