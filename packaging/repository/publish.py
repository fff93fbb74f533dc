#!/usr/bin/env python3
"""Publishes RPMs: adds them to the repository on its host, signed, and switches readers to the result in one step.

    python3 packaging/repository/publish.py PATH... [--target TARGET] [--key NAME] [--keep N]

`current` on the host is a link to one folder of `trees/`. That one is fetched and checked, packages are added,
createrepo_c makes the metadata anew, and a new tree is sent beside the old one. The link is replaced last.
packaging/repository/README.md has the rules.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rpms import PLACES, Key, Package, RefusedError, attempt, fingerprints, oldest_first, refuse, run, take_in

GPG_KEY, SSH_KEY = "FOCUSD_REPOSITORY_GPG_KEY", "FOCUSD_REPOSITORY_SSH_KEY"
KNOWN_HOSTS, TARGET = "FOCUSD_REPOSITORY_KNOWN_HOSTS", "FOCUSD_REPOSITORY_TARGET"
SECRETS = {name: os.environ.get(name, "").strip() for name in (GPG_KEY, SSH_KEY, KNOWN_HOSTS, TARGET)}
KEEP = 5
KEY_FILE = "RPM-GPG-KEY-focusd"
# For how long the line to the host may be silent.
SILENCE_BOUND_S = 60
TREE = re.compile(r"(\d+)-[0-9a-f]{8}")
TARGET_FORM = re.compile(r"[A-Za-z0-9_][^\s/:]*:/(?!/)[^\s:]+|[^-:][^:]*")


class Host:
    """Where readers read: a folder, here or on another machine, that rsync reaches."""

    def __init__(self, target: str, rsh: str) -> None:
        if not TARGET_FORM.fullmatch(target):
            refuse(f'The target "{target}" should be a folder, as in /srv/focusd or repo@host:/srv/focusd.')
        self.name = target.rstrip("/")
        self._is_here = ":" not in target
        self._options = ("--recursive", "--times", f"--timeout={SILENCE_BOUND_S}", f"--rsh={rsh}")

    def trees(self) -> tuple[str, list[str]]:
        """The tree that readers see, or "" before there is one; and all trees that are there."""
        rules = ("--include=/current", "--include=/trees/", "--include=/trees/*/", "--exclude=*")
        listing = self._rsync("looking at", "--list-only", "--links", *rules, f"{self.name}/")
        paths = [row.split(None, 4)[4] for row in listing.splitlines()]
        current = next((path for path in paths if re.match(r"current\b", path)), "")
        tree = current.partition(" -> trees/")[2]
        if current and not TREE.fullmatch(tree):
            refuse(
                f"{self.name}/current should be a link to one of {self.name}/trees, and is not: another tool made it. "
                "Use a folder of its own for this repository."
            )
        return tree, [name for name in (Path(path).name for path in paths) if TREE.fullmatch(name)]

    def fetch(self, tree: str, folder: Path) -> None:
        self._rsync("fetching from", f"{self.name}/trees/{tree}/", f"{folder}/")

    def send(self, folder: Path, before: str) -> None:
        """Send a tree beside the others, and have readers see it, unless they see another one than before."""
        number = number_of(before)
        new = f"{number + 1}-{secrets.token_hex(4)}"
        above = folder.with_name("host")
        (above / "trees").mkdir(parents=True)
        (above / "current").symlink_to(f"trees/{new}")
        # Nobody sees these any more. One of a later number may be another publisher's, who is sending it.
        old = [f"--include=/trees/{tree}/***" for tree in self.trees()[1] if number_of(tree) < number]
        rules = ("--delete", "--include=/trees/", *old, "--exclude=*")
        self._rsync("deleting old trees of", *rules, f"{above}/", f"{self.name}/")
        # By contents: metadata of one size may be made within one second.
        options = [
            "--checksum",
            "--perms",
            "--chmod=D755,F644",
            *([f"--link-dest=../{before}"] if before else []),
        ]
        self._rsync("sending to", *options, f"{folder}/", f"{self.name}/trees/{new}/")
        if self.trees()[0] != before:
            raise RefusedError(
                f"Somebody else has published to {self.name} meanwhile, and that stays. Run this again to add to it."
            )
        if self._is_here:
            # A power failure must not leave a link to what never reached the disk.
            os.sync()
        self._rsync("switching", "--links", "--include=/current", "--exclude=*", f"{above}/", f"{self.name}/")

    def _rsync(self, doing: str, *words: str) -> str:
        return run(f"{doing} {self.name}", "rsync", *self._options, *words)


def number_of(tree: str) -> int:
    """Trees are counted from 1."""
    return int(tree.partition("-")[0] or 0)


class Tree:
    """A copy of what readers see, to which packages are added. `called` is what it is a copy of."""

    def __init__(self, folder: Path, called: str, key: Key, work: Path) -> None:
        self._folder, self._called, self._key, self._work = folder, called, key, work
        self._take_key()
        found = [path for place in PLACES for path in sorted((folder / place).glob("*.rpm"))]
        refuse(
            *(
                f"{called}/{path.relative_to(folder)}: {fault}. It should be whole and signed by this key. Delete it, "
                "or bring it back from a copy; then run this again."
                for path, fault in zip(found, map(key.fault, found))
                if fault
            )
        )
        self._present = [Package.read(path) for path in found]

    def _take_key(self) -> None:
        file = self._folder / KEY_FILE
        if file.exists():
            listing = run("reading the key", "gpg", "--batch", "--with-colons", "--show-keys", file)
            theirs = fingerprints(listing, "pub")
            if self._key.fingerprint not in theirs:
                refuse(
                    f"{self._called} is signed by another key ({', '.join(theirs)}) than {self._key.fingerprint}, and "
                    "machines trust that one. Sign with it, or begin a new folder."
                )
        file.write_text(self._key.public, encoding="ascii")

    def add(self, given: Sequence[Package], keep: int) -> str:
        """Put packages in, and make metadata of the newest. Returns what was done, in sentences."""
        present = {it.file_name: it for it in self._present}
        coming = [it for it in given if it.file_name not in present]
        ordered = oldest_first([*self._present, *coming], self._work)
        changed = [it for it in given if present.get(it.file_name, it).digest != it.digest]
        refuse(
            *(
                f"{it} is in {self._called} already, with other contents. A version never changes: commit, so that the "
                "release becomes a later one, and build again."
                for it in changed
            ),
            *self._backwards(ordered, coming),
        )
        for package in coming:
            self._key.sign(package)
            if self._key.fault(package.path):
                refuse(
                    f"{package}: {self._key.fault(package.path)}. It should be signed now. Look at rpmsign."
                )
            (self._folder / package.place).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package.path, self._folder / package.place / package.file_name)
        done = [line for place in PLACES for line in self._describe(place, ordered, coming, keep)]
        return "\n".join(done) or "All of it was there already. The metadata are made anew."

    def _backwards(self, ordered: Sequence[Package], coming: Collection[Package]) -> Iterator[str]:
        """A version that is older than what is there: no machine would ever take it."""
        newest: dict[tuple[str, str], Package] = {}
        for package in reversed(ordered):
            there = newest.get((package.place, package.name))
            if package not in coming:
                newest.setdefault((package.place, package.name), package)
            elif there:
                yield f"{package} goes backwards: {self._called} has {there}. Build a newer version."

    def _describe(
        self, place: str, ordered: Sequence[Package], coming: Collection[Package], keep: int
    ) -> Iterator[str]:
        """Make signed metadata of the newest versions of each package."""
        versions: dict[str, list[Package]] = {}
        for package in reversed([it for it in ordered if it.place == place]):
            versions.setdefault(package.name, []).append(package)
        if not versions:
            return
        folder, listing = self._folder / place, self._work / "listing"
        # Who has read the metadata of before may be fetching one that is not listed any more: it goes one later.
        for package in (old for found in versions.values() for old in found[keep + 1 :]):
            (folder / package.file_name).unlink()
        listed = [package for found in versions.values() for package in found[:keep]]
        listing.write_text("".join(f"{package.file_name}\n" for package in listed), encoding="ascii")
        # Nor do the metadata of before go at once.
        options = ("--quiet", "--no-database", "--error-exit-val", "--retain-old-md-by-age=1d")
        what = (f"--pkglist={listing}", "--general-compress-type=gz", folder)
        run("making the metadata", "createrepo_c", *options, *what, TMPDIR=self._work)
        self._key.sign_beside(folder / "repodata/repomd.xml")
        added = ", ".join(str(package) for package in listed if package in coming)
        gone = ", ".join(str(found[keep]) for found in versions.values() if len(found) > keep)
        if added:
            yield f"{place}: added {added}." + (f" No longer listed: {gone}." if gone else "")


@contextmanager
def surroundings(key_name: str) -> Iterator[tuple[Path, str]]:
    """A folder for the work, and what reaches the host. Secrets are on the disk only meanwhile."""
    # gpg's socket lies in there, and its path has to be short.
    with tempfile.TemporaryDirectory(prefix="focusd-") as name:
        work = Path(name)
        ssh = ["ssh", "-oBatchMode=yes", "-oConnectTimeout=20", "-oServerAliveInterval=15"]
        if SECRETS[SSH_KEY]:
            ssh += ["-F/dev/null", "-oIdentitiesOnly=yes", f"-i{private(work / 'ssh', SSH_KEY)}"]
            ssh += ["-oStrictHostKeyChecking=yes", "-oGlobalKnownHostsFile=/dev/null"]
            ssh += [f"-oUserKnownHostsFile={private(work / 'known_hosts', KNOWN_HOSTS)}"]
        if key_name:
            yield work, shlex.join(ssh)
            return
        (work / "gnupg").mkdir(mode=0o700)
        os.environ["GNUPGHOME"] = str(work / "gnupg")
        try:
            attempt("gpg", "--batch", "--import", private(work / "key", GPG_KEY))
            yield work, shlex.join(ssh)
        finally:
            attempt("gpgconf", "--kill", "all")


def private(path: Path, secret: str) -> Path:
    path.touch(mode=0o600)
    # ssh refuses a key without a line end, which a form on a web page takes away.
    path.write_text(f"{SECRETS[secret]}\n", encoding="utf-8")
    return path


def publish(paths: Sequence[Path], target: str, key_name: str, keep: int) -> None:
    """Add RPMs to what readers see on a host. Without any, what is there is checked and described anew."""
    rpms = [rpm for path in paths for rpm in (sorted(path.rglob("*.rpm")) if path.is_dir() else [path])]
    if paths and not rpms:
        refuse(f"There is no RPM in {', '.join(map(str, paths))}. Build first.")
    if not key_name and not target and not any(SECRETS.values()):
        print(f"{len(rpms)} packages are built and not published: none of {', '.join(SECRETS)} is set.")
        return
    needed = {TARGET: target, GPG_KEY: key_name or SECRETS[GPG_KEY]}
    # A key goes to no host that it is not for. A person may use their own ssh.
    if SECRETS[SSH_KEY] or SECRETS[KNOWN_HOSTS] or (":" in target and not key_name):
        needed |= {name: SECRETS[name] for name in (SSH_KEY, KNOWN_HOSTS)}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        refuse(f"{', '.join(missing)} is not set, and others are. Set all, or none to publish nothing.")
    with surroundings(key_name) as (work, ssh):
        given, folder = work / "given", work / "tree"
        given.mkdir()
        folder.mkdir()
        packages = take_in(rpms, given)
        host, key = Host(target, ssh), Key(key_name, work)
        before, _ = host.trees()
        if before:
            host.fetch(before, folder)
        done = Tree(folder, f"{host.name}/current", key, work).add(packages, keep)
        host.send(folder, before)
    print(done, f"Published to {host.name}.", sep="\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="publish.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", metavar="PATH", type=Path, nargs="*", help="RPMs, or folders that hold some")
    parser.add_argument(
        "--target", default=SECRETS[TARGET], help=f"a folder, or user@host:/folder (${TARGET})"
    )
    parser.add_argument(
        "--key", metavar="NAME", default="", help=f"one of gpg's own (default: that in ${GPG_KEY})"
    )
    parser.add_argument(
        "--keep", metavar="N", type=int, default=KEEP, help="versions of each (default: %(default)s)"
    )
    arguments = parser.parse_args()
    if arguments.keep < 1:
        parser.error(f"--keep {arguments.keep} should be a whole number from 1 on")
    # Web servers read as another user.
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        publish(arguments.paths, arguments.target, arguments.key, arguments.keep)
    except RefusedError as refused:
        print(f"publish: {refused}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"publish: {error}. What readers see is whole. Mend that, and run this again.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("publish: Stopped. What readers see is whole. Run this again to complete it.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
