#!/usr/bin/python3
"""Builds the RPMs and source RPMs of a commit: focusd's four packages, and rockit.common's.

On Enterprise Linux they are for that machine, made with its own macros and Python. Elsewhere they are for el9 and
el10, made with the stand-ins of macros.compat and the setuptools that EL has: for tests, not for release.
The same commit gives the same bytes, built into the same folder. Prints the path of each package.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from folders import deliver, plain_folder, work_folder
from source import Checkout
from tools import BUILD_BOUND_S, EL_INSTALL, KILLED, RefusedError, run, run_logged

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Distribution:
    """One release of Enterprise Linux, and what its Python packages are built with."""

    name: str
    python: str
    tools: tuple[str, ...]


DISTRIBUTIONS = (
    Distribution("el9", "3.9", ("pip==21.2.3", "setuptools==53.0.0", "wheel==0.36.2")),
    Distribution("el10", "3.12", ("pip==23.3.2", "setuptools==69.0.3", "wheel==0.41.2")),
)


@dataclass(frozen=True)
class Recipe:
    """One spec, and the part of the tree that it builds."""

    spec: str
    source: str
    folder: str
    version_file: str
    version_pattern: str


RECIPES = (
    Recipe(
        spec="rockit-focuser-ok3z.spec",
        source="rockit-focuser-ok3z",
        folder=".",
        version_file="src/rockit/focuser/ok3z/version.py",
        version_pattern='^VERSION = "(.*)"$',
    ),
    Recipe(
        spec="python3-rockit-common.spec",
        source="rockit-common",
        folder="common",
        version_file="common/setup.cfg",
        version_pattern="^version = (.*)$",
    ),
)


@dataclass(frozen=True)
class Builder:
    """How rpmbuild is called for one distribution. With `macros`, they stand in for those that this machine lacks."""

    name: str
    options: tuple[str, ...] = ()
    macros: Path | None = None


def choose_builders(dists: list[str], pythons: list[str], cache: Path) -> list[Builder]:
    why = "No packages can be built"
    run(["rpmbuild", "--version"], why)
    release = run(["rpm", "-E", "%{?rhel}"], why).strip()
    if not release:
        return [foreign_builder(dist, pythons, cache) for dist in choose_distributions(dists, pythons)]
    own = f"el{release.split('.')[0]}"
    if pythons or set(dists) - {own}:
        raise RefusedError(
            f"This machine builds for {own}, with its own Python. Leave --dist and --python out."
        )
    return [Builder(own)]


def choose_distributions(dists: list[str], pythons: list[str]) -> list[Distribution]:
    if dists or not pythons:
        return [dist for dist in DISTRIBUTIONS if not dists or dist.name in dists]
    given = {python: python_version(python) for python in pythons}
    unused = [
        python for python, version in given.items() if version not in {dist.python for dist in DISTRIBUTIONS}
    ]
    if unused:
        expected = " or ".join(f"{dist.python} ({dist.name})" for dist in DISTRIBUTIONS)
        raise RefusedError(f"{' and '.join(unused)} is no Python {expected} with ensurepip and venv.")
    return [dist for dist in DISTRIBUTIONS if dist.python in given.values()]


def foreign_builder(dist: Distribution, pythons: list[str], cache: Path) -> Builder:
    # Without it rpm says nothing, and the packages require nothing.
    run(
        ["/usr/bin/python3", "-c", "import packaging"],
        "rpm cannot find what Python packages require without packaging (apt-get install python3-packaging)",
    )
    venv = venv_with_tools(dist, find_python(dist, pythons), cache)
    options = ("--nodeps", "--define", f"__python3 {venv}/bin/python3", "--define", f"dist .{dist.name}")
    return Builder(dist.name, options, HERE / "macros.compat")


def find_python(dist: Distribution, given: list[str]) -> str:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(str(path) for path in pyenv.glob(f"versions/{dist.python}.*/bin/python3"))
    for candidate in given or [f"python{dist.python}", *found]:
        if python_version(candidate) == dist.python:
            return candidate
    looked = " ".join(given) or f"python{dist.python} on PATH, {pyenv}/versions/{dist.python}.*"
    raise RefusedError(
        f"{dist.name} needs a Python {dist.python} with ensurepip and venv. Looked at: {looked}. Get one with "
        f"'pyenv install {dist.python}' and name it with --python (neither Debian nor EL packages both versions), "
        f"build on {dist.name} itself, or choose with --dist."
    )


def python_version(python: str) -> str:
    """Such as 3.9, or nothing where it cannot make a venv."""
    # pyenv's shims answer to every version, also to those that they cannot run.
    program = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        return run([python, "-c", program], "No Python").strip()
    except RefusedError:
        return ""


def venv_with_tools(dist: Distribution, python: str, cache: Path) -> Path:
    venv = cache / f"venv-{dist.name}"
    made_with, complete = "\n".join([python, *dist.tools]), venv / "complete"
    if complete.exists() and complete.read_text(encoding="utf-8") == made_with:
        return venv
    why = (
        f"The Python that builds for {dist.name} cannot be set up in {venv} (it needs Python's package index)"
    )
    shutil.rmtree(venv, ignore_errors=True)
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    run([python, "-m", "venv", venv], why, env, BUILD_BOUND_S)
    pip: list[str | Path] = [
        venv / "bin/python3",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    run([*pip, *dist.tools], why, env, BUILD_BOUND_S)
    complete.write_text(made_with, encoding="utf-8")
    return venv


def lay_out(recipe: Recipe, checkout: Checkout, release: str, top: Path) -> Path:
    """The spec, with its sources in place."""
    for folder in ("SOURCES", "SPECS", "home", "tmp"):
        (top / folder).mkdir(parents=True)
    version = checkout.version(recipe.version_file, recipe.version_pattern)
    prefix = f"{recipe.source}-{version}"
    checkout.archive(recipe.folder, prefix, top / "SOURCES" / f"{prefix}.tar.gz")
    (top / "SOURCES/LICENSE").write_text(checkout.read("LICENSE"), encoding="utf-8")
    spec = top / "SPECS" / recipe.spec
    # In the spec and not on the command line, so that the source RPM can be built again.
    given = f"%global source_version {version}\n%global source_release {release}\n"
    spec.write_text(given + checkout.read(f"packaging/rpm/{recipe.spec}"), encoding="utf-8")
    return spec


def rpmbuild(spec: Path, builder: Builder, epoch_s: str, top: Path, log: Path) -> list[Path]:
    defines = {"_topdir": f"{top}", "_tmppath": f"{top}/tmp", "_buildhost": "build"}
    defines.update(use_source_date_epoch_as_buildtime="1", clamp_mtime_to_source_date_epoch="1")
    if builder.macros:
        shutil.copy(builder.macros, top / "home/.rpmmacros")
        # On EL it stays the machine's own, which says whether what the build requires is there.
        defines["_dbpath"] = f"{top}/db"
    words = [word for name, value in defines.items() for word in ("--define", f"{name} {value}")]
    # Nothing of the caller's surroundings goes into a package.
    env = {"PATH": "/usr/bin:/usr/sbin:/bin:/sbin", "HOME": f"{top}/home", "TMPDIR": f"{top}/tmp"}
    # The order of a set gets into bytecode.
    env.update(SOURCE_DATE_EPOCH=epoch_s, LC_ALL="C.UTF-8", TZ="UTC", PYTHONHASHSEED="0")
    code = run_logged(
        [shutil.which("rpmbuild") or "rpmbuild", "-ba", *builder.options, *words, spec], env, log
    )
    if code:
        raise RefusedError(explain(spec.name, builder.name, code, log))
    return sorted([*top.glob("RPMS/**/*.rpm"), *top.glob("SRPMS/*.rpm")])


def explain(spec: str, dist: str, code: int, log: Path) -> str:
    said = log.read_text(encoding="utf-8", errors="replace")
    ended = f"was killed after {BUILD_BOUND_S} s" if code == KILLED else f"ended with {code}"
    advice = ""
    if "Failed build dependencies" in said:
        advice = f" Try: {EL_INSTALL} (on EL9 python3-tomli too)."
    last = "\n".join(said.splitlines()[-25:])
    return f"{spec} was not built for {dist}: rpmbuild {ended}.{advice} {log} has all that it said. It ends:\n{last}"


def build_all(options: argparse.Namespace) -> list[Path]:
    os.umask(0o022)
    out: Path = options.out.resolve()
    made: list[Path] = []
    with (
        work_folder(out) as work,
        tempfile.TemporaryDirectory(dir=work) as scratch,
        plain_folder(work) as plain,
    ):
        checkout = Checkout(options.source.resolve(), Path(scratch))
        release = options.release or checkout.release
        if options.tag:
            check_tag(options.tag, checkout)
            # Newer than the packages of the same commit that were made before it was tagged.
            release += ".tag"
        for builder in choose_builders(options.dist, options.python, plain):
            built: list[Path] = []
            for recipe in RECIPES:
                # A source RPM tells where it was built: not in a folder with a random name.
                top = plain / builder.name / recipe.source
                shutil.rmtree(top, ignore_errors=True)
                spec = lay_out(recipe, checkout, release, top)
                log = work / f"{recipe.source}-{builder.name}.log"
                built += rpmbuild(spec, builder, checkout.epoch_s, top, log)
            made += deliver(built, out / builder.name)
            shutil.rmtree(plain / builder.name)
    return made


def check_tag(tag: str, checkout: Checkout) -> None:
    """A tag is of the version that is built, and the changelog says since when there is that."""
    path = RECIPES[0].version_file
    version = checkout.version(path, RECIPES[0].version_pattern)
    if tag != f"v{version}":
        raise RefusedError(
            f"The tag {tag} should be v{version}, since {path} has {version}. Mend one of them."
        )
    heading = rf"^## \[{re.escape(version)}\] - [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$"
    if not re.search(heading, checkout.read("CHANGELOG.md"), re.MULTILINE):
        raise RefusedError(
            f"CHANGELOG.md should have a line '## [{version}] - YYYY-MM-DD'. Add it, and tag anew."
        )


def release_text(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z._+~^]+", text):
        raise argparse.ArgumentTypeError(
            f"rpm takes letters, digits and . _ + ~ ^ in a release, not {text!r}"
        )
    return text


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--dist", action="append", default=[], choices=[dist.name for dist in DISTRIBUTIONS],
        help="build for this one only; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--python", action="append", default=[], metavar="PATH",
        help="a Python of the distribution's version; may be repeated (default: on PATH, or of pyenv)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("dist/rpm"), help="a folder (default: %(default)s)")
    parser.add_argument("--release", type=release_text, help="instead of the commit's time and hash")
    parser.add_argument("--tag", default="", help="the tag of the commit, which has to be v and its version")
    parser.add_argument(
        "--source", type=Path, default=HERE.parents[1], help="another git checkout (default: this one)"
    )  # fmt: skip
    return parser.parse_args()


def main() -> int:
    try:
        made = build_all(read_arguments())
    except (RefusedError, OSError) as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    print(*made, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
