"""Names of machines and daemons, in our rockit.common and in a copy that a site has of its own."""

from __future__ import annotations

import json
import sys
import types

import pytest

from rockit.focuser.ok3z.config.site import known_names, machine_ip, registered_daemon
from rockit.focuser.ok3z.errors import ConfigError


class SiteError(Exception):
    """What a site's copy may raise: a class that this project does not know."""


def daemon_entry(**attributes: object) -> types.SimpleNamespace:
    return types.SimpleNamespace(
        **{"name": "object", "host": "10.9.9.9", "port": 7, "launch": print, **attributes}
    )


def use_site(
    monkeypatch: pytest.MonkeyPatch,
    machines: dict[str, object] | None = None,
    daemons: dict[str, object] | None = None,
) -> None:
    """Puts a site's own copy in the place of ours, with the machine Here, the daemon focuser, and these."""
    site, registry = types.ModuleType("rockit.common"), types.ModuleType("rockit.common.daemons")
    vars(registry).update({"focuser": daemon_entry(), **(daemons or {})})
    vars(site).update({"IP": type("IP", (), {"Here": "10.9.9.9", **(machines or {})}), "daemons": registry})
    monkeypatch.setitem(sys.modules, "rockit.common", site)
    monkeypatch.setitem(sys.modules, "rockit.common.daemons", registry)


def test_all_names_are_those_with_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    use_site(monkeypatch, machines={"There": "10.9.9.8", "_hidden": "10.9.9.7", "Count": 3, "Text": "10.9"})
    assert known_names() == ["Here", "There", "focuser"]


def test_the_names_of_the_contract_are_in_our_own_phone_book() -> None:
    assert machine_ip("LocalHost") == "127.0.0.1"
    assert machine_ip("NGTSDASNUC") == "10.2.5.115"
    daemon = registered_daemon("ngts_m06_focuser")
    assert (daemon.name, daemon.host, daemon.port) == ("ngts_m06_focuser_daemon", "10.2.5.115", 9002)
    assert registered_daemon("localhost_test5").port == 9004


def test_the_names_of_a_site_that_has_its_own_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    use_site(monkeypatch, machines={"There": "10.9.9.10"}, daemons={"other": daemon_entry(port=8)})
    assert machine_ip("There") == "10.9.9.10"
    assert registered_daemon("other").port == 8


@pytest.mark.parametrize(
    "name",
    ["__name__", "__doc__", "__class__", "_private", "Number", "Text", "Six", "mro", "", "a b", "\ud800"],
)
def test_only_public_names_of_ipv4_addresses_are_machines(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    odd = {"Number": 5, "Text": "no address", "Six": "::1", "_private": "10.0.0.1", "__module__": "10.0.0.1"}
    use_site(monkeypatch, machines=odd)
    with pytest.raises(ConfigError) as caught:
        machine_ip(name)
    assert str(caught.value) == (
        f"{json.dumps(name)} was given; expected a machine registered in rockit.common.IP (there are: Here)"
    )


@pytest.mark.parametrize(
    "name", ["json", "Kind", "__name__", "_hidden", "portless", "text_port", "hostless", "silent", "absent"]
)
def test_only_registered_daemons_are_daemons(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # A class has the attributes of a daemon, but as properties; a module has a name, and no port.
    kind = type("Kind", (), {"name": property(str), "host": property(str), "port": 7, "launch": print})
    odd = {
        "json": json,
        "Kind": kind,
        "_hidden": daemon_entry(),
        "portless": daemon_entry(port=None),
        "text_port": daemon_entry(port="7"),
        "hostless": daemon_entry(host=None),
        "silent": daemon_entry(launch=None),
    }
    use_site(monkeypatch, daemons=odd)
    with pytest.raises(ConfigError, match=r"registered in rockit\.common\.daemons \(there are: focuser\)$"):
        registered_daemon(name)


def test_a_slip_of_the_pen_is_recognised() -> None:
    with pytest.raises(ConfigError, match=r"\(did you mean ngts_m06_focuser\?\)"):
        registered_daemon("ngts_m6_focuser")


def test_a_long_phone_book_is_not_read_out(monkeypatch: pytest.MonkeyPatch) -> None:
    use_site(monkeypatch, machines={f"M{n:03}": "10.0.0.1" for n in range(500)})
    with pytest.raises(ConfigError) as caught:
        machine_ip("zzzzzzzz")
    assert str(caught.value).endswith(
        "(there are: Here, " + ", ".join(f"M{n:03}" for n in range(11)) + ", ...)"
    )


@pytest.mark.parametrize("missing", ["IP", "daemons"])
def test_a_copy_that_raises_while_it_reads_its_site_file(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    site = types.ModuleType("rockit.common")

    def refuse(name: str) -> object:
        if name == missing:
            raise SiteError("the site file has 2 faults:\n  one\n  two")
        if name in ("IP", "daemons"):
            return types.SimpleNamespace()
        raise AttributeError(name)

    vars(site)["__getattr__"] = refuse
    monkeypatch.setitem(sys.modules, "rockit.common", site)
    for look_up in (machine_ip, registered_daemon):
        with pytest.raises(ConfigError) as caught:
            look_up("any")
        assert str(caught.value) == (
            "rockit.common cannot be used: the site file has 2 faults: one two (SiteError)"
        )


def test_no_rockit_common_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rockit.common", None)
    with pytest.raises(ConfigError, match=r"^rockit\.common cannot be used: .*rockit\.common"):
        registered_daemon("localhost_test")
