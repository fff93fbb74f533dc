"""A machine of the observatory: an installroot that dnf fills, in which commands really run.

A command that runs in it sees nothing of this machine but a Python, and loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from .releases import Release, interpreter
from .shell import Result, Word, run, texts
from .workshop import Workshop

INSIDE = Path(__file__).with_name("inside")
# In the installroot: what the stand-ins for systemd were asked, and what they answer (stubs.spec).
SCRIPTLETS = Path("var/log/scriptlets")
SYSTEMCTL_ANSWERS = Path("run/systemctl")
ENVIRONMENT = {"PATH": "/usr/bin:/usr/sbin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
# Where programs leave traces of what they did, rather than what is installed.
NOT_INSTALLED = ("var", "run", "root", "dev", "proc", "tmp")


class Machine:
    """An installroot.

    Args:
        folder: which holds the installroot, and the settings of dnf.
        distribution: the repository of the distribution's own packages.
    """

    def __init__(self, workshop: Workshop, release: Release, folder: Path, distribution: Path) -> None:
        self.workshop = workshop
        self.release = release
        self.folder = folder
        self.root = root = folder / "root"
        self.config = root / "etc/focusd/ngts_m06.json"
        self._settings = folder / "dnf"
        self._distribution = distribution
        self._python = interpreter(release.python)

    def furnish(self) -> None:
        """Install the distribution itself."""
        self._settings.mkdir()
        (self._settings / "dnf.conf").write_text("[main]\n")
        url = self._distribution.as_uri()
        self.know_repository("distribution", name="distribution", baseurl=url, gpgcheck=0)
        self.dnf("install", "filesystem", "bash", "python3", "systemd").ok()

    def copy(self, folder: Path) -> Machine:
        """Another machine, with the same things installed."""
        self.workshop.run("cp", "-a", "--reflink=auto", f"{self.folder}/.", folder).ok()
        return self.like(folder)

    def like(self, folder: Path) -> Machine:
        """The machine in another folder, which is a copy of this one."""
        return Machine(self.workshop, self.release, folder, self._distribution)

    # Packages

    def know_repository(self, section: str, **settings: object) -> None:
        """Write the file of a repository, as an administrator does."""
        lines = [f"[{section}]", *(f"{key}={value}" for key, value in settings.items())]
        (self._settings / f"{section}.repo").write_text("\n".join(lines) + "\n")

    def dnf(self, *words: Word) -> Result:
        """What dnf does here, without asking back. Scriptlets run in the installroot."""
        places = {"reposdir": self._settings, "varsdir": "/nonexistent", "pluginpath": "/nonexistent"}
        options = [f"--setopt={key}={value}" for key, value in places.items()]
        options += [f"--installroot={self.root}", f"--releasever={self.release.number}"]
        return self._inside(
            "dnf",
            "--assumeyes",
            *options,
            "--config",
            self._settings / "dnf.conf",
            *words,
            env=self.workshop.env,
        )

    def rpm(self, *words: Word) -> Result:
        return self._inside("rpm", "--root", self.root, *words, env=self.workshop.env)

    def installed(self) -> dict[str, str]:
        """The packages with `rockit` in their names, and epoch:version-release of each."""
        said = self.rpm("-qa", "--qf", r"%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n", "*rockit*").ok()
        return dict(line.split(" ", 1) for line in said.splitlines())

    def files(self) -> dict[str, str]:
        """What is installed: each path, and what is there."""
        return {
            str(path.relative_to(self.root)): _content(path)
            for path in sorted(self.root.rglob("*"))
            if not str(path.relative_to(self.root)).startswith(NOT_INSTALLED)
        }

    # What the stand-ins for systemd were asked

    def scriptlets(self) -> list[str]:
        """What was asked since this was last called."""
        log = self.root / SCRIPTLETS
        asked = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return asked

    def answer_systemctl(self, verb: str, answer: str) -> None:
        folder = self.root / SYSTEMCTL_ANSWERS
        folder.mkdir(parents=True, exist_ok=True)
        (folder / verb).write_text(answer)

    # Commands in it

    def run(self, *words: Word, **environment: str) -> Result:
        """Run a command in the installroot."""
        return self._inside("chroot", self.root, *words, env={**ENVIRONMENT, **environment})

    def start(self, *words: Word, log: Path) -> subprocess.Popen[bytes]:
        """Start a command in the installroot; the process is that command itself."""
        with log.open("wb") as file:
            return subprocess.Popen(
                self._words("chroot", self.root, *words),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                start_new_session=True,
            )

    def edit_config(self, **changes: Any) -> str:
        """Edit the configuration as an operator does. Returns what it then says."""
        values = {**json.loads(self.config.read_text()), **changes}
        self.config.write_text(json.dumps(values, indent=2) + "\n")
        return self.config.read_text()

    def _inside(self, *words: Word, env: dict[str, str]) -> Result:
        return run(*self._words(*words), env=env, cwd=self.workshop.folder)

    def _words(self, *words: Word) -> tuple[str, ...]:
        return texts(
            (
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                INSIDE,
                self.root,
                self._python.prefix,
                *words,
            )
        )


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    return "a folder" if path.is_dir() else path.read_bytes().decode("latin-1")
