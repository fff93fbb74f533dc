"""What is kept on a disk that does its part."""

from __future__ import annotations

import threading
from typing import Any

from rockit.focuser.ok3z.storage import state_file, state_store
from rockit.focuser.ok3z.storage.state_store import StateStore
from tests.support.waiting import BOUND_S


def test_the_patience_is_short() -> None:
    assert state_store.READ_PATIENCE_S <= 2.0
    assert state_store.WRITE_PATIENCE_S <= 0.5
    assert state_store.CLOSE_PATIENCE_S <= 0.2


def test_what_was_written_durably_is_there_for_the_next_daemon(bench: Any) -> None:
    kept = bench.journal()
    assert kept.read() is None
    kept.write(bench.entry, durable=True)

    # It is there already: nothing but a look.
    assert state_file.decode(bench.path.read_bytes(), "night")[0] == bench.entry
    assert bench.left() == bench.entry
    assert bench.announced.sentences == []


def test_an_absent_file_is_no_problem_and_its_folder_is_made(bench: Any) -> None:
    kept = bench.journal()

    assert kept.read() is None
    assert kept.problem == ""
    assert bench.beside() == {}
    assert bench.announced.sentences == []


def test_what_need_not_be_durable_is_written_all_the_same_the_newest_at_the_end(
    bench: Any, disk: Any
) -> None:
    kept = bench.journal()
    held = disk.hang("fsync")
    kept.write(bench.entry_at(1), durable=False)
    disk.await_hanging()
    disk.calls.clear()
    for number in range(2, 500):
        kept.write(bench.entry_at(number), durable=False)
    held.set()
    kept.write(bench.entry_at(500), durable=True)
    bench.end()

    # The one that hung, and at most two of those that were ordered meanwhile.
    assert disk.calls.count("replace") <= 3
    assert bench.left() == bench.entry_at(500)


def test_a_durable_entry_is_waited_for_behind_one_that_is_not(bench: Any) -> None:
    kept = bench.journal()
    for number in range(20):
        kept.write(bench.entry_at(number), durable=False)
        kept.write(bench.entry_at(number + 1000), durable=True)
        assert state_file.decode(bench.path.read_bytes(), "night")[0] == bench.entry_at(number + 1000)


def test_closing_writes_what_is_outstanding(bench: Any, disk: Any) -> None:
    kept = bench.journal()
    held = disk.hang("makedirs")
    kept.write(bench.entry_at(1), durable=False)
    disk.await_hanging()
    kept.write(bench.entry_at(2), durable=False)
    threading.Timer(0.05, held.set).start()
    kept.close()

    assert bench.left() == bench.entry_at(2)


def test_nothing_is_read_or_written_before_the_start_or_after_the_end(bench: Any) -> None:
    kept = StateStore(bench.path, bench.announced)
    kept.write(bench.entry, durable=True)
    assert kept.read() is None
    kept.close()
    kept = bench.journal()
    kept.close()
    kept.write(bench.entry, durable=True)

    assert kept.read() is None
    assert not bench.path.exists()


def test_a_journal_is_closed_twice_as_well_as_once(bench: Any) -> None:
    kept = bench.journal()
    kept.write(bench.entry, durable=False)
    kept.close()
    kept.close()

    assert bench.left() == bench.entry


def test_callers_on_several_threads_do_not_disturb_each_other(bench: Any) -> None:
    kept = bench.journal()

    def work(first: int) -> None:
        for number in range(first, first + 30):
            kept.write(bench.entry_at(number), durable=number % 3 == 0)
            assert kept.problem == ""

    threads = [threading.Thread(target=work, args=(1000 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    found = bench.left()

    assert found is not None
    assert found.register in [1000 * index + 29 for index in range(4)]
    assert bench.announced.sentences == []
