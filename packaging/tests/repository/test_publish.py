"""What publish.py puts on a host, and what it refuses. `refused` sees to it that a refusal changes nothing there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.publishing import Reader

REPOSITORY = Path(__file__).resolve().parents[2] / "repository"
PATIENCE_S = 30.0
# To look, fetch, look, delete, send, look, switch.
TRANSFERS = 7


@pytest.fixture
def old(publish: Any, rpm: Any, host: Path) -> Path:
    """What readers see at first: one version in each release."""
    publish(rpm("a", "1"), rpm("a", "1", "el10"))
    return host / "current/el9"


def test_each_package_goes_to_the_repository_of_its_release(
    publish: Any, reader: Any, rpm: Any, host: Path
) -> None:
    given = [rpm("a", "1"), rpm("a", "1", source=True), rpm("b", "1", epoch=1), rpm("a", "1", "el10")]
    before = [file.read_bytes() for file in given]

    printed = publish(*given)

    assert reader(host) == {"el9": {"a-1", "b-1"}, "el9/source": {"a-1.src"}, "el10": {"a-1"}}
    assert printed.splitlines() == [
        "el9: added b 1:1-1.el9, a 1-1.el9.",
        "el9/source: added a 1-1.el9 (source).",
        "el10: added a 1-1.el10.",
        f"Published to {host}.",
    ]
    assert [file.read_bytes() for file in given] == before


def test_dnf_takes_it_with_both_signatures_asked_for_and_nothing_that_somebody_has_touched(
    publish: Any, rpm: Any, signer: Any, host: Path, tmp_path: Path
) -> None:
    publish(rpm("a", "1"), rpm("a", "1", source=True), rpm("b", "2"))

    assert dnf(tmp_path, signer.env, "repoquery") == ["a-0:1-1.el9.noarch", "b-0:2-1.el9.noarch"]
    dnf(tmp_path, signer.env, "install", "--setopt=tsflags=justdb", "b")
    repomd = host / "current/el9/repodata/repomd.xml"
    repomd.write_text(repomd.read_text().replace("<revision>", "<revision>1"))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        dnf(tmp_path, signer.env, "--refresh", "repoquery")
    assert "signature" in failed.value.stderr.lower()


def dnf(folder: Path, env: Any, *arguments: str) -> list[str]:
    """What dnf says of what is current, in a root of its own."""
    url, config = f"file://{folder}/host/current", folder / "dnf.conf"
    config.write_text(
        f"[main]\n[ours]\nname=ours\nbaseurl={url}/el9\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey={url}/RPM-GPG-KEY-focusd\n"
    )
    (folder / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    nowhere = dict.fromkeys(("reposdir", "varsdir", "pluginpath"), "/nonexistent")
    settings = [f"--setopt={name}={value}" for name, value in {**nowhere, "cachedir": folder / "c"}.items()]
    command = ["dnf", "-y", "-q", f"--installroot={folder}/root", "--releasever=9", "-c", str(config)]
    return subprocess.run(
        [*command, *settings, *arguments],
        env={**env, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    ).stdout.splitlines()


def test_versions_that_go_backwards_are_refused_in_rpms_order(
    publish: Any, refused: Any, rpm: Any, host: Path
) -> None:
    """Of both, the newer is named, and a package that could go in does not either."""
    orders = {
        "a": (rpm("a", "1.9"), rpm("a", "1.10")),
        "b": (rpm("b", "1.0~rc1"), rpm("b", "1.0")),
        "c": (rpm("c", "1.0"), rpm("c", "1.0^git1")),
        "d": (rpm("d", "20240712"), rpm("d", "1.0.0", epoch=1)),
        "e": (rpm("e", "20261122120000.g0a1b2c3"), rpm("e", "20261122120001.dabcdef0")),
    }  # fmt: skip
    publish(*(newer for _, newer in orders.values()))

    complaint = refused(*(older for older, _ in orders.values()), rpm("f", "1"))

    assert f"a 1.9-1.el9 goes backwards: {host}/current has a 1.10-1.el9. Build a newer version." in complaint
    assert f"d 20240712-1.el9 goes backwards: {host}/current has d 1:1.0.0-1.el9." in complaint
    assert complaint.count("goes backwards") == len(orders)
    assert complaint.endswith("\nNothing was published.\n")


def test_what_is_wrong_with_what_is_given_is_said_at_once(
    refused: Any, rpm: Any, old: Path, tmp_path: Path
) -> None:
    damaged, text = tmp_path / "damaged.rpm", tmp_path / "text.rpm"
    damaged.write_bytes(rpm("b", "1").read_bytes()[:-20])
    text.write_text("text")

    complaint = refused(
        *(damaged, text, rpm("a", "2", "fc40"), rpm("a", "2", "dirty.el9")),
        *(rpm("b", "1"), rpm("b", "1", contents="else")),
    )

    assert f"{damaged} is no whole RPM" in complaint
    assert f"{text} is no whole RPM" in complaint
    assert "has the release 1.fc40; it should end in .el9 or .el10" in complaint
    assert "a 2-1.dirty.el9 was built of changes that are not committed" in complaint
    assert "b 1-1.el9 was given twice, with different contents" in complaint
    assert "a 1-1.el9 is in" in refused(rpm("a", "1", contents="else"))
    assert "No such file" in refused(tmp_path / "none.rpm")
    assert "There is no RPM in" in refused(old / "repodata")


def test_the_same_again_and_files_of_any_name_are_fine(
    publish: Any, reader: Any, rpm: Any, old: Path, host: Path, tmp_path: Path
) -> None:
    """rpm itself takes brackets for a pattern."""
    odd = tmp_path / "a [1] %{x} -- ü.rpm"
    odd.write_bytes(rpm("a", "1").read_bytes())

    assert publish(odd, rpm("a", "1")).startswith("All of it was there already.")

    assert reader(host) == {"el9": {"a-1"}, "el10": {"a-1"}}


def test_the_last_versions_stay_and_their_files_for_readers_who_are_under_way(
    publish: Any, reader: Reader, rpm: Any, old: Path, host: Path
) -> None:
    publish(*(rpm("a", str(number)) for number in range(2, 7)))
    assert reader(host)["el9"] == {f"a-{number}" for number in range(2, 7)}

    for number in range(7, 10):
        fetch = reader.under_way(old)
        assert f"No longer listed: a {number - 2}-1.el9" in publish(rpm("a", str(number)), "--keep", 2)
        assert reader(host) == {"el9": {f"a-{number - 1}", f"a-{number}"}, "el10": {"a-1"}}
        if number > 7:
            fetch()
            assert len(list(old.glob("*.rpm"))) == 3
    assert len(list(host.glob("trees/*"))) == 2


@pytest.mark.parametrize("wrong", ["0", "-1", "many"])
def test_a_number_of_versions_that_is_none_is_wrong_usage(
    program: Any, rpm: Any, old: Path, wrong: str
) -> None:
    assert program(rpm("a", "2"), f"--keep={wrong}").returncode == 2


# Damage

METADATA: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:100]),
    "blank": lambda file: file.write_bytes(bytes(100)),
    "gone": lambda file: file.unlink(),
}  # fmt: skip


@pytest.mark.parametrize("spoil", METADATA.values(), ids=METADATA)
def test_metadata_that_were_spoilt_are_made_anew(
    publish: Any, reader: Any, old: Path, host: Path, spoil: Any
) -> None:
    """Also without a package to add."""
    for pattern in ("repomd.xml", "*-primary.xml.gz", "repomd.xml.asc"):
        [file] = old.glob(f"repodata/{pattern}")
        spoil(file)
        publish()
        for left in {*old.glob("repodata/*-primary.xml.gz")} - {primary(old)}:
            left.unlink()
        assert reader(host) == {"el9": {"a-1"}, "el10": {"a-1"}}


def primary(place: Path) -> Path:
    [href] = re.findall(
        r'href="(repodata/[^"]*-primary.xml.gz)"', (place / "repodata/repomd.xml").read_text()
    )
    return place / str(href)


def test_a_package_on_the_host_that_is_not_whole_or_not_ours_is_named(
    publish: Any,
    refused: Any,
    program: Any,
    reader: Any,
    signer: Any,
    rpm: Any,
    old: Path,
    host: Path,
    tmp_path: Path,
) -> None:
    """Somebody who can write to the host, and has no key, gets nothing signed."""
    (tmp_path / "theirs").mkdir()
    theirs = signer.make_key("intruder@example.org")
    assert program(rpm("a", "1"), "--key", theirs, "--target", tmp_path / "theirs").returncode == 0
    file = old / "a-1-1.el9.noarch.rpm"
    whole = file.read_bytes()
    spoilt = {
        "empty": b"",
        "cut": whole[:-20],
        "flipped": whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:],
        "unsigned": rpm("a", "1").read_bytes(),
        "theirs": (tmp_path / "theirs/current/el9" / file.name).read_bytes(),
    }
    for how, content in spoilt.items():
        file.unlink()
        file.write_bytes(content)
        complaint = refused(rpm("a", "2"))
        assert f"{file}: " in complaint, how
        assert "It should be whole and signed by this key. Delete it" in complaint, how
    file.unlink()
    publish(rpm("a", "2"))
    assert reader(host) == {"el9": {"a-2"}, "el10": {"a-1"}}


# Keys and tools


def test_keys_that_will_not_do_are_said(refused: Any, signer: Any, key: str, rpm: Any, old: Path) -> None:
    two = [signer.make_key(f"{name}@twice.example.org") for name in ("one", "two")]
    signer.gpg(
        *("--faked-system-time", "20200101T000000"),
        *("--quick-generate-key", "Test <past@example.org>", "rsa2048", "sign", "1d"),
    )
    other = signer.make_key("second@example.org")

    assert '0 secret keys answer to "nobody@' in refused(rpm("a", "2"), "--key", "nobody@example.org")
    ambiguous = refused(rpm("a", "2"), "--key", "twice.example.org")
    assert '2 secret keys answer to "twice.example.org"' in ambiguous
    assert all(one in ambiguous for one in two)
    assert "another key" in refused(rpm("a", "2"), "--key", "past@example.org")
    assert f"is signed by another key ({key}) than {other}" in refused(rpm("a", "2"), "--key", other)


@pytest.mark.parametrize("name", ["past@example.com", "certify@example.com"])
def test_a_key_that_cannot_sign_begins_no_repository(
    refused: Any, signer: Any, rpm: Any, host: Path, name: str
) -> None:
    how = ("rsa2048", "sign", "1d") if "past" in name else ("rsa2048", "cert", "never")
    signer.gpg("--faked-system-time", "20200101T000000", "--quick-generate-key", f"Test <{name}>", *how)

    assert "signing a 1-1.el9 failed: rpmsign ended with" in refused(rpm("a", "1"), "--key", name)


def test_a_tool_that_is_missing_or_fails_is_said(
    refused: Any, imposters: Any, rpm: Any, old: Path, tmp_path: Path
) -> None:
    tools = {"createrepo_c", "gpg", "rpm", "rpmkeys", "rpmsign", "rsync"}
    for missing in tools:
        folder = tmp_path / f"without-{missing}"
        folder.mkdir()
        for name in tools - {missing}:
            (folder / name).symlink_to(str(shutil.which(name)))
        complaint = refused(rpm("a", "2"), PATH=str(folder))
        # rpmsign calls gpg by its path.
        assert f"{missing} is not on PATH. Install, on Debian: rpm createrepo-c" in complaint, missing
    for ill in tools - {"rpmkeys"}:
        env = imposters(**{ill: 'echo "I am ill" >&2; exit 7'})
        assert "I am ill" in refused(rpm("a", "2"), **env), ill
        (tmp_path / "imposters" / ill).unlink()
    assert "It should be signed now" in refused(rpm("a", "2"), **imposters(rpmsign="exit 0"))


# Readers and others, while it works


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", range(1, TRANSFERS + 1))
def test_one_that_dies_leaves_the_old_or_the_new_state_and_the_next_completes_it(
    publish: Any,
    program: Any,
    imposters: Any,
    reader: Any,
    rpm: Any,
    old: Path,
    host: Path,
    scratch: Path,
    tmp_path: Path,
    call: int,
    when: str,
) -> None:
    calls = f"$(wc -l <{tmp_path}/calls)"
    kill = f"if [ {calls} -eq {call} ]; then kill -9 $PPID; exit; fi"
    steps = [kill, 'REAL "$@"'] if when == "before" else ['REAL "$@" || exit', kill]
    server = 'case $* in --server*) exec REAL "$@";; esac'
    fetch = reader.under_way(old)

    ended = program(
        rpm("a", "2"), "--keep", 1, **imposters(rsync="\n".join([server, f"echo >>{tmp_path}/calls", *steps]))
    )

    assert ended.returncode == -signal.SIGKILL
    shutil.rmtree(scratch)
    scratch.mkdir()
    seen = (call, when) == (TRANSFERS, "after")
    assert reader(host) == {"el9": {"a-2" if seen else "a-1"}, "el10": {"a-1"}}
    fetch()
    publish(rpm("a", "2"), "--keep", 1)
    assert reader(host) == {"el9": {"a-2"}, "el10": {"a-1"}}
    if not seen and call == TRANSFERS:
        # What the dead one had sent goes with what was seen then.
        publish()
        publish()
        assert len(list(host.glob("trees/*"))) == 2


def test_the_link_is_replaced_in_one_step_when_all_else_is_on_the_disk(
    publish: Any, rpm: Any, old: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    calls = "trace=unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,sync"

    publish(rpm("a", "2"), before=["strace", "-f", "-y", "-qq", "-e", calls, "-o", trace])

    made = [line.split(None, 1)[1] for line in trace.read_text().splitlines() if "SIG" not in line]
    links = [number for number, call in enumerate(made) if re.search(r'"current"|host/current"', call)]
    changes = [made[number] for number in links if "/scratch/" not in made[number]]
    assert [call.partition("(")[0].removesuffix("at2").removesuffix("at") for call in changes] == ["rename"]
    last_sync = max(number for number, call in enumerate(made) if call.startswith("sync("))
    placed = [
        number
        for number, call in enumerate(made)
        if re.match(r"(rename|link)", call) and "repomd.xml" in call
    ]
    assert max(placed) < last_sync < links[-1]


@pytest.fixture
def publishing(
    signer: Any, key: str, host: Path, imposters: Any, scratch: Path, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Starts a publication that stands still in createrepo_c until the file `go` is there."""
    started = []
    waiting = f'touch {tmp_path}/waits; while ! [ -e {tmp_path}/go ]; do sleep 0.05; done; exec REAL "$@"'

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, REPOSITORY / "publish.py", *arguments, "--key", key, "--target", host]
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**signer.env, "TMPDIR": str(scratch), **imposters(createrepo_c=waiting)},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        end = time.monotonic() + PATIENCE_S
        while not (tmp_path / "waits").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        return process

    yield start
    (tmp_path / "go").touch()
    for process in started:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_of_two_at_once_the_slower_is_refused(
    publishing: Any, publish: Any, reader: Any, rpm: Any, old: Path, host: Path, tmp_path: Path
) -> None:
    slow = publishing(rpm("a", "2"), rpm("b", "1"))
    publish(rpm("a", "3"))

    (tmp_path / "go").touch()

    assert f"Somebody else has published to {host} meanwhile" in slow.communicate(timeout=PATIENCE_S)[1]
    assert slow.returncode == 1
    assert reader(host) == {"el9": {"a-1", "a-3"}, "el10": {"a-1"}}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_that_is_told_to_end_clears_its_work_away(
    publishing: Any, reader: Any, rpm: Any, old: Path, host: Path, number: signal.Signals
) -> None:
    process = publishing(rpm("a", "2"))

    process.send_signal(number)

    assert process.communicate(timeout=PATIENCE_S)[1].startswith("publish: Stopped.")
    assert process.returncode == 1
    assert reader(host) == {"el9": {"a-1"}, "el10": {"a-1"}}


