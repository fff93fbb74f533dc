"""The key that signs, and what it signs."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from yumtree.tools import TroubleError, attempt, last_words, run

_GPG = ("gpg", "--batch", "--no-tty")
_UNUSABLE = {"e": "has expired", "r": "is revoked", "d": "is disabled", "i": "is invalid"}


@dataclass(frozen=True)
class Key:
    """A secret key that gpg has, by its fingerprint."""

    fingerprint: str

    @classmethod
    def find(cls, name: str) -> Key:
        """The one secret key of this name that can sign. `name` is whatever gpg takes for one."""
        where = os.environ.get("GNUPGHOME") or "~/.gnupg"
        ended = attempt([*_GPG, "--with-colons", "--list-secret-keys", "--", name])
        found = _records(ended.stdout, "sec")
        if not found:
            raise TroubleError(
                f'There is no secret key "{name}" in {where}: {last_words(ended)}. Import it with gpg --import, '
                "or name another with --key."
            )
        if len(found) > 1:
            raise TroubleError(
                f'{len(found)} secret keys answer to "{name}" in {where}: {", ".join(found)}. '
                "Name one of them by its fingerprint."
            )
        ((fingerprint, fields),) = found.items()
        fault = _UNUSABLE.get(fields[1][:1])
        if fields[14] == "#":
            fault = "is only the public part of itself here"
        elif not fault and "S" not in fields[11]:
            fault = "may not sign"
        if fault:
            raise TroubleError(f'The secret key "{name}" ({fingerprint}) {fault}. Name another with --key.')
        return cls(fingerprint)

    def public(self) -> str:
        """Its public part, as text."""
        return run(
            [*_GPG, "--armor", "--export-options", "export-minimal", "--export", self.fingerprint],
            "exporting the public key",
        )

    def sign_package(self, path: Path, scratch: Path) -> None:
        """Put a signature into an RPM, in place of any that it has."""
        define = {"_gpg_name": self.fingerprint, "__gpg": shutil.which("gpg"), "_tmppath": scratch}
        options = [word for name, value in define.items() for word in ("--define", f"{name} {value}")]
        run(
            ["rpmsign", *options, "--addsign", path],
            f"signing {path.name}",
            extra_env={"TMPDIR": str(scratch)},
        )

    def sign_beside(self, path: Path) -> None:
        """Write the signature of a file to a file beside it, with .asc at its end."""
        run(
            [
                *_GPG,
                "--yes",
                "--armor",
                "--local-user",
                self.fingerprint,
                "--output",
                f"{path}.asc",
                "--detach-sign",
                path,
            ],
            f"signing {path.name}",
        )


def import_secret(text: str, home: Path) -> Key:
    """Give gpg, in a home of its own, the one secret key that a text holds."""
    file = home / "secret.asc"
    file.touch(mode=0o600)
    file.write_text(f"{text}\n", encoding="utf-8")
    try:
        attempt([*_GPG, "--import", file])
    finally:
        file.unlink()
    found = list(_records(run([*_GPG, "--with-colons", "--list-secret-keys"], "listing the keys"), "sec"))
    if len(found) != 1:
        raise TroubleError(
            f"The text that should be one secret key holds {len(found)}. Export it again: "
            "gpg --armor --export-secret-keys FINGERPRINT"
        )
    return Key.find(found[0])


def stop_agent() -> None:
    """End the agent that gpg has started for its home."""
    attempt(["gpgconf", "--kill", "all"], bound_s=30)


def make_key_database(folder: Path, public: Path) -> Path:
    """A key database of rpm's own kind that holds this key and no other."""
    run(["rpmkeys", "--dbpath", folder, "--import", public], f"importing {public.name}")
    return folder


def fingerprints(public: Path) -> list[str]:
    """Whose keys a file of public keys holds."""
    return list(_records(run([*_GPG, "--with-colons", "--show-keys", public], f"reading {public}"), "pub"))


def _records(listing: str, kind: str) -> dict[str, list[str]]:
    """The keys of a listing of gpg's, by fingerprint, with the fields that it has for each."""
    found: dict[str, list[str]] = {}
    latest: list[str] | None = None
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] == kind:
            latest = fields
        elif fields[0] == "fpr" and latest is not None:
            found[fields[9]], latest = latest, None
    return found
