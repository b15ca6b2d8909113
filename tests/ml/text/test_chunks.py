"""Documents in pieces: nothing lost, nothing too long, each under its headings and on its page."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.text.chunks import Block, BlockKind, Chunk, chunks


def words(texts: Sequence[str]) -> list[int]:
    """One token a word, and one for each character of what has no spaces."""
    return [sum(len(word) if not word.isascii() else 1 for word in text.split()) for text in texts]


def heading(text: str, level: int) -> Block:
    return Block(BlockKind.HEADING, text, level)


def text(content: str, page: int | None = None) -> Block:
    return Block(BlockKind.TEXT, content, page=page)


def cut(*blocks: Block, most: int = 20, overlap: int = 4) -> list[Chunk]:
    return chunks(blocks, words, most, overlap)


def test_a_chunk_stands_under_the_path_of_its_headings() -> None:
    found = cut(
        heading("Guide", 1), heading("Returns", 2), text("Thirty days."), heading("Costs", 3), text("None."),
        heading("Hours", 2), text("Nine to five."), most=40,
    )  # fmt: skip
    assert [(each.heading, each.text) for each in found] == [
        (("Guide", "Returns"), "Thirty days."),
        (("Guide", "Returns", "Costs"), "None."),
        (("Guide", "Hours"), "Nine to five."),
    ]
    assert found[0].read == "Guide › Returns\nThirty days."


def test_short_paragraphs_of_a_section_stay_together() -> None:
    [found] = cut(text("One two."), text("Three four."), text("Five."))
    assert found.text == "One two.\n\nThree four.\n\nFive."


def test_a_long_section_is_cut_between_sentences_and_repeats_the_last() -> None:
    found = cut(text("One two three. Four five six. Seven eight nine. Ten eleven."), most=9, overlap=3)
    assert [each.text for each in found] == [
        "One two three. Four five six. Seven eight nine.",
        "Seven eight nine. Ten eleven.",
    ]


def test_chinese_is_cut_at_its_own_full_stops() -> None:
    found = cut(text("退货三十天。邮费免费。商店九点开门。"), most=12, overlap=0)
    assert [each.text for each in found] == ["退货三十天。邮费免费。", "商店九点开门。"]


def test_a_chunk_ends_with_its_page_and_repeats_only_a_sentence_that_goes_on() -> None:
    ended = cut(text("First page.", 1), text("Second page.", 2))
    assert [(each.page, each.text) for each in ended] == [(1, "First page."), (2, "Second page.")]
    going_on = cut(text("Here. It goes on", 1), text("over the page.", 2))
    assert [(each.page, each.text) for each in going_on] == [
        (1, "Here. It goes on"),
        (2, "It goes on\n\nover the page."),
    ]


def test_outer_headings_go_before_they_take_the_room_of_the_text() -> None:
    [found] = cut(heading("a very long title of a whole book", 1), heading("Costs", 2), text("None."))
    assert found.heading == ("Costs",)


def test_an_overlap_of_half_a_chunk_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        chunks([text("One.")], words, 10, 5)


BLOCKS = st.lists(
    st.one_of(
        st.builds(heading, st.text("ab ", max_size=12), st.integers(1, 6)),
        st.builds(text, st.text("abc .退。\n", max_size=300), st.integers(1, 3)),
    ),
    max_size=8,
)


@given(BLOCKS)
def test_no_chunk_is_too_long_and_no_word_is_lost(blocks: list[Block]) -> None:
    found = cut(*blocks)
    assert all(each.tokens <= 20 for each in found)
    assert all(words([each.text])[0] <= 20 for each in found)
    given_letters = {letter for each in blocks if each.kind == BlockKind.TEXT for letter in each.text if letter.strip()}
    assert given_letters == {letter for each in found for letter in each.text if letter.strip()}
    assert all(each.text.strip() for each in found)
