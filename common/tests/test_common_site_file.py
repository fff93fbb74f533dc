"""The site file: what it adds, and what is said when it cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rockit.common import site_file
from rockit.common.errors import SiteError
from rockit.common.site_file import Site, parse

DOME = {"name": "dome_focuser_daemon", "machine": "DomeNUC", "port": 9005}
GOOD = {"machines": {"DomeNUC": "10.1.2.3"}, "daemons": {"dome_focuser": DOME}}


def read(document: object) -> Site:
    return parse(json.dumps(document).encode(), "site.json")


def violations_of(content: object) -> tuple[str, ...]:
    """What is said about a document, or about the text of one."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(SiteError) as refusal:
        parse(raw, "site.json")
    assert refusal.value.path == "site.json"
    return refusal.value.violations


def with_daemon(**changes: object) -> dict[str, Any]:
    return {**GOOD, "daemons": {"dome_focuser": {**DOME, **changes}}}


def test_machines_and_daemons_are_added() -> None:
    site = read(GOOD)
    assert site.machines == {"DomeNUC": "10.1.2.3"}
    assert {name: d.uri for name, d in site.daemons.items()} == {
        "dome_focuser": "PYRO:dome_focuser_daemon@10.1.2.3:9005"
    }


def test_each_section_may_be_absent_or_empty() -> None:
    for document in ({}, {"machines": {}}, {"daemons": {}}):
        site = read(document)
        assert (site.machines, site.daemons) == ({}, {})


def test_a_daemon_may_run_on_a_built_in_machine() -> None:
    site = read({"daemons": {"dome_focuser": {**DOME, "machine": "LocalHost"}}})
    assert site.daemons["dome_focuser"].host == "127.0.0.1"


def test_a_port_for_prometheus_may_be_added_to_built_in_daemons_too() -> None:
    m06 = {"name": "ngts_m06_focuser_daemon", "machine": "NGTSDASNUC", "port": 9002, "metrics": 11111}
    site = read({**GOOD, "daemons": {"dome_focuser": DOME, "ngts_m06_focuser": m06}})
    assert {name: d.metrics_port for name, d in site.daemons.items()} == {
        "dome_focuser": None,
        "ngts_m06_focuser": 11111,
    }


def test_what_prometheus_scrapes_is_a_port_of_its_own() -> None:
    said = "port 9005 of 10.1.2.3 belongs to the daemon dome_focuser already"
    assert violations_of(with_daemon(metrics=9005)) == (f"daemons.dome_focuser: {said}",)
    (said,) = violations_of(with_daemon(metrics=0))
    assert said.startswith("daemons.dome_focuser.metrics: 0 is no port")


def test_one_port_may_serve_on_two_machines() -> None:
    two = {"machines": {"A": "10.1.2.3", "B": "10.1.2.4"}}
    site = read({**two, "daemons": {"a": {**DOME, "machine": "A"}, "b": {**DOME, "machine": "B"}}})
    assert sorted(site.daemons) == ["a", "b"]


def test_what_is_built_in_may_be_repeated() -> None:
    same = {"name": "localhost_test_daemon", "machine": "LocalHost", "port": 9000}
    read({"machines": {"LocalHost": "127.0.0.1"}, "daemons": {"localhost_test": same}})


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "site.json").machines == GOOD["machines"]


def test_a_machine_needs_the_ipv4_address_of_one_machine() -> None:
    for address in (
        *("", "10.1.2", "10.1.2.256", "10.1.2.3 ", "010.1.2.3", "::1", "dome.example"),
        *("0.0.0.0", "224.0.0.1", "255.255.255.255", 167838211, None, ["10.1.2.3"], True),
    ):
        (violation,) = violations_of({"machines": {"DomeNUC": address}})
        assert violation.startswith(f"machines.DomeNUC: {json.dumps(address)} is not the IPv4 address")


BAD_NAMES = [
    *("", "_hidden", "__init__", "2dome", "dome nuc", "class", "None", "mro", "Kuppel_süd"),
    *("-nuc", ".nuc", "nuc.", "nuc..dome", "10.1.2.3", "nuc:80", "nuc/dome", "nuc\n", "nuc@dome"),
]


def test_a_name_may_be_the_one_of_the_network() -> None:
    for name in ("nuc", "N", "nuc_2", "nuc_", "dome-nuc", "xn--nuc", "dome-nuc.site.example.org"):
        site = read({"machines": {name: "10.1.2.3"}, "daemons": {name: {**DOME, "machine": name}}})
        assert site.machines == {name: "10.1.2.3"}
        assert site.daemons[name].host == "10.1.2.3"


def test_a_name_must_be_a_public_one() -> None:
    for name in BAD_NAMES:
        (machine,) = violations_of({"machines": {name: "10.1.2.3"}})
        assert machine.startswith(f"machines.{name}: is no usable name")
        (daemon,) = violations_of({"daemons": {name: {**DOME, "machine": "LocalHost"}}})
        assert daemon.startswith(f"daemons.{name}: is no usable name")


