"""Comparing and merging texts: no edit is lost, whatever two people do to one text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ml.text.edits import Clash, Edit, Same, applied, edits, found_again, merge, moved, tokens

WORDS = st.sampled_from(
    ["the ", "mill ", "wheel", "\n", "\n\n", "# ", "- ", "磨坊", "水", "轮", " ", "a", "é", "🙂", "\r"]
)
TEXTS = st.lists(WORDS, max_size=40).map("".join)


@given(TEXTS)
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


@given(TEXTS, TEXTS)
def test_the_edits_make_one_text_of_the_other(old: str, new: str) -> None:
    found = edits(old, new)
    assert applied(old, found) == new
    places = [place for edit in found for place in (edit.start, edit.end)]
    assert places == sorted(places)
    assert all(left.end < right.start for left, right in pairwise(found)), "what touches is one"


def test_a_long_text_costs_one_edit_for_one_change() -> None:
    old = "".join(f"Line {number} of the mill's long story.\n\n" for number in range(5_000))
    assert edits(old, old.replace("Line 2500 of", "Line 2500 in")) == [
        Edit(old.index("Line 2500") + 10, old.index("Line 2500") + 12, "in")
    ]


@st.composite
def changed(draw: st.DrawFn, base: str) -> str:
    """The base with a few stretches of it replaced."""
    text = base
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(TEXTS) + text[end:]
    return text


@st.composite
def three(draw: st.DrawFn) -> tuple[str, str, str]:
    base = draw(TEXTS)
    return base, draw(changed(base)), draw(changed(base))


@given(three())
@settings(max_examples=400)
def test_a_merge_loses_no_edit_of_either(texts: tuple[str, str, str]) -> None:
    """What comes of a merge holds every edit of both; where that cannot be, both are there to choose from."""
    base, mine, theirs = texts
    merged = merge(base, mine, theirs)
    assert "".join(part.text if isinstance(part, Same) else part.mine for part in merged.parts) == _with_rest(
        base, edits(base, mine), edits(base, theirs)
    )
    assert "".join(part.text if isinstance(part, Same) else part.theirs for part in merged.parts) == _with_rest(
        base, edits(base, theirs), edits(base, mine)
    )


def _with_rest(base: str, first: list[Edit], others: list[Edit]) -> str:
    """All edits of the first, and those of the others that keep away from them, each alone and the same ones once.

    A clash is a whole stretch: whoever's side is taken, the other's edits that hang together with it are not.
    """
    stretches: list[list[int]] = []
    for start, end in sorted((edit.start, edit.end) for edit in [*first, *others]):
        if stretches and start <= stretches[-1][1]:
            stretches[-1][1] = max(end, stretches[-1][1])
        else:
            stretches.append([start, end])
    kept = list(first)
    for start, end in stretches:
        inside = [edit for edit in others if start <= edit.start and edit.end <= end]
        if not any(start <= edit.start and edit.end <= end for edit in first):
            kept += inside
    return applied(base, sorted(kept, key=lambda edit: edit.start))


@given(three())
@settings(max_examples=200)
def test_a_merge_is_the_same_from_both_sides(texts: tuple[str, str, str]) -> None:
    base, mine, theirs = texts
    one, other = merge(base, mine, theirs), merge(base, theirs, mine)
    assert one.clean == other.clean
    assert [(part.theirs, part.mine) if isinstance(part, Clash) else part for part in one.parts] == [
        (part.mine, part.theirs) if isinstance(part, Clash) else part for part in other.parts
    ]
    assert merge(base, mine, base).text == mine
    assert merge(base, base, theirs).text == theirs


def test_two_people_in_one_paragraph_meet_only_at_the_same_words() -> None:
    base = "The mill stands by the river. Its wheel turns slowly."
    mine = base.replace("river", "lake")
    theirs = base.replace("slowly", "all night")
    assert merge(base, mine, theirs).text == "The mill stands by the lake. Its wheel turns all night."
    [_before, clash, _after] = merge(base, mine, base.replace("river", "sea")).parts
    assert clash == Clash("lake", "sea")


@given(three(), st.data())
def test_a_range_that_nobody_touched_keeps_its_words(texts: tuple[str, str, str], data: st.DataObject) -> None:
    old, new, _ = texts
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, len(old)))
    place = moved(start, end, edits(old, new))
    if place is not None:
        assert new[place[0] : place[1]] == old[start:end]


def test_quoted_words_are_found_where_they_are_nearest() -> None:
    text = "wheel, and again a wheel"
    assert found_again(text, "wheel", 15) == (19, 24)
    assert found_again(text, "wheel", 3) == (0, 5)
    assert found_again(text, "sail", 3) is None
    assert found_again(text, "", 3) is None
