"""Which messages are left out once they do not fit, and how neighbours are put together."""

import pytest

from ml.text.window import left_out, merged
from ml.types import Message

TALK = [Message("user" if n % 2 == 0 else "assistant", "x" * 10) for n in range(9)]


def within(room: int) -> tuple[int, list[int]]:
    asked: list[int] = []

    def fits(without: int) -> bool:
        asked.append(without)
        return sum(len(turn.content) for turn in TALK[without:]) <= room

    return left_out(TALK, fits), asked


@pytest.mark.parametrize(("room", "without"), [(90, 0), (89, 2), (70, 2), (69, 4), (10, 8), (5, 8)])
def test_the_oldest_go_first_and_the_rest_begins_with_a_users_message(room: int, without: int) -> None:
    found, _ = within(room)
    assert found == without
    assert TALK[found].role == "user"


def test_tokens_are_counted_a_few_times_only() -> None:
    _, asked = within(30)
    assert len(asked) <= 4


def test_empty_answers_go_and_neighbours_of_one_role_are_one() -> None:
    turns = [Message("user", "a"), Message("assistant", " "), Message("user", "b"), Message("assistant", "c")]
    assert merged(turns) == (Message("user", "a\n\nb"), Message("assistant", "c"))
