"""What publish.py puts on a host, and what it refuses. `at.refused` sees to it that a refusal changes nothing there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.publishing import Forge, Publishing, Reader, Signer
from support.sources import PROJECT

README = PROJECT / "packaging/repository/README.md"
PATIENCE_S = 30.0
# To look, fetch, look, delete, send, look, switch.
TRANSFERS = 7
OLD = {"el9": {"a-1"}, "el10": {"a-1"}}
NEW = {"el9": {"a-2"}, "el10": {"a-1"}}


@pytest.fixture
def begun(at: Publishing, rpm: Forge) -> Publishing:
    """A host with one version of a package for each release."""
    at.ok(rpm("a", "1"), rpm("a", "1", "el10"))
    return at


def test_each_package_goes_to_the_repository_of_its_release(at: Publishing, rpm: Forge) -> None:
    given = [rpm("a", "1"), rpm("a", "1", source=True), rpm("b", "1", epoch=1), rpm("a", "1", "el10")]
    before = [file.read_bytes() for file in given]

    printed = at.ok(*given)

    assert at.seen() == {"el9": {"a-1", "b-1"}, "el9/source": {"a-1.src"}, "el10": {"a-1"}}
    assert printed.splitlines() == [
        "el9: added b 1:1-1.el9, a 1-1.el9.",
        "el9/source: added a 1-1.el9 (source).",
        "el10: added a 1-1.el10.",
        f"Published to {at.host}.",
    ]
    assert [file.read_bytes() for file in given] == before


def test_dnf_takes_it_with_both_signatures_asked_for_and_nothing_that_was_touched(
    at: Publishing, rpm: Forge
) -> None:
    at.ok(rpm("a", "1"), rpm("a", "1", source=True), rpm("b", "2"))

    assert dnf(at, "repoquery") == ["a-0:1-1.el9.noarch", "b-0:2-1.el9.noarch"]
    dnf(at, "install", "--setopt=tsflags=justdb", "b")
    repomd = at.el9 / "repodata/repomd.xml"
    repomd.write_text(repomd.read_text().replace("<revision>", "<revision>1"))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        dnf(at, "--refresh", "repoquery")
    assert "signature" in failed.value.stderr.lower()


def dnf(at: Publishing, *arguments: str) -> list[str]:
    """What dnf says of what is current, in a root of its own."""
    url, config = f"file://{at.host}/current", at.folder / "dnf.conf"
    key = f"gpgkey={url}/RPM-GPG-KEY-focusd"
    config.write_text(f"[main]\n[ours]\nname=ours\nbaseurl={url}/el9\ngpgcheck=1\nrepo_gpgcheck=1\n{key}\n")
    (at.folder / ".rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    settings = dict.fromkeys(("reposdir", "varsdir", "pluginpath"), "/nonexistent")
    options = [
        f"--setopt={name}={value}" for name, value in {**settings, "cachedir": at.folder / "c"}.items()
    ]
    return subprocess.run(
        [
            "dnf",
            "-y",
            "-q",
            f"--installroot={at.folder}/root",
            "--releasever=9",
            "-c",
            config,
            *options,
            *arguments,
        ],
        env=at.env(HOME=str(at.folder)),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    ).stdout.splitlines()


def test_versions_that_go_backwards_are_refused_in_rpms_order(at: Publishing, rpm: Forge) -> None:
    """A package beside them that could go in does not either."""
    orders = {
        "a": (rpm("a", "1.9"), rpm("a", "1.10")),
        "b": (rpm("b", "1.0~rc1"), rpm("b", "1.0")),
        "c": (rpm("c", "1.0"), rpm("c", "1.0^git1")),
        "d": (rpm("d", "20240712"), rpm("d", "1.0.0", epoch=1)),
        "e": (rpm("e", "20261122120000.g0a1b2c3"), rpm("e", "20261122120001.dabcdef0")),
    }
    at.ok(*(newer for _, newer in orders.values()))

    complaint = at.refused(*(older for older, _ in orders.values()), rpm("f", "1"))

    there = f"goes backwards: {at.host}/current has"
    assert f"a 1.9-1.el9 {there} a 1.10-1.el9. Build a newer version." in complaint
    assert f"d 20240712-1.el9 {there} d 1:1.0.0-1.el9." in complaint
    assert complaint.count(there) == len(orders)
    assert complaint.endswith("\nNothing was published.\n")


def test_all_that_is_wrong_with_what_is_given_is_said_at_once(begun: Publishing, rpm: Forge) -> None:
    damaged, text = begun.folder / "damaged.rpm", begun.folder / "text.rpm"
    damaged.write_bytes(rpm("b", "1").read_bytes()[:-20])
    text.write_text("text")

    complaint = begun.refused(
        *(damaged, text, rpm("a", "2", "fc40"), rpm("a", "2", "dirty.el9")),
        *(rpm("b", "1"), rpm("b", "1", contents="else")),
    )

    assert f"{damaged} is no whole RPM" in complaint
    assert f"{text} is no whole RPM" in complaint
    assert "has the release 1.fc40; it should end in .el9 or .el10" in complaint
    assert "a 2-1.dirty.el9 was built of changes that are not committed" in complaint
    assert "b 1-1.el9 was given twice, with different contents" in complaint
    assert f"a 1-1.el9 is in {begun.host}/current already" in begun.refused(rpm("a", "1", contents="else"))
    assert "No such file" in begun.refused(begun.folder / "none.rpm")
    assert "There is no RPM in" in begun.refused(begun.el9 / "repodata")
    for wrong in ("0", "-1", "many"):
        assert begun.run(rpm("a", "2"), f"--keep={wrong}").returncode == 2, wrong
    assert begun.seen() == OLD


def test_the_same_again_is_fine_whatever_the_file_is_called(begun: Publishing, rpm: Forge) -> None:
    """rpm itself takes brackets for a pattern."""
    odd = begun.folder / "a [1] %{x} -- ü.rpm"
    odd.write_bytes(rpm("a", "1").read_bytes())

    assert begun.ok(odd, rpm("a", "1")).startswith("All of it was there already.")

    assert begun.seen() == OLD


def test_the_last_versions_stay_and_their_files_for_readers_who_are_under_way(
    begun: Publishing, rpm: Forge
) -> None:
    begun.ok(*(rpm("a", str(number)) for number in range(2, 7)))
    assert begun.seen()["el9"] == {f"a-{number}" for number in range(2, 7)}
    begun.ok(rpm("a", "7"), "--keep", 2)

    for number in (8, 9):
        fetch = begun.under_way()
        assert f"No longer listed: a {number - 2}-1.el9" in begun.ok(rpm("a", str(number)), "--keep", 2)
        assert begun.seen() == {"el9": {f"a-{number - 1}", f"a-{number}"}, "el10": {"a-1"}}
        fetch()
    assert len(list(begun.el9.glob("*.rpm"))) == 3
    assert len(list(begun.host.glob("trees/*"))) == 2


# Damage


def test_metadata_that_were_spoilt_are_made_anew(begun: Publishing, rpm: Forge, reader: Reader) -> None:
    """Also without a package to add."""
    spoilt: dict[str, Callable[[Path], object]] = {
        "empty": lambda file: file.write_bytes(b""),
        "cut": lambda file: file.write_bytes(file.read_bytes()[:100]),
        "blank": lambda file: file.write_bytes(bytes(100)),
        "gone": lambda file: file.unlink(),
    }
    for how, spoil in spoilt.items():
        for file in (
            reader.primary(begun.el9),
            begun.el9 / "repodata/repomd.xml",
            begun.el9 / "repodata/repomd.xml.asc",
        ):
            spoil(file)
        begun.ok()
        assert begun.seen() == OLD, how


def test_a_package_on_the_host_that_is_not_whole_or_not_ours_is_named(
    begun: Publishing, rpm: Forge, signer: Signer
) -> None:
    """Somebody who can write to the host, and has no key, gets nothing signed."""
    theirs = begun.folder / "theirs"
    theirs.mkdir()
    begun.ok(rpm("a", "1"), "--key", signer.make_key("intruder@example.org"), "--target", theirs)
    file = begun.el9 / "a-1-1.el9.noarch.rpm"
    whole = file.read_bytes()
    spoilt = {
        "empty": b"",
        "cut": whole[:-20],
        "flipped": whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:],
        "unsigned": rpm("a", "1").read_bytes(),
        "theirs": (theirs / "current/el9" / file.name).read_bytes(),
    }
    for how, content in spoilt.items():
        file.unlink()
        file.write_bytes(content)
        complaint = begun.refused(rpm("a", "2"))
        assert f"{file}: " in complaint, how
        assert "It should be whole and signed by this key. Delete it" in complaint, how
    file.unlink()
    begun.ok(rpm("a", "2"))
    assert begun.seen() == NEW


# Keys and tools


def test_keys_that_will_not_do_are_said(begun: Publishing, rpm: Forge, signer: Signer, key: str) -> None:
    two = [signer.make_key(f"{name}@twice.example.org") for name in ("one", "two")]
    other, empty = signer.make_key("second@example.org"), begun.folder / "empty"
    empty.mkdir()
    long_ago = ("--faked-system-time", "20200101T000000", "--quick-generate-key")
    signer.gpg(*long_ago, "Test <past@example.org>", "rsa2048", "sign", "1d")
    signer.gpg(*long_ago, "Test <certify@example.org>", "rsa2048", "cert", "never")

    assert '0 secret keys answer to "nobody@' in begun.refused(rpm("a", "2"), "--key", "nobody@example.org")
    ambiguous = begun.refused(rpm("a", "2"), "--key", "twice.example.org")
    assert '2 secret keys answer to "twice.example.org"' in ambiguous
    assert all(one in ambiguous for one in two)
    assert f"is signed by another key ({key}) than {other}" in begun.refused(rpm("a", "2"), "--key", other)
    for name in ("past", "certify"):
        complaint = begun.refused(rpm("a", "2"), "--key", f"{name}@example.org", "--target", empty)
        assert "signing a 2-1.el9 failed: rpmsign ended with" in complaint, name
    assert list(empty.iterdir()) == []


def test_a_tool_that_is_missing_or_fails_is_said(begun: Publishing, rpm: Forge) -> None:
    tools = {"createrepo_c", "gpg", "rpm", "rpmkeys", "rpmsign", "rsync"}
    for tool in sorted(tools):
        folder = begun.folder / f"without-{tool}"
        folder.mkdir()
        for name in tools - {tool}:
            (folder / name).symlink_to(str(shutil.which(name)))
        complaint = begun.refused(rpm("a", "2"), PATH=str(folder))
        assert f"{tool} is not on PATH. Install, on Debian: rpm createrepo-c" in complaint, tool
        ill = begun.imposters(**{tool: 'echo "I am ill" >&2; exit 7'})
        assert "I am ill" in begun.refused(rpm("a", "2"), **ill), tool
    assert "It should be signed now" in begun.refused(rpm("a", "2"), **begun.imposters(rpmsign="exit 0"))


# While it works


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", range(1, TRANSFERS + 1))
def test_one_that_dies_leaves_the_old_or_the_new_state_and_the_next_completes_it(
    begun: Publishing, rpm: Forge, call: int, when: str
) -> None:
    log = begun.folder / "calls"
    kill = f"if [ $(wc -l <{log}) -eq {call} ]; then kill -9 $PPID; exit; fi"
    steps = [kill, 'REAL "$@"'] if when == "before" else ['REAL "$@" || exit', kill]
    server = 'case $* in --server*) exec REAL "$@";; esac'
    fetch = begun.under_way()
    env = begun.imposters(rsync="\n".join([server, f"echo >>{log}", *steps]))

    assert begun.run(rpm("a", "2"), "--keep", 1, **env).returncode == -signal.SIGKILL

    assert begun.seen() == (NEW if (call, when) == (TRANSFERS, "after") else OLD)
    fetch()
    for left in begun.scratch.iterdir():
        shutil.rmtree(left)
    begun.ok(rpm("a", "2"), "--keep", 1)
    assert begun.seen() == NEW
    if (call, when) == (TRANSFERS, "before"):
        # What the dead one had sent goes with what was seen then.
        begun.ok()
        begun.ok()
        assert len(list(begun.host.glob("trees/*"))) == 2


def test_the_link_is_replaced_in_one_step_when_all_else_is_on_the_disk(begun: Publishing, rpm: Forge) -> None:
    trace = begun.folder / "trace"
    calls = "trace=unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,sync"

    begun.ok(rpm("a", "2"), before=["strace", "-f", "-y", "-qq", "-e", calls, "-o", trace])

    made = [line.split(None, 1)[1] for line in trace.read_text().splitlines() if "SIG" not in line]
    made = [call for call in made if str(begun.scratch) not in call]
    [switch], [sync], sent = (
        [number for number, call in enumerate(made) if re.search(pattern, call)]
        for pattern in (r'[/"]current"', r"^sync\(", r'^rename.*[/"]repomd\.xml"')
    )
    assert made[switch].startswith("rename")
    assert len(sent) == 2
    assert max(sent) < sync < switch


@pytest.fixture
def working(begun: Publishing, rpm: Forge) -> Iterator[subprocess.Popen[str]]:
    """A publication of a second version, which stands still in createrepo_c until the file `go` is there."""
    waits, go = begun.folder / "waits", begun.folder / "go"
    env = begun.imposters(
        createrepo_c=f'touch {waits}; until [ -e {go} ]; do sleep 0.05; done; exec REAL "$@"'
    )
    command = begun.command(rpm("a", "2"))
    with subprocess.Popen(command, env=begun.env(**env), stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + PATIENCE_S
        while not waits.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        yield process
        go.touch()
        process.kill()


def test_of_two_at_once_the_slower_is_refused(
    begun: Publishing, working: subprocess.Popen[str], rpm: Forge
) -> None:
    begun.ok(rpm("a", "3"))

    (begun.folder / "go").touch()

    said = working.communicate(timeout=PATIENCE_S)[1]
    assert f"Somebody else has published to {begun.host} meanwhile" in said
    assert working.returncode == 1
    assert begun.seen() == {"el9": {"a-1", "a-3"}, "el10": {"a-1"}}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_that_is_told_to_end_clears_its_work_away(
    begun: Publishing, working: subprocess.Popen[str], number: signal.Signals
) -> None:
    working.send_signal(number)

    assert working.communicate(timeout=PATIENCE_S)[1].startswith("publish: Stopped.")
    assert working.returncode == 1
    assert begun.seen() == OLD


# The host


@pytest.mark.parametrize(
    ("options", "words"), [("size=60k", "No space left on device"), ("ro", "Read-only file system")]
)
def test_a_disk_that_is_full_or_read_only_is_said(
    begun: Publishing, rpm: Forge, options: str, words: str
) -> None:
    """In a mount namespace of its own, where the host is on a small disk."""
    host, copy = begun.host, begun.folder / "copy"
    shutil.copytree(host, copy, symlinks=True)
    script = f"""
        mount -t tmpfs -o mode=755 tmpfs {host} && cp -a {copy}/. {host} && mount -o remount,{options} {host} &&
        "$@"; code=$?; diff -r {host}/current {copy}/current >&2 || exit 3; exit $code
    """
    namespace = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "bash"]

    ended = begun.run(*(rpm(f"l{number}", "1") for number in range(6)), before=namespace)

    assert ended.returncode == 1, ended
    assert words in ended.stderr
    assert "What readers see is whole. Mend that, and run this again." in ended.stderr


def test_what_is_not_ours_on_the_host_is_never_deleted(begun: Publishing, rpm: Forge) -> None:
    theirs = [begun.host / name for name in ("index.html", "el9/README", "trees/notes", "trees/1-theirs/a")]
    for file in theirs:
        file.parent.mkdir(exist_ok=True)
        file.write_text("theirs")

    for version in "234":
        begun.ok(rpm("a", version))

    assert {file.read_text() for file in theirs} == {"theirs"}


def test_a_host_that_will_not_do_is_said(at: Publishing, rpm: Forge) -> None:
    for wrong in ("host:", "host:relative", "rsync://host/module", "host::module", "-e", "a b:/srv"):
        assert "should be a folder" in at.refused(rpm("a", "1"), f"--target={wrong}"), wrong
    assert "No such file or directory" in at.refused(rpm("a", "1"), "--target", at.folder / "none")
    (at.host / "current").mkdir()
    assert "current should be a link to one of" in at.refused(rpm("a", "1"))
    (at.host / "current").rmdir()
    (at.host / "current").symlink_to("trees/7-0123abcd")
    assert "trees/7-0123abcd" in at.refused(rpm("a", "1"))


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
def secrets(at: Publishing, signer: Signer, key: str) -> dict[str, str]:
    """The environment of the workflow."""
    return {
        "FOCUSD_REPOSITORY_GPG_KEY": signer.gpg("--armor", "--export-secret-keys", key),
        "FOCUSD_REPOSITORY_SSH_KEY": "the key\r\n" * 2,
        "FOCUSD_REPOSITORY_KNOWN_HOSTS": "host ssh-ed25519 AAAA",
        "FOCUSD_REPOSITORY_TARGET": f"repo@host:{at.host}",
    }


def test_the_secrets_of_the_environment_reach_gpg_and_ssh_and_stay_nowhere(
    at: Publishing, rpm: Forge, secrets: dict[str, str]
) -> None:
    log = at.folder / "ssh"
    env = {**at.imposters(ssh=SSH.replace("LOG", str(log))), **secrets, "GNUPGHOME": "/nonexistent"}

    at.ok(rpm("a", "1"), **env)
    at.ok(rpm("a", "2"), **env)

    # There is nothing to fetch at first.
    calls = 2 * TRANSFERS - 1
    assert at.seen() == {"el9": {"a-1", "a-2"}}
    assert log.with_suffix(".key").read_text() == "the key\nthe key\n" * calls
    assert log.with_suffix(".mode").read_text() == "600\n" * calls
    assert log.with_suffix(".hosts").read_text() == "host ssh-ed25519 AAAA\n" * calls
    told = {"-oStrictHostKeyChecking=yes", "-oBatchMode=yes", "-oIdentitiesOnly=yes", "-oConnectTimeout=20"}
    assert told <= set(log.with_suffix(".told").read_text().splitlines())


def test_a_person_uses_their_own_ssh(at: Publishing, rpm: Forge) -> None:
    log = at.folder / "ssh"
    at.ok(rpm("a", "1"), "--target", f"host:{at.host}", **at.imposters(ssh=SSH.replace("LOG", str(log))))

    assert at.seen() == {"el9": {"a-1"}}
    assert not log.with_suffix(".key").exists()
    assert "-oBatchMode=yes" in log.with_suffix(".told").read_text()


def test_none_of_the_secrets_is_no_failure_and_some_of_them_are(
    at: Publishing, rpm: Forge, secrets: dict[str, str]
) -> None:
    for name in secrets:
        # This is what a workflow gives for a secret that is not set.
        assert f"{name} is not set, and others are" in at.refused(rpm("a", "1"), **{**secrets, name: ""})
    said = at.ok(rpm("a", "1"), **dict.fromkeys(secrets, ""))
    assert said.startswith("1 packages are built and not published: none of FOCUSD_REPOSITORY_GPG_KEY,")
    secrets["FOCUSD_REPOSITORY_GPG_KEY"] = "no key"
    assert '0 secret keys answer to ""' in at.refused(rpm("a", "1"), **secrets)


def test_a_host_that_lets_nobody_in_or_says_nothing_is_said(
    at: Publishing, rpm: Forge, secrets: dict[str, str]
) -> None:
    for said in ("git@host: Permission denied (publickey).", "Host key verification failed."):
        complaint = at.refused(rpm("a", "1"), **secrets, **at.imposters(ssh=f'echo "{said}" >&2; exit 255'))
        assert said in complaint
        assert f"looking at {secrets['FOCUSD_REPOSITORY_TARGET']} failed" in complaint
    silent = at.imposters(ssh="exec sleep 50", rsync='exec REAL "${@/--timeout=60/--timeout=1}"')
    assert "timeout" in at.refused(rpm("a", "1"), **secrets, **silent)


def test_the_key_that_the_readme_makes_signs_and_is_one_that_every_rpm_verifies(
    at: Publishing, rpm: Forge
) -> None:
    lines = re.findall(r"^gpg .*$", README.read_text(), re.MULTILINE)
    # gpg's socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        env = {**os.environ, "GNUPGHOME": home, "LC_ALL": "C"}
        exported = "".join(shell(line, env) for line in lines)
        made = shell("gpg --batch --with-colons --list-secret-keys", env)
        shell("gpgconf --kill all", env)
    [key] = [line.split(":") for line in made.splitlines() if line.startswith("sec:")]
    # RSA, of 4096 bits, without an end.
    assert (key[2], key[3], key[6]) == ("4096", "1", "")

    at.ok(rpm("a", "1"), FOCUSD_REPOSITORY_GPG_KEY=exported, FOCUSD_REPOSITORY_TARGET=str(at.host))

    assert (at.host / "current/RPM-GPG-KEY-focusd").read_text().startswith("-----BEGIN PGP PUBLIC KEY")


def shell(line: str, env: dict[str, str]) -> str:
    command = ["bash", "-c", line]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, check=True, timeout=PATIENCE_S
    ).stdout