def test_a_port_must_be_one() -> None:
    for port in (0, -1, 65536, 9005.0, "9005", True, None, float("nan"), 10**30):
        said = f"{json.dumps(port)} is no port (expected a whole number from 1 to 65535)"
        assert violations_of(with_daemon(port=port)) == (f"daemons.dome_focuser.port: {said}",)
    for port in (1, 65535):
        assert read(with_daemon(port=port)).daemons["dome_focuser"].port == port


def test_a_pyro_name_must_fit_into_a_uri() -> None:
    for name in ("", "a b", "a@b", "Pyro.Daemon", "küppel", "---", 7, None):
        (violation,) = violations_of(with_daemon(name=name))
        assert violation.startswith("daemons.dome_focuser.name: ")
        assert "is no name for a Pyro object" in violation


def test_a_daemon_needs_a_machine_that_is_known() -> None:
    for machine in ("DomeNuc", "", 7, None, ["DomeNUC"]):
        (violation,) = violations_of(with_daemon(machine=machine))
        assert violation.startswith(f"daemons.dome_focuser.machine: {json.dumps(machine)} is no machine")
        assert "DomeNUC, LocalHost, NGTSDASNUC" in violation


def test_two_daemons_cannot_share_a_port() -> None:
    daemons = {"dome_focuser": DOME, "other_focuser": {**DOME, "name": "other"}}
    (violation,) = violations_of({**GOOD, "daemons": daemons})
    assert violation == (
        "daemons.other_focuser: port 9005 of 10.1.2.3 belongs to the daemon dome_focuser already"
    )


def test_a_port_of_a_built_in_daemon_is_taken() -> None:
    (violation,) = violations_of(with_daemon(machine="LocalHost", port=9001))
    assert "belongs to the daemon localhost_test2" in violation


def test_two_names_of_one_machine_are_one_machine() -> None:
    machines = {"DomeNUC": "10.1.2.3", "Alias": "10.1.2.3"}
    daemons = {"dome_focuser": DOME, "other_focuser": {**DOME, "machine": "Alias"}}
    (violation,) = violations_of({"machines": machines, "daemons": daemons})
    assert "belongs to the daemon dome_focuser" in violation


def test_what_is_built_in_cannot_be_changed() -> None:
    changed = {"name": "localhost_test_daemon", "machine": "LocalHost", "port": 9999}
    document = {"machines": {"NGTSDASNUC": "10.9.9.9"}, "daemons": {"localhost_test": changed}}
    assert violations_of(document) == (
        "machines.NGTSDASNUC: the built-in phone book has it as 10.2.5.115. Choose another name",
        "daemons.localhost_test: the built-in phone book has it as "
        "PYRO:localhost_test_daemon@127.0.0.1:9000. Choose another name",
    )


def test_the_file_and_its_sections_must_be_objects() -> None:
    for document in ([], None, 7, "machines", [{}]):
        said = f"the file: {json.dumps(document)} stands where an object is expected, {{…}}"
        assert violations_of(document) == (said,)
    for section in ("machines", "daemons"):
        said = f"{section}: [1] stands where an object is expected, {{…}}"
        assert violations_of({section: [1]}) == (said,)


def test_unknown_keys_are_named() -> None:
    document = {**with_daemon(prot=9005), "mashines": {}}
    assert violations_of(document) == (
        'the file: the key "mashines" is unknown (expected machines, daemons)',
        'daemons.dome_focuser: the key "prot" is unknown (expected name, machine, port, metrics)',
    )


def test_missing_keys_are_named_once_each() -> None:
    assert violations_of({"daemons": {"dome_focuser": {}}}) == tuple(
        f'daemons.dome_focuser: the key "{key}" is missing' for key in ("name", "machine", "port")
    )


def test_keys_that_are_there_twice_are_named() -> None:
    text = b"""{"machines": {"A": "10.0.0.1", "A": "10.0.0.2"}, "daemons": {}, "daemons": {},
      "daemons": {"d": {"name": "d", "machine": "A", "port": 1, "port": 2}}}"""
    assert violations_of(text) == (
        'the file: the key "daemons" is there more than once',
        'machines: the key "A" is there more than once',
        'daemons.d: the key "port" is there more than once',
    )


def test_broken_json_is_located() -> None:
    assert violations_of(b'{\n  "machines": {,}\n}')[0].startswith("line 2, column 16: ")


def test_what_is_no_json_is_one_violation() -> None:
    for content in (b"", b"{", b"\xff{}", b"\x00", b'{"machines": {"a": ' + b"9" * 5000 + b"}}"):
        assert len(violations_of(content)) == 1


def test_a_deep_document_is_refused() -> None:
    """Near the limit of recursion, wherever that is here, a document can be read but not be shown."""
    for depth in [*range(600, 1100), 100_000]:
        assert len(violations_of(b'{"machines": ' + b"[" * depth + b"]" * depth + b"}")) == 1


