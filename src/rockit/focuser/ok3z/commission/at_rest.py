"""Trials without motion: how answers are written, how long they take, and what they say of a motor that stands."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable, TypeVar

from ..driver import protocol
from ..driver.adapter import latency_ms
from ..errors import LinkLostError, MalformedReplyError, ReplyTimeoutError
from .bench import Bench
from .measures import median, percentile
from .runs import SurpriseError
from .wiretap import Exchange, Form

EXCHANGES = 200
# Of slow answers fewer are timed.
LONGEST_TIMING_S = 180.0
FEWEST_EXCHANGES = 20
PAIRS = 20
# After so many that failed the rest would say the same, and each takes seconds.
MOST_FAILED = 3
SETTLE_S, SETTLING_TRIES = 0.5, 10
PAIR = (protocol.MOTION_STATE, protocol.POSITION_REGISTER)
TEMPERATURES, TEMPERATURES_APART_S = 20, 6.0
BITS_A_BYTE = 10
# What fewer answers show is an accident of the line.
USUAL_PART = 0.1
HELD_BACK_S = 0.004
GOOD_ANSWER_S = 0.05
# Answers whose lengths differ by so many bytes tell from which byte on an adapter counts.
TELLING_BYTES = 6

_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)")
_Kind = TypeVar("_Kind", bytes, str, "tuple[int, int]")


@dataclass(frozen=True)
class _Bare(protocol.Query):
    """A question without the line feed."""

    def encode(self) -> bytes:
        return super().encode().rstrip()


def answers(bench: Bench) -> None:
    """Ask some 200 questions."""
    _identify(bench)
    texts = _ask_many(bench)
    exchanges = list(bench.tap.exchanges())
    forms = [form for exchange in exchanges if (form := exchange.form)]
    _time(bench, [exchange for exchange in exchanges if exchange.form])
    whole = {exchange.received.rstrip() for exchange in exchanges if exchange.form}
    spoilt = Counter(
        "without its end" if one.received.rstrip() + b"$" in whole else one.spoilt
        for one in exchanges
        if one.spoilt
    )
    examples = [exchange.received for exchange in exchanges if exchange.spoilt and exchange.received]
    kinds = ", ".join(f"{kind}: {number}" for kind, number in sorted(spoilt.items()))
    bench.find(
        "quality",
        not spoilt,
        f"of {len(exchanges)} questions {sum(spoilt.values())} were not answered well"
        + (f" ({kinds})" if spoilt else "")
        + (f", such as {examples[0][:40]!r}." if examples else "."),
        showing=tuple(examples[:3]),
        **spoilt,
    )
    forms_of(bench, forms)
    _rest(bench, texts)


def _identify(bench: Bench) -> None:
    try:
        text = bench.controller.identify(bench.longest_answer_s)
    except LinkLostError as error:
        received = [frame.data for frame in bench.tap.frames if not frame.sent]
        came = f"what came begins with {received[0][:60]!r}" if received else "nothing came at all"
        bench.find("line", False, f"no focuser answers: {came}.")
        sent = [frame.data.rstrip() for frame in bench.tap.frames if frame.sent]
        if any(data.startswith(one) for data in received for one in sent):
            bench.find("echo", False, "the questions themselves come back.")
        raise SurpriseError(str(error)) from error
    bench.find("line", True, f"S051 is answered with the text {text!r}.")


def _ask_many(bench: Bench) -> dict[str, list[str]]:
    """What came for each kind of question. Raises SurpriseError if one of them was never answered as it must be."""
    texts: dict[str, list[str]] = {"S052": [], "S004": [], "P081": []}
    begun_s = bench.clock.monotonic()
    misread = ""
    for number in range(EXCHANGES):
        if number >= FEWEST_EXCHANGES and bench.clock.monotonic() > begun_s + LONGEST_TIMING_S:
            break
        query = protocol.QUERIES[0] if number % 10 == 0 else protocol.QUERIES[1 + number % 2]
        asked_s = bench.clock.monotonic()
        try:
            reply = bench.link.exchange(query, bench.answers.deadline_s, bench.checkpoint)
            bench.answers.note(bench.clock.monotonic() - asked_s)
            if query is protocol.MOTION_STATE:
                protocol.read_stands_still(reply)
            elif query is protocol.POSITION_REGISTER:
                protocol.read_register(reply)
        except ReplyTimeoutError:
            continue
        except MalformedReplyError as error:
            misread = str(error)
            continue
        texts[query.reply_code].append((reply.argument or "").rstrip(" "))
    for code, assumption in (("S004", "still-letters"), ("P081", "register")):
        if not texts[code]:
            bench.find(assumption, False, misread or f"{code} never came.")
            raise SurpriseError(misread or f"no valid {code} came.")
    return texts


def _time(bench: Bench, exchanges: list[Exchange]) -> None:
    byte_s = BITS_A_BYTE / 38400
    times_ms = [exchange.last_s * 1000 for exchange in exchanges]
    extra_s = median(
        [one.last_s - (len(one.sent) + len(one.received)) * byte_s for one in exchanges],
    )
    together = median([one.last_s - one.first_s for one in exchanges]) < 0.4 * byte_s * median(
        [len(one.received) for one in exchanges]
    )
    usual, late = median(times_ms), percentile(times_ms, 0.99)
    bench.values["answer_s"] = usual / 1000
    bench.find(
        "answer-time",
        usual < GOOD_ANSWER_S * 1000,
        f"an answer takes {usual:.1f} ms (median), {late:.1f} ms (p99 of {len(times_ms)}).",
        median_ms=round(usual, 2),
        p99_ms=round(late, 2),
    )
    bench.find(
        "byte-time",
        extra_s > -0.4 * byte_s * median([len(one.sent) + len(one.received) for one in exchanges]),
        f"an answer is here {1000 * extra_s:.1f} ms after its bytes can have been on the line.",
    )
    timer_ms = latency_ms(bench.port)
    told = "nobody tells the adapter's timer" if timer_ms is None else f"the adapter's timer is {timer_ms} ms"
    held = together and extra_s > HELD_BACK_S
    counted = _counted_from(exchanges, byte_s) if held else ""
    how = "with all their bytes together" if together else "byte by byte"
    bench.find(
        "latency",
        not held and (timer_ms or 0) <= 2,
        f"{told}; answers come {how}, {1000 * extra_s:.1f} ms after the line's time{counted}.",
        timer_ms=timer_ms,
        extra_ms=round(1000 * extra_s, 2),
        together=together,
    )


def _counted_from(exchanges: list[Exchange], byte_s: float) -> str:
    """From which byte of an answer an adapter counts: then long answers come later than short ones, or not."""
    lengths = sorted({len(one.received) for one in exchanges})
    if lengths[-1] - lengths[0] < TELLING_BYTES:
        return ""
    short, long = (
        median(
            [one.last_s - len(one.sent) * byte_s for one in exchanges if len(one.received) == length],
        )
        for length in (lengths[0], lengths[-1])
    )
    later = long - short > byte_s * (lengths[-1] - lengths[0]) / 2
    return ", counted from the last byte" if later else ", counted from the first byte"


def forms_of(bench: Bench, forms: list[Form]) -> None:
    """How answers are written. After a power cut the register has other digits, which may tell more."""
    ends = _usual(form.end for form in forms)
    bench.find("frame-end", ends == [b"\n"], f"behind the `$` comes {' or '.join(map(repr, ends))}.")
    texts = [form for form in forms if form.code != "P081"] or forms
    spaces = _usual((form.spaces, form.trailing) for form in texts)
    told = " or ".join(f"{before} before and {behind} behind" for before, behind in spaces)
    bench.find("spaces", spaces == [(1, 0)], f"spaces around the argument: {told}.")
    before = " " * (spaces[0][0] if spaces else 1)
    written = [
        (" " * form.spaces + form.argument.decode("latin-1")).removeprefix(before)
        for form in forms
        if form.code == "P081"
    ]
    odd = [one for one in written if not _PLAIN_NUMBER.fullmatch(one)]
    # One or two were garbled.
    is_plain = len(odd) < USUAL_PART * len(written)
    bench.find("digits", is_plain, f"the register is written as {(written if is_plain else odd)[0]!r}.")
    echoed = sum(form.echoed for form in forms)
    bench.find("echo", echoed < USUAL_PART * len(forms), f"{echoed} of {len(forms)} questions came back.")
    others = sum(not form.argument.isascii() for form in forms)
    bench.find(
        "ascii", others < USUAL_PART * len(forms), f"{others} of {len(forms)} answers hold other bytes."
    )


def _usual(kinds: Iterable[_Kind]) -> list[_Kind]:
    """What is no exception on a bad line."""
    counted = Counter(kinds)
    return sorted(kind for kind, number in counted.items() if number > USUAL_PART * sum(counted.values()))


def _rest(bench: Bench, texts: dict[str, list[str]]) -> None:
    letters = _usual(texts["S004"])
    bench.values["still_letters"] = letters
    bench.find("still-letters", all(text[1] == "S" for text in letters), f"state texts at rest: {letters}.")
    plain = all(text.isascii() and text.isalpha() for text in letters)
    bench.find("plain-letters", plain, f"they are {'letters alone' if plain else 'not letters alone'}.")
    registers = [int(text) for text in texts["P081"]]
    span = max(registers) - min(registers)
    # One that was misread is no flicker.
    bench.noise_steps = round(percentile(registers, 0.95) - percentile(registers, 0.05))
    bench.values["noise_steps"] = bench.noise_steps
    bench.find("register", True, f"the register reads {registers[0]}.", register=registers[0])
    bench.find(
        "flicker",
        bench.noise_steps == 0,
        f"at rest the register goes over {span} steps.",
        span=span,
        usual=bench.noise_steps,
    )
    since = len(bench.tap.frames)
    bare = _Bare("motion state", "S001", "S004")
    answered = 0
    for _ in range(3):
        try:
            bench.link.exchange(bare, bench.answers.deadline_s, bench.checkpoint)
            answered += 1
        except ReplyTimeoutError:
            continue
    bench.find(
        "dollar", answered > 0, f"of 3 questions without a line feed {answered} were answered.", since=since
    )


def pairs(bench: Bench) -> None:
    """Ask two questions without a pause 20 times, and 20 times in one write."""
    both, in_order = _pairs_answered(bench, _one_after_the_other)
    answered = f"of {PAIRS} pairs of questions {both} were answered both."
    bench.find("buffered", both > PAIRS / 2, answered)
    bench.find("queries", both > PAIRS / 2, answered)
    bench.find("order", in_order == both if both else None, f"{in_order} of {both} in their order.")
    both, in_order = _pairs_answered(bench, _in_one_write)
    bench.find("one-write", both > PAIRS / 2, f"of {PAIRS} in one write {both} were answered both.")
    bench.find("one-write-order", in_order == both if both else None, f"{in_order} of {both} in their order.")


def _one_after_the_other(bench: Bench) -> None:
    bench.link.send(protocol.MOTION_STATE)
    bench.link.exchange(protocol.POSITION_REGISTER, bench.answers.deadline_s, bench.checkpoint)


def _in_one_write(bench: Bench) -> None:
    bench.link.exchange_all(PAIR, 2 * bench.answers.deadline_s, bench.checkpoint)


def _settle(bench: Bench) -> None:
    """What a pair before has left open is settled by single questions, and by time."""
    for _ in range(SETTLING_TRIES):
        if bench.link.is_clear(PAIR):
            return
        bench.pause(SETTLE_S)
        for question in PAIR:
            with contextlib.suppress(ReplyTimeoutError):
                bench.link.exchange(question, bench.answers.deadline_s, bench.checkpoint)


def _pairs_answered(bench: Bench, ask: Callable[[Bench], None]) -> tuple[int, int]:
    """Of so many pairs, how many were both answered, and how many of these in their order."""
    both = in_order = failed = 0
    for _ in range(PAIRS):
        _settle(bench)
        mark = len(bench.tap.frames)
        try:
            ask(bench)
        except ReplyTimeoutError:
            failed += 1
            # What comes behind it belongs to it.
            bench.pause(bench.answers.deadline_s)
            with contextlib.suppress(ReplyTimeoutError):
                bench.link.exchange(protocol.IDENTIFY, bench.answers.deadline_s, bench.checkpoint)
        came = b"".join(frame.data for frame in bench.tap.frames[mark:] if not frame.sent)
        state, register = came.find(b"#S004 F "), came.find(b"#P081 F ")
        both += state >= 0 and register >= 0
        in_order += 0 <= state < register
        if failed == MOST_FAILED:
            break
    return both, in_order


def temperature(bench: Bench) -> None:
    """Ask S051 20 times in two minutes, and listen in between."""
    texts = []
    for _ in range(TEMPERATURES):
        try:
            reply = bench.link.exchange(protocol.IDENTIFY, bench.answers.deadline_s, bench.checkpoint)
            texts.append(protocol.read_text(reply))
        except ReplyTimeoutError:
            pass
        bench.pause(TEMPERATURES_APART_S)
    bench.look()
    unasked = [
        exchange.received
        for exchange in bench.tap.exchanges()
        if exchange.form is None and exchange.last_s > TEMPERATURES_APART_S / 2
    ]
    kinds = sorted(set(texts))
    shown = ", ".join(map(repr, kinds[:6]))
    bench.find(
        "temperature",
        len(kinds) == 1 if texts else None,
        f"{len(texts)} answers in two minutes, {len(kinds)} texts: {shown}.",
        showing=tuple(kind.encode("latin-1", "replace") for kind in kinds[:6] if kind),
        texts=texts,
    )
    bench.find(
        "unasked",
        not unasked,
        "nothing came unasked."
        if not unasked
        else f"{unasked[0][:40]!r} came, of which not all was asked for.",
    )
