"""The names that clients rely on, and what importing them costs."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rockit.common
from rockit.common import IP, daemons
from rockit.common.registered_daemon import RegisteredDaemon

# The contract with programs that exist: these never change.
ADDRESSES = {
    "localhost_test": ("localhost_test_daemon", "127.0.0.1", 9000),
    "localhost_test2": ("localhost_test_daemon2", "127.0.0.1", 9001),
    "localhost_test3": ("localhost_test_daemon3", "127.0.0.1", 9002),
    "localhost_test4": ("localhost_test_daemon4", "127.0.0.1", 9003),
    "localhost_test5": ("localhost_test_daemon5", "127.0.0.1", 9004),
    "ngts_m06_focuser": ("ngts_m06_focuser_daemon", "10.2.5.115", 9002),
}
FACE = {"IP", "TryLock", "daemons", "helpers", "log", "print", "validation"}


def test_machines_have_their_published_addresses() -> None:
    assert (IP.LocalHost, IP.NGTSDASNUC) == ("127.0.0.1", "10.2.5.115")


def test_daemons_have_their_published_addresses() -> None:
    for name, address in ADDRESSES.items():
        daemon = getattr(daemons, name)
        assert (daemon.name, daemon.host, daemon.port) == address
        assert daemon.uri == "PYRO:{}@{}:{}".format(*address)


def test_every_public_name_of_daemons_is_a_daemon() -> None:
    public = {name: value for name, value in vars(daemons).items() if not name.startswith("_")}
    assert public
    assert {name for name, value in public.items() if not isinstance(value, RegisteredDaemon)} == set()


def test_every_public_name_of_ip_is_an_address() -> None:
    assert all(isinstance(value, str) for name, value in vars(IP).items() if not name.startswith("_"))


def test_the_face_has_the_names_of_the_contract() -> None:
    assert set(rockit.common.__all__) == FACE
    assert set(dir(rockit.common)) >= FACE


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'rockit\.common' has no attribute 'Dome'"):
        _ = rockit.common.Dome  # type: ignore[attr-defined]


def test_print_stays_a_function_when_its_module_is_imported() -> None:
    import rockit.common.printing

    assert rockit.common.print is rockit.common.printing.print


EVERY_DOCUMENTED_IMPORT = """
from rockit.common import IP, TryLock, daemons, log, print, validation
from rockit.common import helpers
from rockit.common.helpers import pyro_client_matches
from rockit.common.log import info, warning, error
from rockit.common.validation import validate_config, daemon_name_validator, machine_name_validator
import rockit.common.daemons
import rockit.common.errors
daemons.localhost_test.uri, IP.LocalHost
"""


def test_importing_everything_reads_nothing_heavy(run_python: Callable[..., Any]) -> None:
    code = f"""
import sys
before = set(sys.modules)
{EVERY_DOCUMENTED_IMPORT}
heavy = {{"Pyro4", "rich", "jsonschema", "typing", "json", "ipaddress", "dataclasses", "socket"}}
sys.stdout.write(repr(sorted(heavy & (set(sys.modules) - before))))
"""
    result = run_python("-c", code)
    assert (result.stdout, result.stderr) == ("[]", "")


@pytest.mark.parametrize("name", sorted(FACE))
def test_each_name_works_alone_and_as_an_attribute(name: str, run_python: Callable[..., Any]) -> None:
    code = f"import rockit.common; first = rockit.common.{name}; from rockit.common import {name} as second"
    assert run_python("-c", f"{code}; assert first is second").stderr == ""


def test_the_package_alone_does_not_read_the_site_file(run_python: Callable[..., Any]) -> None:
    code = "import rockit.common.errors; from rockit.common import TryLock, log, print, helpers, validation"
    result = run_python("-c", code, env={"ROCKIT_SITE_PATH": "/nowhere/site.json"})
    assert (result.returncode, result.stderr) == (0, "")


def test_the_library_reads_no_other_project() -> None:
    sources = sorted(Path(rockit.common.__path__[0]).glob("*.py"))
    imported = {
        name
        for source in sources
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in _imported_names(node)
    }
    assert "Pyro4" in imported, "the walk finds no imports"
    assert {name for name in imported if name.startswith("rockit")} == set()


def _imported_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Absolute imports only: a relative one cannot leave the package without naming a second dot."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level < 2
    return [node.module or ""] if node.level == 0 else []


def test_the_phone_book_can_be_shown(run_python: Callable[..., Any]) -> None:
    result = run_python("-m", "rockit.common")
    assert result.returncode == 0
    assert "PYRO:ngts_m06_focuser_daemon@10.2.5.115:9002" in result.stdout
    assert "NGTSDASNUC" in result.stdout


def test_prometheus_is_given_the_daemons_that_it_can_scrape(
    run_python: Callable[..., Any], tmp_path: Path
) -> None:
    site = {
        "machines": {"Dome": "10.1.2.3"},
        "daemons": {
            "north": {"name": "north_daemon", "machine": "Dome", "port": 9005, "metrics": 11111},
            "south": {"name": "south_daemon", "machine": "Dome", "port": 9006},
        },
    }
    (tmp_path / "site.json").write_text(json.dumps(site))
    result = run_python(
        "-m", "rockit.common", "--targets", env={"ROCKIT_SITE_PATH": str(tmp_path / "site.json")}
    )
    assert result.returncode == 0
    assert json.loads(result.stdout) == [{"targets": ["10.1.2.3:11111"], "labels": {"focuser": "north"}}]
    wrong = run_python("-m", "rockit.common", "--target")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "usage: python3 -m rockit.common [--targets]\n"
