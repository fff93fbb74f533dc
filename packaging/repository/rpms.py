"""RPM files: what they say of themselves, which is the older, whether they are whole, and the key that signs them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PLACES = ("el9", "el9/source", "el10", "el10/source")
# Any of the tools, a transfer too.
BOUND_S = 900
QUERY = r"%{NAME} %{EPOCHNUM} %{VERSION} %{RELEASE} %{ARCH} %{SOURCEPACKAGE} %{SHA256HEADER}\n"
OLDEST_FIRST = """%{lua:
local rows = {}
for line in io.lines(os.getenv("VERSIONS")) do
  local number, epoch, version, release = line:match("([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)")
  table.insert(rows, {number, tonumber(epoch), version, release})
end
table.sort(rows, function(a, b)
  if a[2] ~= b[2] then return a[2] < b[2] end
  local order = rpm.vercmp(a[3], b[3])
  if order == 0 then order = rpm.vercmp(a[4], b[4]) end
  return order < 0
end)
for _, row in ipairs(rows) do print(row[1] .. "\\n") end}"""


class RefusedError(Exception):
    """What was seen, what was expected, and what to do."""


def refuse(*faults: str) -> None:
    if faults:
        raise RefusedError("\n".join([*faults, "Nothing was published."]))


def attempt(*command: str | Path, **env: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, whichever that is."""
    # What it says is read here, so it shall be in English.
    more = {"LC_ALL": "C", **{name: str(value) for name, value in env.items()}}
    try:
        return subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=BOUND_S,
            env={**os.environ, **more},
            check=False,
        )
    except FileNotFoundError:
        raise RefusedError(
            f"{command[0]} is not on PATH. Install, on Debian: rpm createrepo-c gnupg rsync; on Enterprise Linux: "
            "rpm-sign createrepo_c gnupg2 rsync."
        ) from None
    except subprocess.TimeoutExpired:
        raise RefusedError(
            f"{command[0]} did not end within {BOUND_S} s. Does it wait for a passphrase, a disk or a network?"
        ) from None


def run(doing: str, *command: str | Path, **env: str | Path) -> str:
    """What a tool prints, for it must succeed. `doing` names its work, as in "signing a.rpm"."""
    ended = attempt(*command, **env)
    if ended.returncode:
        raise RefusedError(
            f"{doing} failed: {command[0]} ended with {ended.returncode} and said: {words(ended)}. What readers see "
            "is whole. Mend that, and run this again."
        )
    return ended.stdout


def words(ended: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (ended.stderr or ended.stdout).splitlines() if line.strip()]
    return " / ".join(lines[-4:]) or "nothing"


@dataclass(frozen=True)
class Package:
    """An RPM file and what it says of itself."""

    path: Path
    name: str
    epoch: int
    version: str
    release: str
    arch: str
    # Of all but the signature: the same before and after signing.
    digest: str

    @classmethod
    def read(cls, path: Path) -> Package:
        said = run(f"reading {path}", "rpm", "-qp", "--nosignature", "--qf", QUERY, path)
        name, epoch, version, release, arch, is_source, digest = said.split()
        return cls(path, name, int(epoch), version, release, "src" if is_source == "1" else arch, digest)

    @property
    def file_name(self) -> str:
        """Its name in a tree, whatever the file was called that was given."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"

    @property
    def place(self) -> str:
        """The repository where it belongs."""
        return self.release.rpartition(".")[2] + ("/source" if self.arch == "src" else "")

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{self.name} {epoch}{self.version}-{self.release}" + " (source)" * (self.arch == "src")


def oldest_first(packages: Sequence[Package], work: Path) -> list[Package]:
    """In rpm's order, for which rpm is asked."""
    rows = (f"{n} {it.epoch} {it.version} {it.release}\n" for n, it in enumerate(packages))
    (work / "versions").write_text("".join(rows), encoding="utf-8")
    order = run("comparing versions", "rpm", "--eval", OLDEST_FIRST, VERSIONS=work / "versions")
    return [packages[int(number)] for number in order.split()]


def take_in(rpms: Sequence[Path], folder: Path) -> list[Package]:
    """Copies of what was given, each of which may be published. All that is wrong is said at once."""
    taken: dict[str, Package] = {}
    faults = []
    for number, given in enumerate(rpms):
        # The copy is what is checked. rpm takes brackets in a name for a pattern.
        copy = shutil.copyfile(given, folder / f"{number}.rpm")
        verdict = attempt("rpmkeys", "--dbpath", folder / "no-keys", "--nosignature", "-K", copy)
        if verdict.returncode:
            said = words(verdict).replace(f"{copy}: ", "")
            faults.append(f"{given} is no whole RPM ({said}). Build it again, or copy it again.")
            continue
        package = Package.read(copy)
        other = taken.setdefault(package.file_name, package)
        if package.place not in PLACES:
            faults.append(
                f"{given} has the release {package.release}; it should end in .el9 or .el10. Build it so."
            )
        if ".dirty." in package.release:
            faults.append(
                f"{package} was built of changes that are not committed. Commit them, and build again."
            )
        if other.digest != package.digest:
            faults.append(f"{package} was given twice, with different contents. Give the one that is meant.")
    refuse(*faults)
    return list(taken.values())


class Key:
    """The one secret key that signs. `name` is what gpg knows it by."""

    def __init__(self, name: str, work: Path) -> None:
        listing = attempt("gpg", "--batch", "--with-colons", "--list-secret-keys", *([name] if name else []))
        found = fingerprints(listing.stdout, "sec")
        if len(found) != 1:
            seen = ", ".join(found) or words(listing)
            refuse(
                f'{len(found)} secret keys answer to "{name}" ({seen}); it should be one. Name it by its fingerprint, '
                "or import it with gpg --import."
            )
        [self.fingerprint] = found
        self._work = work
        minimal = ("--armor", "--export-options", "export-minimal")
        self.public = run("exporting the key", "gpg", "--batch", *minimal, "--export", self.fingerprint)
        (work / "public").write_text(self.public, encoding="ascii")
        run("importing the key", "rpmkeys", "--dbpath", work / "keys", "--import", work / "public")

    def sign(self, package: Package) -> None:
        defines = (f"_gpg_name {self.fingerprint}", f"__gpg {shutil.which('gpg')}", f"_tmppath {self._work}")
        options = [word for define in defines for word in ("--define", define)]
        run(f"signing {package}", "rpmsign", *options, "--addsign", package.path, TMPDIR=self._work)

    def sign_beside(self, file: Path) -> None:
        """Write the signature of a file beside it."""
        options = ("--batch", "--yes", "--armor", "--local-user", self.fingerprint)
        run(f"signing {file.name}", "gpg", *options, "--output", f"{file}.asc", "--detach-sign", file)

    def fault(self, file: Path) -> str:
        """What rpm has against a file that is not whole, or not signed by this key."""
        # Without the level, a package without any signature would pass.
        level = ("--define", "_pkgverify_level all")
        ended = attempt("rpmkeys", "--dbpath", self._work / "keys", *level, "-K", file)
        is_whole = ended.returncode == 0 and "signatures OK" in ended.stdout
        return "" if is_whole else words(ended).replace(f"{file}: ", "")


def fingerprints(listing: str, kind: str) -> list[str]:
    """The keys of a listing of gpg's, without those that are part of another."""
    return re.findall(rf"^{kind}:.*\n(?:(?!fpr:).*\n)*?fpr:+([0-9A-F]+):", listing, re.MULTILINE)
