"""What the tests of a run share: packages, a signed repository, and images of machines, each made once."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from .building import SPECS, Built, build_spec, names
from .distribution import build_distribution
from .machine import Machine
from .releases import Release
from .repository import Repository, know_ours, make_keys, readme_packages, served
from .sources import CONFIG_FILE, PROJECT, newer_version, this_version
from .workshop import Workshop


class Stock:
    """Nothing that it gives is to be changed: copy it.

    Args:
        downloads: a folder in which pip keeps what it downloads, from one run to the next.
    """

    def __init__(self, workshop: Workshop, downloads: Path) -> None:
        self.built = Built(workshop, this_version(workshop), downloads)
        self.newer = Built(workshop, newer_version(workshop), downloads)
        self._workshop = workshop
        self._downloads = downloads

    def prepare(self, release: Release) -> None:
        """Make all of it for a release."""
        self.installed(release)
        self.newer.rpms(release.name)
        self.older(release)

    def make_keys(self) -> None:
        self._workshop.once("keys", lambda _: make_keys(self._workshop))

    def older(self, release: Release) -> dict[str, Path]:
        """The packages that an observatory has before ours, by their names."""
        folder = self._workshop.once(f"older-{release.name}", functools.partial(self._build_older, release))
        return names(self._workshop, sorted(folder.glob("*.rpm")))

    def _build_older(self, release: Release, out: Path) -> None:
        config = out / CONFIG_FILE
        values = json.loads((PROJECT / CONFIG_FILE).read_text())
        config.write_text(json.dumps({**values, "move_timeout": values["move_timeout"] - 20}))
        defines = {
            "dist": f".{release.name}",
            "python_version": release.python,
            "config": str(config),
            "common": str(PROJECT / "common/src/rockit/common"),
        }
        build_spec(self._workshop, SPECS / "legacy.spec", out, defines)

    def published(self, release: Release) -> Repository:
        """A repository with the packages of the tree as it stands."""

        def publish(host: Path) -> None:
            self.make_keys()
            Repository(self._workshop, host).publish(self.built.rpms(release.name).values())

        return Repository(self._workshop, self._workshop.once(f"published-{release.name}", publish))

    def bare(self, release: Release) -> Machine:
        """A machine with the distribution only. It knows no repository of ours."""
        distribution = self._workshop.once(
            f"distribution-{release.name}",
            lambda new: build_distribution(self._workshop, release, self._downloads, new),
        )
        image = functools.partial(Machine, self._workshop, release, distribution=distribution)
        return image(self._workshop.once(f"bare-{release.name}", lambda new: image(new).furnish()))

    def installed(self, release: Release) -> Machine:
        """A machine on which our packages are installed, as the README says it."""
        bare = self.bare(release)
        published = self.published(release)

        def install(folder: Path) -> None:
            machine = bare.copy(folder)
            with served(published.tree) as url:
                know_ours(machine, url)
                machine.dnf("install", *readme_packages()).ok()
            machine.scriptlets()

        return bare.like(self._workshop.once(f"installed-{release.name}", install))
