"""Whom the commissioning talks to: an engineer at a terminal, or a program at a pipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TextIO


class AnswersEndedError(Exception):
    """Nobody answers any more: the end of a pipe, or of a terminal."""


class Person(Protocol):
    """Somebody who looks at the focuser. What is raised while they are asked ends the commissioning."""

    def tell(self, text: str) -> None:
        """Say something, one line or some."""

    def ask(self, question: str, choices: tuple[str, ...]) -> str:
        """One of the choices, of which the first is the safe one and stands for no answer; any text without choices."""


class Terminal:
    """A person behind two text streams. Each question is one line, and so is each answer.

    Args:
        asked: what answers come from.
        told: where all is said.
    """

    def __init__(self, asked: Iterable[str], told: TextIO) -> None:
        self._answers = iter(asked)
        self._told = told

    def tell(self, text: str) -> None:
        print(text, file=self._told, flush=True)

    def ask(self, question: str, choices: tuple[str, ...]) -> str:
        hint = f" [{'/'.join(choices)}; Enter is {choices[0]}]" if choices else ""
        while True:
            print(f"? {question}{hint} ", end="", file=self._told, flush=True)
            answer = next(self._answers, None)
            if answer is None:
                raise AnswersEndedError
            word = answer.strip()
            if not choices:
                return word
            chosen = [choice for choice in choices if word and choice.startswith(word.lower())]
            if not word or len(chosen) == 1:
                return chosen[0] if word else choices[0]
            self.tell(f"{word!r} is none of: {', '.join(choices)}.")
