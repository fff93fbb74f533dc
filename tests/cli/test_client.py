"""FocuserClient against a stand-in on real Pyro4: what is sent, and what each way to fail is called."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from rockit.focuser.ok3z.client.calls import (
    AnswerLostError,
    DaemonFaultError,
    DaemonSilentError,
    DaemonUnreachableError,
    FocuserClient,
    TooOldError,
    WrongServiceError,
)
from rockit.focuser.ok3z.constants import CommandStatus

# Pyro4 uses an old name of threading's.
pytestmark = pytest.mark.filterwarnings("ignore:isSet:DeprecationWarning")


@pytest.fixture
def client(registered: Any) -> FocuserClient:
    return FocuserClient(registered)


def test_every_call_reaches_the_daemon_with_its_arguments_and_gives_its_number(
    client: FocuserClient, script: Any
) -> None:
    script.answers.update(initialize=8, shutdown=7, set_focus=6, stop=3)

    assert client.initialize() == 8
    assert client.set_focus(1.25) == 6
    assert client.set_focus(-0.5, offset=True) == 6
    assert client.stop() == 3
    assert client.shutdown() == 7
    assert client.report_status() == script.report
    assert script.calls == [
        ("initialize",),
        ("set_focus", 1.25, False),
        ("set_focus", -0.5, True),
        ("stop",),
        ("shutdown",),
    ]


def test_what_is_asked_for_with_an_initialisation_is_sent_and_nothing_else(
    client: FocuserClient, script: Any
) -> None:
    client.initialize(resume=True)
    client.initialize(restore=True)
    client.initialize(resume=True, restore=True)
    client.initialize(new_controller=True)
    client.initialize(resume=False, restore=False)
    client.audit()

    assert script.calls == [
        ("initialize", {"resume": True}),
        ("initialize", {"restore": True}),
        ("initialize", {"resume": True, "restore": True}),
        ("initialize", {"new_controller": True}),
        ("initialize", {"resume": False, "restore": False}),
        ("audit",),
    ]


def test_an_earlier_daemon_is_said_to_be_one_and_nothing_was_moved(registered_old: Any, script: Any) -> None:
    client = FocuserClient(registered_old)

    with pytest.raises(TooOldError, match="earlier version, which does not know `--resume` and `--restore`"):
        client.initialize(resume=True, restore=True)
    with pytest.raises(TooOldError, match="earlier version, which does not know `--new-controller`"):
        client.initialize(new_controller=True)
    with pytest.raises(TooOldError, match="earlier version, which does not know `audit`"):
        client.audit()
    assert script.calls == []
    assert client.initialize() == 0
    assert script.calls == [("initialize",)]


def test_a_mistake_in_the_daemon_is_not_taken_for_an_earlier_version(
    client: FocuserClient, script: Any
) -> None:
    script.answers["set_focus"] = TypeError("a mistake")

    with pytest.raises(DaemonFaultError, match="set_focus failed in the daemon: TypeError: a mistake"):
        client.set_focus(1.0)


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_a_daemon_that_does_not_run_is_named_with_its_address(client: FocuserClient, server: Any) -> None:
    server.end()

    with pytest.raises(DaemonUnreachableError, match=f"Nothing listens at 127.0.0.1:{server.port}") as caught:
        client.set_focus(1.0)
    assert caught.value.status == CommandStatus.CommunicationFailed
    assert not isinstance(caught.value, DaemonSilentError)


def test_connecting_is_given_seconds_even_where_the_call_has_minutes(
    client: FocuserClient, registered: Any
) -> None:
    client.set_focus(1.0, timeout_s=300)
    client.set_focus(1.0, timeout_s=0)
    client.set_focus(1.0, timeout_s=2)

    assert registered.timeouts == [5.0, 5.0, 2]
    # None waits without limit; 0 would make Pyro ask without waiting, over and over.
    assert [proxy._pyroTimeout for proxy in registered.proxies] == [300, None, 2]


def test_an_answer_that_takes_too_long_is_a_lost_answer_not_an_unreachable_daemon(
    client: FocuserClient, script: Any
) -> None:
    script.hold("set_focus")

    with pytest.raises(AnswerLostError, match=r"did not answer set_focus within 0\.1 s") as caught:
        client.set_focus(1.0, timeout_s=0.1)
    assert caught.value.status == CommandStatus.CommunicationFailed
    assert script.calls == [("set_focus", 1.0, False)]


def test_no_limit_means_that_the_call_waits_and_not_that_it_gives_up_at_once(
    client: FocuserClient, script: Any
) -> None:
    held = script.hold("set_focus")
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(client.set_focus(1.0, timeout_s=0)))
    caller.start()
    script.wait_for_call("set_focus")
    assert answers == []

    held.set()
    caller.join(20)
    assert answers == [0]


@pytest.mark.parametrize("answer", [None, True, "0", 1.5])
def test_an_answer_that_is_no_number_is_never_taken_for_success(
    client: FocuserClient, script: Any, answer: Any
) -> None:
    script.answers["stop"] = answer

    with pytest.raises(DaemonFaultError, match="answered stop with") as caught:
        client.stop()
    assert caught.value.status == CommandStatus.Failed


def test_an_exception_of_the_daemon_is_told_as_such(client: FocuserClient, script: Any) -> None:
    script.answers["stop"] = ValueError("no such port")

    with pytest.raises(DaemonFaultError, match="stop failed in the daemon: ValueError: no such port"):
        client.stop()


def test_an_object_that_is_no_focuser_is_told_as_such(registered: Any) -> None:
    registered.uri = registered.uri.replace("stand_in_daemon", "Pyro.Daemon")

    with pytest.raises(DaemonFaultError, match="has no set_focus: it is no focuser"):
        FocuserClient(registered).set_focus(1.0)


def test_another_daemon_at_the_address_is_told_as_such(registered: Any) -> None:
    registered.name = "dome_daemon"
    registered.uri = registered.uri.replace("stand_in_daemon", "dome_daemon")

    with pytest.raises(WrongServiceError, match="is no dome_daemon"):
        FocuserClient(registered).report_status()


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    """Something that listens and speaks no Pyro."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _client_of(listener: socket.socket, registered: Any) -> FocuserClient:
    port = listener.getsockname()[1]
    registered.port = port
    registered.uri = f"PYRO:stand_in_daemon@127.0.0.1:{port}"
    return FocuserClient(registered)


