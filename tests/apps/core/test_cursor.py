"""Whether an entry follows on what a reader has: holes show, and a text is never told with one."""

from hypothesis import given
from hypothesis import strategies as st

from apps.core.cursor import Cursor, Step, before, placed, split, whole_text
from apps.core.streams import ATTEMPT, DELTA, END, RESET, START, Piece


def delta(id: str, text: str, offset: int, tokens: int = 1) -> Piece:
    return Piece(id, DELTA, text, tokens, offset)


def mark(id: str, kind: str) -> Piece:
    return Piece(id, kind, "", 0, 0)


WHOLE = [
    mark("1-0", ATTEMPT),
    delta("1-1", "a", 0),
    delta("1-2", "b", 1, 2),
    Piece("1-3", DELTA, "é", 0, 0),
    mark("2-0", ATTEMPT),
    delta("2-1", "c", 3),
    mark("2-2", END),
]


def take_all(cursor: Cursor, pieces: list[Piece]) -> list[Step]:
    return [cursor.take(piece) for piece in pieces]


def test_a_whole_stream_is_taken_from_its_beginning() -> None:
    cursor = Cursor()
    steps = take_all(cursor, WHOLE)
    assert steps == [Step.NOTHING, Step.TEXT, Step.TEXT, Step.TEXT, Step.NOTHING, Step.TEXT, Step.END]
    assert (cursor.whole, cursor.tokens, cursor.chars, cursor.position) == (True, 4, 4, "2-2")


@given(st.sets(st.integers(1, len(WHOLE) - 2), min_size=1))
def test_whatever_is_missing_shows_before_the_end(lost: set[int]) -> None:
    pieces = [piece for index, piece in enumerate(WHOLE) if index not in lost]
    cursor = Cursor()
    steps = take_all(cursor, pieces)
    # At the end the length is compared with the row's text: half a character has no token that could tell.
    noticed = Step.HOLE in steps or not cursor.whole or cursor.chars != len("abéc")
    assert noticed == (lost != {4})


def test_a_reader_who_comes_back_is_placed_behind_every_entry() -> None:
    for index in range(1, len(WHOLE) - 1):
        if WHOLE[index].kind == DELTA:
            cursor = placed(WHOLE[index].id, WHOLE[index::-1], more=True)
            assert Step.HOLE not in take_all(cursor, WHOLE[index + 1 :])
            assert cursor.whole


def test_a_stream_that_was_lost_and_goes_on_is_no_hole_for_who_had_everything() -> None:
    cursor = placed("1-3", [], more=False)
    assert cursor.take(delta("1-4", "d", 3)) is Step.TEXT
    assert cursor.tokens == 4


def test_it_is_one_for_who_had_less() -> None:
    assert placed("1-2", [], more=False).take(delta("1-4", "d", 3)) is Step.HOLE
    assert placed("1-3", [], more=True).take(delta("1-4", "d", 3)) is Step.HOLE
    assert Cursor().take(delta("1-4", "d", 3)) is Step.HOLE


def test_after_a_hole_only_a_new_beginning_is_text() -> None:
    cursor = Cursor()
    assert cursor.take(delta("1-4", "d", 3)) is Step.HOLE
    cursor.lose(delta("1-4", "d", 3))
    assert cursor.take(delta("1-5", "e", 4)) is Step.NOTHING
    assert cursor.take(mark("1-6", RESET)) is Step.RESET
    assert cursor.take(delta("1-7", "abcde", 0, 5)) is Step.TEXT
    assert cursor.take(mark("1-8", END)) is Step.END
    assert cursor.whole
    assert cursor.chars == 5


def test_a_second_worker_that_knew_less_is_noticed() -> None:
    cursor = Cursor()
    take_all(cursor, WHOLE[:4])
    cursor.take(mark("2-0", ATTEMPT))
    assert cursor.take(delta("2-1", "b", 1)) is Step.HOLE


def test_an_end_behind_a_hole_is_not_whole() -> None:
    cursor = Cursor()
    take_all(cursor, WHOLE[:2])
    assert cursor.take(mark("1-5", END)) is Step.END
    assert not cursor.whole


def test_a_whole_text_is_told_from_the_last_beginning() -> None:
    assert whole_text(WHOLE) == "abéc"
    assert whole_text([*WHOLE[:3], mark("2-0", RESET), delta("2-1", "x", 0)]) == "x"
    assert whole_text(WHOLE[2:]) is None
    assert whole_text([delta("1-7", "g", 6), mark("1-8", RESET), delta("1-9", "all", 0, 7)]) == "all"


def test_positions_are_ordered_as_numbers() -> None:
    assert split("2-10") > split("2-9") > split("1-99")
    assert (before("1-5"), before("2-0"), START) == ("1-4", "2-0", "0-0")
