"""Who reads what: addresses, paths and configuration are for machines that may control."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any, Callable

import pytest
import serpent

from rockit.focuser.ok3z.errors import FocuserError, Sentence, StoppedError, joined, whole
from rockit.focuser.ok3z.servers.pyro import report
from rockit.focuser.ok3z.service.status import Confidence, Snapshot, State, Trust

NOW = datetime(2026, 11, 22, 20, 1, 2, tzinfo=timezone.utc)
STOPPED = StoppedError("stopped by 10.2.5.3.", public="stopped.").reason
UNHOMED = Snapshot(
    state=State.UNHOMED,
    reason=joined(STOPPED, "The position is not known."),
    read_at_s=1.0,
    confidence=Confidence(Trust.UNKNOWN, joined(STOPPED, "The position is not known.")),
)


WHOLE, PUBLIC = (f"{begin} The position is not known." for begin in ("stopped by 10.2.5.3.", "stopped."))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((address, PUBLIC) for address in ("10.2.5.3", "10.2.5.116", "::1", "", "garbage")),
        *((address, WHOLE) for address in ("10.2.5.115", "127.0.0.1")),
    ],
)
def test_who_may_control_reads_by_whom_it_was_stopped_and_nobody_else(
    address: str, expected: str, service: Any, focuser: Any, called_from: Callable[[str], None]
) -> None:
    focuser.snapshot = UNHOMED
    called_from(address)
    answer = service.report_status()
    assert answer["reason"] == answer["trust_reason"] == expected
    assert ("10.2.5.3" in str(answer)) is (expected == WHOLE)


def test_who_is_not_told_apart_reads_what_everybody_may(uncalled: Any, focuser: Any) -> None:
    focuser.snapshot = UNHOMED
    assert uncalled.report_status()["reason"] == report(UNHOMED, 0.5, NOW)["reason"] == PUBLIC


@pytest.mark.parametrize("may_control", [False, True])
def test_whoever_reads_gets_plain_text(may_control: bool) -> None:
    """Pyro's serializer would write more of another class than its text."""
    answer = report(UNHOMED, 0.5, NOW, may_control)
    assert {type(value) for value in answer.values()} <= {str, int, float, bool, type(None)}


# The sentences themselves


def test_what_leaves_this_process_by_mistake_is_the_public_sentence() -> None:
    for text in (str(STOPPED), f"{STOPPED}", f"{STOPPED!r}", STOPPED[:], STOPPED + "", "".join([STOPPED])):
        assert "10.2.5.3" not in text
        assert whole(text) == text
    assert serpent.loads(serpent.dumps({"reason": STOPPED})) == {"reason": "stopped."}
    assert json.loads(json.dumps(STOPPED)) == "stopped."


def test_a_copy_is_as_full_as_the_original_and_stays_with_its_snapshot() -> None:
    for copied in (copy.copy(STOPPED), copy.deepcopy(STOPPED), pickle.loads(pickle.dumps(STOPPED))):
        assert (copied, whole(copied)) == ("stopped.", "stopped by 10.2.5.3.")
    snapshot = replace(Snapshot(reason=STOPPED), read_at_s=2.0)
    assert whole(snapshot.reason) == "stopped by 10.2.5.3."
    assert asdict(snapshot)["reason"] == "stopped."


def test_sentences_are_joined_for_each_reader() -> None:
    both = joined("it could not be resumed:", STOPPED, Sentence("lost.", "lost at /dev/focuser."))
    assert both == "it could not be resumed: stopped. lost."
    assert whole(both) == "it could not be resumed: stopped by 10.2.5.3. lost at /dev/focuser."
    assert whole(joined("plain.", "too.")) == joined("plain.", "too.") == "plain. too."


def test_an_error_is_whole_for_who_asked_and_for_the_log() -> None:
    error = StoppedError("stopped by 10.2.5.3.", public="stopped.")
    assert (str(error), whole(error.reason), error.reason) == ("stopped by 10.2.5.3.",) * 2 + ("stopped.",)
    plain = FocuserError("no reply came.")
    assert (str(plain), plain.reason, whole(plain.reason)) == ("no reply came.",) * 3
