"""The envelope, and the one table from errors to numbers."""

from __future__ import annotations

from rockit.focuser.ok3z import errors
from rockit.focuser.ok3z.errors import FocuserError
from rockit.focuser.ok3z.servers.alpaca.responses import (
    ALPACA_NUMBER_OF,
    LARGEST_TRANSACTION_ID,
    NotImplementedHereError,
    TransactionCounter,
    UnknownActionError,
    answer,
    encoded,
    number_of,
)

OF_THE_STANDARD = {0x400, 0x401, 0x402, 0x407, 0x408, 0x409, 0x40B, 0x40C, 0x40E}
EVERY_ERROR = {
    cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, FocuserError)
}


def test_every_error_has_a_number_of_the_standard_or_of_the_driver() -> None:
    assert set(ALPACA_NUMBER_OF) == EVERY_ERROR | {NotImplementedHereError, UnknownActionError}
    for cls in EVERY_ERROR:
        number = number_of(cls("why"))
        assert number in OF_THE_STANDARD or 0x500 <= number <= 0xFFF, cls


def test_what_the_standard_has_a_number_for_has_that_and_each_other_one_of_its_own() -> None:
    named = {
        NotImplementedHereError: 0x400,
        UnknownActionError: 0x40C,
        errors.OutsideLimitsError: 0x401,
        errors.InvalidArgumentError: 0x401,
        errors.NotConnectedError: 0x407,
        errors.BusyError: 0x40B,
        errors.NotPermittedError: 0x40B,
        errors.StoppedError: 0x40E,
    }
    assert {cls: number_of(cls("why")) for cls in named} == named
    own = [number for number in ALPACA_NUMBER_OF.values() if number >= 0x500]
    assert len(own) == len(set(own))


def test_success_is_a_zero_and_an_empty_text_and_no_error_is_without_a_text() -> None:
    assert answer(5, 6) == {
        "ClientTransactionID": 5,
        "ServerTransactionID": 6,
        "ErrorNumber": 0,
        "ErrorMessage": "",
    }
    body = answer(0, 1, FocuserError())
    assert body["ErrorNumber"]
    assert body["ErrorMessage"]
    assert encoded(answer(0, 1, FocuserError("für \n\0"))).isascii()


def test_numbers_of_answers_begin_at_1_and_never_leave_their_32_bits() -> None:
    counter = TransactionCounter()
    assert [counter.next() for _ in range(3)] == [1, 2, 3]
    counter = TransactionCounter(LARGEST_TRANSACTION_ID - 1)
    assert [counter.next() for _ in range(3)] == [LARGEST_TRANSACTION_ID, 1, 2]