def test_every_violation_is_said_at_once() -> None:
    document = {
        "machines": {"_a": "10.0.0.1", "DomeNUC": "10.0.0"},
        "daemons": {"d": {"name": "d", "machine": "DomeNUC", "port": 0}, "e": {"machine": "Moon"}},
        "x": 1,
    }
    found = violations_of(document)
    assert [violation.split(": ")[0] for violation in found] == [
        "the file",
        "machines._a",
        "machines.DomeNUC",
        "daemons.d.port",
        "daemons.e",
        "daemons.e",
        "daemons.e.machine",
    ]
    message = str(SiteError("/x/site.json", found))
    assert "/x/site.json" in message
    assert all(violation in message for violation in found)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(DOME)), inner),
    max_leaves=12,
)


@given(machines=JSON, daemons=JSON)
def test_any_json_is_a_site_or_a_site_error(machines: object, daemons: object) -> None:
    with suppress(SiteError):
        read({"machines": machines, "daemons": daemons})


@given(content=st.binary(max_size=40))
def test_any_bytes_are_a_site_or_a_site_error(content: bytes) -> None:
    with suppress(SiteError):
        parse(content, "site.json")


# The file on disk, and the two paths it is looked for at.


def write(folder: Path, document: object) -> Path:
    path = folder / "site.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_the_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCKIT_SITE_PATH", str(write(tmp_path, GOOD)))
    monkeypatch.setattr(site_file, "DEFAULT_PATH", "/nowhere/site.json")
    assert site_file.read().machines == {"DomeNUC": "10.1.2.3"}


@pytest.mark.parametrize("variable", [None, ""])
def test_without_the_variable_the_default_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    monkeypatch.delenv("ROCKIT_SITE_PATH", raising=False)
    if variable is not None:
        monkeypatch.setenv("ROCKIT_SITE_PATH", variable)
    monkeypatch.setattr(site_file, "DEFAULT_PATH", str(write(tmp_path, GOOD)))
    assert site_file.read().machines == {"DomeNUC": "10.1.2.3"}


def test_an_absent_default_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROCKIT_SITE_PATH", raising=False)
    monkeypatch.setattr(site_file, "DEFAULT_PATH", str(tmp_path / "site.json"))
    assert site_file.read().machines == {}


def test_a_default_that_leads_nowhere_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site.json").symlink_to(tmp_path / "gone.json")
    monkeypatch.delenv("ROCKIT_SITE_PATH", raising=False)
    monkeypatch.setattr(site_file, "DEFAULT_PATH", str(tmp_path / "site.json"))
    with pytest.raises(SiteError, match="it cannot be read: No such file"):
        site_file.read()


def test_an_absent_named_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCKIT_SITE_PATH", str(tmp_path / "site.json"))
    with pytest.raises(SiteError, match=r"cannot be read \(ROCKIT_SITE_PATH names it\): No such file"):
        site_file.read()


def test_a_folder_is_no_site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCKIT_SITE_PATH", str(tmp_path))
    with pytest.raises(SiteError, match="Is a directory"):
        site_file.read()


@pytest.mark.parametrize("name", ["dome_focuser", "dome-nuc.example.org"])
def test_added_names_are_attributes_everywhere(
    tmp_path: Path, run_python: Callable[..., Any], name: str
) -> None:
    code = f"""
from rockit.common import IP, daemons, validation
keywords = {{"daemon": validation.daemon_name_validator, "machine": validation.machine_name_validator}}
validation.validate_config(["{name}"] * 2, {{"items": [{{"daemon": True}}, {{"machine": True}}]}}, keywords)
print(getattr(IP, "{name}"), IP.LocalHost, getattr(daemons, "{name}").uri, daemons.localhost_test.port)
"""
    site = {"machines": {name: "10.1.2.3"}, "daemons": {name: {**DOME, "machine": name}}}
    result = run_python("-c", code, env={"ROCKIT_SITE_PATH": str(write(tmp_path, site))})
    said = "10.1.2.3 127.0.0.1 PYRO:dome_focuser_daemon@10.1.2.3:9005 9000\n"
    assert (result.stderr, result.stdout) == ("", said)


def test_a_bad_file_stops_each_import_with_one_sentence(
    tmp_path: Path, run_python: Callable[..., Any]
) -> None:
    path = write(tmp_path, with_daemon(port=0))
    code = """
for statement in (
    "from rockit.common import IP", "from rockit.common import daemons", "import rockit.common.daemons"
):
    for attempt in 1, 2:
        try:
            exec(statement)
        except ImportError as error:
            print(error)
"""
    result = run_python("-c", code, env={"ROCKIT_SITE_PATH": str(path)})
    assert result.stderr == ""
    sentence = (
        f"the site file {path} cannot be used: daemons.dome_focuser.port: 0 is no port "
        "(expected a whole number from 1 to 65535)\n"
    )
    assert result.stdout == sentence * 6


def test_a_bad_file_is_shown_without_a_traceback(tmp_path: Path, run_python: Callable[..., Any]) -> None:
    path = write(tmp_path, {**with_daemon(port=0), "x": 1})
    result = run_python("-m", "rockit.common", env={"ROCKIT_SITE_PATH": str(path)})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == f"the site file {path} cannot be used: 2 things are wrong"
    assert len(result.stderr.splitlines()) == 3
