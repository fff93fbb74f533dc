"""Strict rpmlint with packaging/rpm/rpmlint.toml accepts our packages, and would see faults in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from support.building import Built, build_spec
from support.releases import Release
from support.shell import Result
from support.sources import PROJECT
from support.workshop import Workshop

RPMLINT = ("/usr/bin/rpmlint", "--strict", "--config", PROJECT / "packaging/rpm/rpmlint.toml")

# A package of the name that the exceptions are for, without a fault.
SPEC = """\
Name: rockit-atlas-data-ngts-m06
Epoch: 1
Version: 1
Release: 1
Summary: Configuration of a focuser
License: GPL-3.0-or-later
BuildArch: noarch

%description
Nothing but files with a fault.

%install
mkdir -p %{buildroot}/etc/focusd %{buildroot}/usr/bin %{buildroot}/usr/lib/udev/rules.d
echo '{"a": 1}' >%{buildroot}/etc/focusd/a.json
echo 'SUBSYSTEM=="tty"' >%{buildroot}/usr/lib/udev/rules.d/70-a.rules
printf '#!/usr/bin/python3\\nprint(1)\\n' >%{buildroot}/usr/bin/focus

%files
%dir /etc/focusd
%attr(0644,root,root) %config(noreplace) /etc/focusd/a.json
%attr(0755,root,root) /usr/bin/focus
%attr(0644,root,root) /usr/lib/udev/rules.d/70-a.rules
"""
FAULTS = {
    "world-writable": ("%attr(0644,root,root) %config", "%attr(0666,root,root) %config"),
    "non-conffile-in-etc": ("%config(noreplace) ", ""),
    "conffile-without-noreplace-flag": ("%config(noreplace)", "%config"),
    "invalid-license": ("GPL-3.0-or-later", "Our own"),
    "non-standard-dir-perm": ("%dir /etc/focusd", "%attr(0777,root,root) %dir /etc/focusd"),
    "wrong-script-interpreter": ("#!/usr/bin/python3", "#!/usr/local/bin/python3"),
    "env-script-interpreter": ("#!/usr/bin/python3", "#!/usr/bin/env python3"),
    "non-standard-executable-perm": ("%attr(0755,root,root) /usr/bin", "%attr(0775,root,root) /usr/bin"),
    "summary-ended-with-dot": ("of a focuser", "of a focuser."),
    "wrong-file-end-of-line-encoding": (
        "%files",
        "mkdir -p %{buildroot}/usr/share/doc/a\nprintf 'a\\r\\n' >%{buildroot}/usr/share/doc/a/b\n"
        "%files\n%doc /usr/share/doc/a/b",
    ),
}


def lint(workshop: Workshop, rpms: Sequence[Path]) -> Result:
    return workshop.run(*RPMLINT, *rpms)


def plant(workshop: Workshop, folder: Path, spec: str) -> list[Path]:
    (folder / "planted.spec").write_text(spec)
    (folder / "out").mkdir()
    return build_spec(workshop, folder / "planted.spec", folder / "out", {"_buildhost": "build"})


def test_our_packages_are_accepted(workshop: Workshop, built: Built, release: Release) -> None:
    for rpms in ([*built.rpms(release.name).values()], *([rpm] for rpm in built.sources(release.name))):
        said = lint(workshop, rpms).ok()
        assert f"{len(rpms)} packages and 0 specfiles checked; 0 errors, 0 warnings" in said


def test_a_package_without_a_fault_is_accepted(workshop: Workshop, tmp_path: Path) -> None:
    lint(workshop, plant(workshop, tmp_path, SPEC)).ok()


def test_a_fault_is_seen(workshop: Workshop, tmp_path: Path) -> None:
    for fault, (sound, faulty) in FAULTS.items():
        folder = tmp_path / fault
        folder.mkdir()
        assert sound in SPEC
        lint(workshop, plant(workshop, folder, SPEC.replace(sound, faulty))).refused(f": E: {fault} ")