# The host


@pytest.mark.parametrize("options", ["size=60k", "ro"])
def test_a_disk_that_is_full_or_read_only_is_said(
    program: Any, rpm: Any, old: Path, host: Path, tmp_path: Path, options: str
) -> None:
    """In a mount namespace of its own, where the host is on a small disk."""
    copy = f"mount -t tmpfs -o mode=755 tmpfs {host} && cp -a {host}.old/. {host} && mount -o remount,{options} {host}"
    shutil.copytree(host, tmp_path / "host.old", symlinks=True)
    proof = f'"$@"; code=$?; diff -r {host}/current {host}.old/current >&2 || exit 3; exit $code'
    namespace = ["unshare", "--mount", "--propagation", "private", "bash", "-c", f"{copy}; {proof}", "bash"]
    large = [rpm(f"l{number}", "1", contents="x" * 4000) for number in range(6)]

    ended = program(*large, before=namespace)

    assert ended.returncode == 1, ended
    assert {"ro": "Read-only file system", "size=60k": "No space left on device"}[options] in ended.stderr
    assert "What readers see is as it was. Mend that, and run this again." in ended.stderr


def test_what_is_not_ours_on_the_host_is_never_deleted(publish: Any, rpm: Any, old: Path, host: Path) -> None:
    theirs = [host / name for name in ("index.html", "el9/README", "trees/notes", "trees/1-theirs/a")]
    for file in theirs:
        file.parent.mkdir(exist_ok=True)
        file.write_text("theirs")

    for version in "234":
        publish(rpm("a", version))

    assert {file.read_text() for file in theirs} == {"theirs"}


