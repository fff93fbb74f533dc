"""A lock that is taken without waiting, or not at all."""

from __future__ import annotations

import threading

import pytest
from rockit.common import TryLock


def test_a_free_lock_is_taken_and_released() -> None:
    lock = threading.Lock()
    with TryLock(lock) as acquired:
        assert acquired is True
        assert lock.locked()
    assert not lock.locked()


def test_a_taken_lock_is_left_alone() -> None:
    lock = threading.Lock()
    with lock:
        with TryLock(lock) as acquired:
            assert acquired is False
        assert lock.locked(), "the lock of another was released"


def test_an_exception_releases_the_lock_and_goes_on() -> None:
    lock = threading.Lock()
    with pytest.raises(KeyError), TryLock(lock):
        raise KeyError
    assert not lock.locked()


def test_an_exception_leaves_the_lock_of_another_alone() -> None:
    lock = threading.Lock()
    with lock:
        with pytest.raises(KeyError), TryLock(lock):
            raise KeyError
        assert lock.locked()


def test_a_lock_of_another_thread_is_not_waited_for() -> None:
    lock = threading.RLock()
    answers: list[bool] = []

    def attempt() -> None:
        with TryLock(lock) as acquired:
            answers.append(acquired)

    with lock:
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(timeout=10)
    assert answers == [False]


def test_one_object_serves_again_after_its_block() -> None:
    lock = threading.Lock()
    attempt = TryLock(lock)
    with lock, attempt as acquired:
        assert not acquired
    with attempt as acquired:
        assert acquired
    assert not lock.locked()
