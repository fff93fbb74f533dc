"""FocuserClient against a stand-in on real Pyro4: what is sent, and what each way to fail is called."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from rockit.focuser.ok3z.client.calls import (
    AnswerLostError,
    DaemonFaultError,
    DaemonUnreachableError,
    FocuserClient,
)
from rockit.focuser.ok3z.constants import CommandStatus


@pytest.fixture
def client(registered: Any) -> FocuserClient:
    return FocuserClient(registered)


def test_a_mistake_in_the_daemon_is_not_taken_for_an_earlier_version(
    client: FocuserClient, script: Any
) -> None:
    script.answers["set_focus"] = TypeError("a mistake")

    with pytest.raises(DaemonFaultError, match="set_focus failed in the daemon: TypeError: a mistake"):
        client.set_focus(1.0)


def test_connecting_is_given_seconds_even_where_the_call_has_minutes(
    client: FocuserClient, registered: Any
) -> None:
    client.set_focus(1.0, timeout_s=300)
    client.set_focus(1.0, timeout_s=0)
    client.set_focus(1.0, timeout_s=2)

    assert registered.timeouts == [5.0, 5.0, 2]
    # None waits without limit; 0 would make Pyro ask without waiting, over and over.
    assert [proxy._pyroTimeout for proxy in registered.proxies] == [300, None, 2]


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


def test_an_answer_that_is_no_number_is_never_taken_for_success(client: FocuserClient, script: Any) -> None:
    for answer in (None, True, "0", 1.5):
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


def test_what_speaks_another_protocol_is_no_daemon(registered: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        registered.uri = f"PYRO:stand_in_daemon@127.0.0.1:{stranger.getsockname()[1]}"

        def greet() -> None:
            connection, _ = stranger.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 8)
                connection.recv(4096)

        greeter = threading.Thread(target=greet)
        greeter.start()
        with pytest.raises(DaemonUnreachableError, match=r"is no stand_in_daemon|cannot be reached"):
            FocuserClient(registered).report_status()
        greeter.join(20)


def test_a_report_that_is_no_dict_is_refused(client: FocuserClient, script: Any) -> None:
    for script.report in (None, 1, "IDLE", [1, 2]):
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