def test_a_host_that_will_not_do_is_said(refused: Any, rpm: Any, host: Path, tmp_path: Path) -> None:
    for wrong in ("host:", "host:relative", "rsync://host/module", "host::module", "-e", "a b:/srv"):
        assert "should be a folder" in refused(rpm("a", "1"), f"--target={wrong}"), wrong
    assert "No such file or directory" in refused(rpm("a", "1"), "--target", tmp_path / "none")
    (host / "current").mkdir()
    assert "current should be a link to one of" in refused(rpm("a", "1"))
    (host / "current").rmdir()
    (host / "current").symlink_to("trees/7-0123abcd")
    assert "trees/7-0123abcd" in refused(rpm("a", "1"))


# Does on this machine what it should do on the host, and writes down what it was told.
SSH = """
printf '%s\\n' "$@" >>LOG.told
while [[ $1 == -* ]]; do
    case $1 in
        -i*) cat "${1#-i}" >>LOG.key; stat -c %a "${1#-i}" >>LOG.mode ;;
        -oUserKnownHostsFile=*) cat "${1#*=}" >>LOG.hosts ;;
        -l) shift ;;
    esac
    shift
done
shift
exec sh -c "$*"
"""


@pytest.fixture
def secrets(signer: Any, key: str, host: Path) -> dict[str, str]:
    """The environment of the workflow."""
    return {
        "FOCUSD_REPOSITORY_GPG_KEY": signer.gpg("--armor", "--export-secret-keys", key),
        "FOCUSD_REPOSITORY_SSH_KEY": "the key\r\n" * 2,
        "FOCUSD_REPOSITORY_KNOWN_HOSTS": "host ssh-ed25519 AAAA",
        "FOCUSD_REPOSITORY_TARGET": f"repo@host:{host}",
    }


