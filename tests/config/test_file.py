"""Which file is read, and what is said of a file that holds no configuration at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rockit.focuser.ok3z import Config
from rockit.focuser.ok3z.config.model import find, load_daemon_name
from rockit.focuser.ok3z.config.reader import MAX_FILE_BYTES, parse, shown
from rockit.focuser.ok3z.errors import ConfigError
from tests.support.processes import run

PROJECT = Path(__file__).parents[2]
SITE_BYTES = (PROJECT / "ngts_m06.json").read_bytes()

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=10,
)
ALPACA = JSON_VALUES | st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("host", "port", "discovery", "name", "prot"), JSON_VALUES)
)
SITE_WITH_ANYTHING = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(json.loads(SITE_BYTES), JSON_VALUES), "alpaca": ALPACA}
).map(lambda values: json.dumps({**json.loads(SITE_BYTES), **values}).encode())


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> Path:
    return tmp_path / "site.json"


def refusal(path: Path) -> str:
    """What both readers say of a file: the quick one of `focus` must not be more lenient than the full one."""
    with pytest.raises(ConfigError) as full:
        Config.load(path)
    with pytest.raises(ConfigError) as quick:
        load_daemon_name(path)
    assert str(quick.value) == str(full.value)
    return str(full.value).replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "FILE is empty; expected a small file with one JSON object, as in docs/configuration.md"),
        (b" \n\t\n", "FILE is empty; expected"),
        (b"\xef\xbb\xbf", "FILE is empty; expected"),
        (b"[]", "FILE holds []; expected a small file with one JSON object"),
        (b'"daemon"', 'FILE holds "daemon"; expected'),
        (b"NaN", "FILE holds NaN; expected"),
        (b"1" + b"0" * 5000, f"FILE holds 1{'0' * 56}...; expected"),
        (b"null", "FILE holds null; expected"),
        (b'{\n  "daemon": "a",\n}', "FILE is no valid JSON: line "),
        (
            b'{\n  "daemon" = "a"\n}',
            "FILE is no valid JSON: line 2, column 12: Expecting ':' delimiter. JSON knows",
        ),
        (
            b'{\n  "daemon": "a", # the name\n}',
            "FILE is no valid JSON: line 2, column 18: Expecting property name",
        ),
        (b"{}\n{}", "FILE is no valid JSON: line 2, column 1: Extra data"),
        (b'{"daemon": "a\nb"}', "FILE is no valid JSON: line 1, column 14: Invalid control character"),
        (b"\0\0", "FILE is no valid JSON: line 1, column 1"),
        (b'{\n"daemon": "\xe9"\n}\n', "FILE is not encoded in UTF-8 (line 2); save it as UTF-8"),
        ("{}".encode("utf-16"), "FILE is not encoded in UTF-8 (line 1)"),
        (b"[" * 60_000, "FILE is nested too deeply; expected"),
        (b" " * (MAX_FILE_BYTES + 1), "FILE is larger than 64 KiB; expected"),
    ],
)
def test_a_file_that_holds_no_configuration(path: Path, content: bytes, sentence: str) -> None:
    path.write_bytes(content)
    said = refusal(path)
    assert said.startswith(sentence)
    assert "\n" not in said


def test_a_file_of_the_greatest_size_and_with_a_byte_order_mark_is_read(path: Path) -> None:
    content = b"\xef\xbb\xbf" + SITE_BYTES
    path.write_bytes(content + b" " * (MAX_FILE_BYTES - len(content)))
    assert Config(path).daemon_name == load_daemon_name(path) == "ngts_m06_focuser"


@pytest.mark.parametrize("depth", [50, 300, 900])
def test_nested_values_end_in_a_sentence_whatever_the_depth(path: Path, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    path.write_bytes(SITE_BYTES.replace(b'"NGTSDASNUC"', nested + b", " + nested))
    with pytest.raises(ConfigError, match=r"nested too deeply|control_machines\[1\]: \[a list\] was given"):
        Config(path)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        "FILE is a directory; expected a small file with one JSON object, as in docs/configuration.md"
    )
    assert refusal(tmp_path / "absent.json") == (
        "FILE cannot be read: No such file or directory; give the path of a configuration"
    )
    assert refusal(Path("x" * 5000)).startswith("FILE cannot be read: File name too long;")


def test_what_lies_beside_a_missing_file_is_named(tmp_path: Path) -> None:
    for name in [f"c{number:02}.json" for number in range(12)] + ["notes.txt"]:
        (tmp_path / name).touch()
    assert refusal(tmp_path / "co1.json") == (
        "FILE cannot be read: No such file or directory; give the path of a configuration "
        f"({tmp_path} holds c00.json, c01.json, c02.json, c03.json, c04.json, c05.json, c06.json, c07.json, "
        "c08.json, c09.json, ...)"
    )


def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe").startswith("FILE is no regular file; expected")


def test_a_file_that_may_not_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Taking the permission away would not keep root from reading.
    def refuse(*_: object) -> object:
        raise PermissionError(13, "Permission denied")

    path.write_bytes(SITE_BYTES)
    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(path).startswith(
        "FILE cannot be read: Permission denied; give the path of a configuration"
    )


@given(st.one_of(st.binary(), JSON_VALUES.map(lambda value: json.dumps(value).encode()), SITE_WITH_ANYTHING))
def test_any_bytes_are_a_configuration_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    said = ""
    try:
        Config(path)
    except ConfigError as error:
        said = str(error)
    assert said.replace("\n", "").isprintable()
    assert all(len(line) < 400 for line in said.splitlines())


@given(JSON_VALUES)
def test_a_shown_value_is_short_and_safe_to_print(value: object) -> None:
    assert len(shown(value)) <= 60
    assert shown(value).isascii()
    assert shown(value).isprintable()


def test_the_quick_reader_needs_the_daemon_only(path: Path) -> None:
    path.write_bytes(b'{"daemon": "somebody", "serial_baud": NaN, "else": []}')
    assert load_daemon_name(path) == "somebody"


@pytest.mark.parametrize(
    "content", [b"{}", b'{"daemon": 5}', b'{"daemon": ""}', b'{"daemon": "a", "daemon": "a"}']
)
def test_a_quick_read_without_a_clear_daemon_lists_all_faults(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    said = refusal(path)
    assert "\n  daemon: " in said
    assert "\n  travel_mm" not in said
    assert "\n  speed_mm_sec: is missing" in said


def test_the_quick_reader_imports_nothing_heavy() -> None:
    program = (
        "import sys; from rockit.focuser.ok3z.config.model import load_daemon_name;"
        "name = load_daemon_name(sys.argv[1]);"
        "print('rockit.common' in sys.modules);"
        "from rockit.focuser.ok3z.config.site import registered_daemon; registered_daemon(name);"
        "print(*sys.modules)"
    )
    ran = run("python", "-c", program, PROJECT / "test.json")
    assert (ran.returncode, ran.stderr) == (0, "")
    rockit_common_was_read, *modules = ran.stdout.split()
    assert rockit_common_was_read == "False"
    assert not {"jsonschema", "rich", "Pyro4", "serial", "difflib"}.intersection(modules)


def test_repeated_keys_are_named_by_their_place_as_deep_as_a_configuration_goes(path: Path) -> None:
    path.write_bytes(
        b'{"b": {"x": 1, "x": 2}, "a": 1, "b": {"z": 1, "u": 0, "z": 2, "v": {"w": 1, "w": 1}, "u": 0, "z": 3},'
        b' "a": 2, "a": 3, "c": [{"y": 1, "y": 2}]}'
    )
    document = parse(path)
    assert document.repeated_keys == [("b", "z"), ("b", "u"), ("b",), ("a",)]
    assert document.values["a"] == 3
    assert document.values["b"]["z"] == 3


def test_keys_repeated_inside_do_not_matter_to_the_quick_reader(path: Path) -> None:
    path.write_bytes(b'{"daemon": "test", "alpaca": {"port": 1, "port": 2}}')
    assert load_daemon_name(path) == "test"


class TestFind:
    def test_the_variable_wins_and_the_file_need_not_be_there(self, tmp_path: Path) -> None:
        (tmp_path / "site.json").touch()
        assert find({"FOCUSD_CONFIG_PATH": "./test.json"}, tmp_path) == Path("./test.json")

    @pytest.mark.parametrize("environ", [{}, {"FOCUSD_CONFIG_PATH": ""}])
    def test_the_only_file(self, tmp_path: Path, environ: dict[str, str]) -> None:
        for other in (".hidden.json", "site.json.rpmnew", "README", "site.json~"):
            (tmp_path / other).touch()
        (tmp_path / "site.json").touch()
        assert find(environ, tmp_path) == tmp_path / "site.json"

    def test_several_are_named_in_order(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "listdir", lambda _: ["b.json", "a.json", "c.json"])
        with pytest.raises(ConfigError) as caught:
            find({}, tmp_path)
        assert str(caught.value) == (
            f"{tmp_path} holds 3 configurations: a.json, b.json, c.json. "
            "Say which file to use: give its path (--config FILE), or set FOCUSD_CONFIG_PATH=FILE."
        )

    def test_none_is_an_error(self, tmp_path: Path) -> None:
        for directory in (tmp_path, tmp_path / "absent"):
            with pytest.raises(ConfigError, match=r"^there is no configuration .*/\*\.json\. Say which file"):
                find({}, directory)

    def test_a_directory_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ConfigError, match=r"cannot be searched: Not a directory\. Say which file"):
            find({}, tmp_path / "file")
