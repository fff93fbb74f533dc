#!/usr/bin/env python3
"""Publishes what a build made: fetches the tree from its host, adds the packages, signs them, and sends it back.

    python3 packaging/repository/release.py FOLDER [--keep N]

FOLDER holds the RPMs, at any depth. The key and the host come from the environment; packaging/repository/README.md
lists the names. Where none of them is set, nothing is published, and that is no failure.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from publish import KEEP, count, publish
from yumtree.plan import Rules
from yumtree.program import run_program
from yumtree.signing import import_secret, stop_agent
from yumtree.ssh import KNOWN_HOSTS, SSH_KEY, TARGET, Access
from yumtree.tools import TroubleError, need_tools
from yumtree.transfer import End, pull, push
from yumtree.tree import Tree

GPG_KEY = "FOCUSD_REPOSITORY_GPG_KEY"
SECRETS = (GPG_KEY, SSH_KEY, KNOWN_HOSTS, TARGET)


def main() -> int:
    parser = argparse.ArgumentParser(prog="release.py", description="Publishes what a build made.")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the RPMs are, at any depth")
    parser.add_argument(
        "--keep", metavar="N", type=count, default=KEEP, help="as publish.py (default: %(default)s)"
    )
    arguments = parser.parse_args()
    os.umask(0o022)
    return run_program("release", arguments.folder, lambda: release(arguments.folder, arguments.keep))


def release(folder: Path, keep: int) -> None:
    """Publish the RPMs below a folder, where the environment says how."""
    rpms = sorted(folder.rglob("*.rpm"))
    if not rpms:
        raise TroubleError(f"There is no RPM below {folder}. Build first.")
    if not any(map(_secret, SECRETS)):
        print(f"{len(rpms)} packages are built and not published: none of {', '.join(SECRETS)} is set.")
        return
    _need_all_secrets()
    need_tools("gpg", "gpgconf", "rsync")
    # gpg's socket lies in there, and its path has to be short.
    with tempfile.TemporaryDirectory(prefix="focusd-") as name:
        work = Path(name)
        target, access = End.parse(_secret(TARGET)), Access.from_environment()
        # A copy, of which nothing is left for whoever reads what is wrong with it.
        tree = Tree(work / "tree", called=str(target))
        home = work / "gnupg"
        home.mkdir(mode=0o700)
        os.environ["GNUPGHOME"] = str(home)
        try:
            key = import_secret(_secret(GPG_KEY), home)
            pull(tree, target, access)
            publish(tree, rpms, key.fingerprint, Rules(keep, allow_uncommitted=False))
            push(tree, target, access)
        finally:
            stop_agent()
    print(f"Published to {target}.")


def _need_all_secrets() -> None:
    """Some, but not all, is a mistake, and no wish to publish nothing."""
    needed = SECRETS if not _secret(TARGET) or End.parse(_secret(TARGET)).is_remote else (GPG_KEY, TARGET)
    missing = [name for name in needed if not _secret(name)]
    if missing:
        raise TroubleError(
            f"{', '.join(missing)} is not set, and others are. Set all, or none to publish nothing."
        )


def _secret(name: str) -> str:
    return os.environ.get(name, "").strip()


if __name__ == "__main__":
    sys.exit(main())