def test_the_secrets_of_the_environment_reach_gpg_and_ssh_and_stay_nowhere(
    publish: Any, imposters: Any, reader: Any, rpm: Any, secrets: dict[str, str], host: Path, tmp_path: Path
) -> None:
    ssh, log = imposters(ssh=SSH.replace("LOG", str(tmp_path / "ssh"))), tmp_path / "ssh"

    publish(rpm("a", "1"), GNUPGHOME="/nonexistent", **ssh, **secrets)
    publish(rpm("a", "2"), GNUPGHOME="/nonexistent", **ssh, **secrets)

    calls = 2 * TRANSFERS - 1
    assert reader(host) == {"el9": {"a-1", "a-2"}}
    assert log.with_suffix(".key").read_text() == "the key\nthe key\n" * calls
    assert log.with_suffix(".mode").read_text() == "600\n" * calls
    assert log.with_suffix(".hosts").read_text() == "host ssh-ed25519 AAAA\n" * calls
    told = {"-oStrictHostKeyChecking=yes", "-oBatchMode=yes", "-oIdentitiesOnly=yes", "-oConnectTimeout=20"}
    assert told <= set(log.with_suffix(".told").read_text().splitlines())


def test_a_person_uses_their_own_ssh(
    publish: Any, imposters: Any, reader: Any, rpm: Any, host: Path, tmp_path: Path
) -> None:
    publish(
        rpm("a", "1"), "--target", f"host:{host}", **imposters(ssh=SSH.replace("LOG", str(tmp_path / "ssh")))
    )

    assert reader(host) == {"el9": {"a-1"}}
    assert not (tmp_path / "ssh.key").exists()
    assert "-oBatchMode=yes" in (tmp_path / "ssh.told").read_text()