def test_what_listens_and_says_nothing_is_given_up(stranger: socket.socket, registered: Any) -> None:
    with pytest.raises(DaemonSilentError, match=r"did not answer within 0\.1 s"):
        _client_of(stranger, registered).report_status(timeout_s=0.1)


def test_what_speaks_another_protocol_is_no_daemon(stranger: socket.socket, registered: Any) -> None:
    def greet() -> None:
        connection, _ = stranger.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 8)
            connection.recv(4096)

    greeter = threading.Thread(target=greet)
    greeter.start()
    with pytest.raises(DaemonUnreachableError, match=r"is no stand_in_daemon|cannot be reached"):
        _client_of(stranger, registered).report_status()
    greeter.join(20)


@pytest.mark.parametrize("report", [None, 1, "IDLE", [1, 2]])
def test_a_report_that_is_no_dict_is_refused(client: FocuserClient, script: Any, report: Any) -> None:
    script.report = report

    with pytest.raises(DaemonFaultError, match="not with a status"):
        client.report_status()


def test_a_feed_waits_for_the_change_after_the_last_one_that_it_gave(
    client: FocuserClient, script: Any
) -> None:
    changes = iter([3, 5])
    script.answers["wait_for_change"] = lambda: {"status": 1, "change": next(changes)}
    with client.status_feed() as feed:
        assert feed.next(2.0) == {"status": 1, "change": 3}
        assert feed.next(2.0) == {"status": 1, "change": 5}
        assert feed.tells_changes
    assert script.calls == [("wait_for_change", None, 2.0), ("wait_for_change", 3, 2.0)]


@pytest.mark.parametrize("refusal", [1, 2, 3])
def test_a_feed_that_may_not_wait_reads_and_does_not_ask_again(
    client: FocuserClient, script: Any, refusal: int
) -> None:
    script.answers["wait_for_change"] = refusal
    with client.status_feed() as feed:
        for _ in range(2):
            assert feed.next(2.0)["status"] == 1
        assert not feed.tells_changes
    assert script.count("wait_for_change") == 1
    assert feed.tells_changes, "the next daemon may be another one"


def test_a_feed_of_a_daemon_that_knows_no_changes_reads(registered_old: Any) -> None:
    with FocuserClient(registered_old).status_feed() as feed:
        for _ in range(2):
            assert feed.next(2.0)["status"] == 1
        assert not feed.tells_changes
    assert len(registered_old.timeouts) == 1


@pytest.mark.parametrize("server", ["mortal"], indirect=True)
def test_a_feed_keeps_one_connection_and_makes_a_new_one_after_a_failure(
    client: FocuserClient, server: Any, registered: Any
) -> None:
    with client.status_feed() as feed:
        assert feed.read()["status"] == 1
        assert feed.read()["status"] == 1
        assert len(registered.timeouts) == 1

        server.end()
        with pytest.raises((AnswerLostError, DaemonUnreachableError)):
            feed.read()
        server.start()
        assert feed.read()["status"] == 1
        assert len(registered.timeouts) == 2
