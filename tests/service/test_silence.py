"""A controller that says nothing for a while, and then speaks again."""

from __future__ import annotations

import pytest

from rockit.focuser.ok3z.driver.controller import REPLY_DEADLINE_S, SILENCE_S, Answers, Controller
from rockit.focuser.ok3z.driver.protocol import Reply
from rockit.focuser.ok3z.errors import LinkLostError, ReplyTimeoutError


class Line:
    """A link whose first exchange takes so long and fails, and whose next ones take so long and succeed."""

    held_up_s = 0.0

    def conclude(self, sentence):
        """Nobody reads it."""

    def __init__(self, silent_s, heard, answer_s):
        self.now_s = 0.0
        self.replies = 0
        self._silent_s, self._heard, self._answer_s = silent_s, heard, answer_s

    def monotonic(self):
        return self.now_s

    def exchange(self, query, deadline_s, checkpoint):
        if not self.now_s:
            self.now_s += self._silent_s
            self.replies += self._heard
            raise ReplyTimeoutError("nothing came.")
        self.now_s += self._answer_s
        checkpoint()
        return Reply(query.reply_code, "NS" if query.reply_code == "S004" else "5")


def read(line):
    return Controller(line, line, lambda: None).read().register


def test_an_answer_to_another_question_shows_that_the_silence_has_ended():
    """It is asked first, to tell the replies apart, and may be the last that comes in time."""
    assert read(Line(SILENCE_S - 0.05, heard=1, answer_s=REPLY_DEADLINE_S)) == 5


@pytest.mark.parametrize(("heard", "answer_s"), [(0, 0.1), (1, REPLY_DEADLINE_S + 0.1)])
def test_without_one_and_for_longer_than_a_reply_takes_it_is_not_waited_for(heard, answer_s):
    with pytest.raises(LinkLostError, match="gave no valid motion state"):
        read(Line(SILENCE_S - 0.05, heard, answer_s))


@pytest.mark.parametrize(
    ("answer_s", "deadline_s", "silence_s"),
    [(0.01, 0.25, 1.7), (0.3, 0.6, 1.95), (0.48, 0.96, 1.95), (1.0, 2.0, 4.0), (4.0, 5.0, 10.0)],
)
def test_the_deadlines_follow_the_answers_up_to_serial_timeout(answer_s, deadline_s, silence_s):
    answers = Answers(longest_s=5.0)
    for _ in range(3):
        answers.note(answer_s)
    assert answers.deadline_s == pytest.approx(deadline_s)
    assert answers.silence_s == pytest.approx(silence_s)
