"""A burst of messages is one turn, and nobody waits for its end forever."""

import pytest

from ml.dialogue.turns import LONGEST, QUIET, Heard, text_of, waits_until


def test_three_messages_in_two_seconds_are_one_turn_with_all_of_them() -> None:
    heard = [Heard("Hello", 0.0), Heard("my card,", 0.8), Heard("it is gone", 2.0)]
    assert [waits_until(heard[:count]) for count in (1, 2, 3)] == [QUIET, 0.8 + 2 * QUIET, 2.0 + QUIET]
    assert text_of(heard) == "Hello\nmy card,\nit is gone"


@pytest.mark.parametrize("is_typing", [True, False])
def test_somebody_who_goes_on_and_on_is_answered_all_the_same(is_typing: bool) -> None:
    heard = [Heard(f"part {number},", 0.7 * number) for number in range(40)]
    assert waits_until(heard, is_typing) == LONGEST


def test_a_message_that_was_sent_twice_counts_once() -> None:
    assert text_of([Heard("yes", 0), Heard(" yes ", 1), Heard("", 2), Heard("no", 3)]) == "yes\nno"
    assert waits_until([]) == 0.0