@pytest.mark.parametrize("missing", ["GPG_KEY", "SSH_KEY", "KNOWN_HOSTS", "TARGET"])
def test_some_of_the_secrets_are_a_mistake(
    refused: Any, program: Any, rpm: Any, secrets: dict[str, str], missing: str
) -> None:
    name = f"FOCUSD_REPOSITORY_{missing}"
    # This is what a workflow gives for a secret that is not set.
    assert f"{name} is not set, and others are" in refused(rpm("a", "1"), **{**secrets, name: ""})

    ended = program(rpm("a", "1"), **dict.fromkeys(secrets, ""))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(
        "1 packages are built and not published: none of FOCUSD_REPOSITORY_GPG_KEY,"
    )


def test_a_text_that_is_no_key_is_said(refused: Any, rpm: Any, secrets: dict[str, str], host: Path) -> None:
    local = {**secrets, "FOCUSD_REPOSITORY_TARGET": str(host), "FOCUSD_REPOSITORY_GPG_KEY": "no key"}

    assert '0 secret keys answer to ""' in refused(rpm("a", "1"), **local)


def test_a_host_that_lets_nobody_in_or_says_nothing_is_said(
    refused: Any, imposters: Any, rpm: Any, secrets: dict[str, str]
) -> None:
    for said in ("git@host: Permission denied (publickey).", "Host key verification failed."):
        complaint = refused(rpm("a", "1"), **secrets, **imposters(ssh=f'echo "{said}" >&2; exit 255'))
        assert said in complaint
        assert f"looking at {secrets['FOCUSD_REPOSITORY_TARGET']} failed" in complaint
    silent = imposters(ssh="exec sleep 50", rsync='exec REAL "${@/--timeout=60/--timeout=1}"')
    assert "timeout" in refused(rpm("a", "1"), **secrets, **silent)


def test_the_key_that_the_readme_makes_signs_and_is_one_that_every_rpm_verifies(
    publish: Any, rpm: Any, host: Path
) -> None:
    lines = re.findall(r"^gpg .*$", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    # gpg's socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        env = {**os.environ, "GNUPGHOME": home, "LC_ALL": "C"}
        exported = "".join(shell(line, env) for line in lines)
        made = shell("gpg --batch --with-colons --list-secret-keys", env)
        shell("gpgconf --kill all", env)
    [key] = [line.split(":") for line in made.splitlines() if line.startswith("sec:")]
    # RSA, of 4096 bits, without an end.
    assert (key[2], key[3], key[6]) == ("4096", "1", "")

    publish(rpm("a", "1"), FOCUSD_REPOSITORY_GPG_KEY=exported, FOCUSD_REPOSITORY_TARGET=str(host))

    assert (host / "current/RPM-GPG-KEY-focusd").read_text().startswith("-----BEGIN PGP PUBLIC KEY")


def shell(line: str, env: dict[str, str]) -> str:
    command = ["bash", "-c", line]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    ).stdout
