"""Text goes out in whole characters, stops before stop strings, and equals what the tokenizer decodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.engine.detokenizer import Detokenizer, Pieces, TextStream
from ml.engine.engine import LocalEngine
from tests.ml.engine.driving import drive, raw

SAMPLES = [
    "The quick brown fox jumps over the lazy dog.",
    "Grüße aus Köln, ça va? 中文内容也要正确显示。",
    "🙂🚀 flags 🇩🇪, family 👨‍👩‍👧 and a final 🎉",
    "  leading and   inner   spaces\n\nand lines\n",
]


def pieces_of(tokenizer: Any, ids: list[int]) -> list[str]:
    pieces = Detokenizer(tokenizer).pieces()
    return [*(pieces.push(token) for token in ids), pieces.flush()]


@pytest.mark.parametrize("kind", ["byte_tokenizer", "piece_tokenizer"])
@pytest.mark.parametrize("text", SAMPLES)
def test_pieces_are_whole_characters_and_add_up(kind: str, text: str, request: pytest.FixtureRequest) -> None:
    tokenizer = request.getfixturevalue(kind)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = pieces_of(tokenizer, ids)
    assert "".join(pieces) == text == tokenizer.decode(ids)
    assert not any("\ufffd" in piece for piece in pieces)
    assert sum(bool(piece) for piece in pieces) > 3


def test_characters_are_split_over_tokens_in_these_tests(byte_tokenizer: Any) -> None:
    assert len(byte_tokenizer("👨‍👩‍👧")["input_ids"]) > 8


@given(ids=st.lists(st.integers(0, 479), max_size=60))
def test_any_bytes_decode_as_the_tokenizer_decodes_them(byte_tokenizer: Any, ids: list[int]) -> None:
    assert "".join(pieces_of(byte_tokenizer, ids)) == byte_tokenizer.decode(ids, skip_special_tokens=True)


def test_half_a_character_comes_out_only_at_the_end(byte_tokenizer: Any) -> None:
    ids = byte_tokenizer("🙂")["input_ids"][:-1]
    pieces = pieces_of(byte_tokenizer, ids)
    assert pieces[:-1] == [""] * len(ids)
    assert pieces[-1] == "\ufffd"


def test_a_continued_prompt_keeps_its_space(piece_tokenizer: Any) -> None:
    ids = piece_tokenizer("The quick fox", add_special_tokens=False)["input_ids"]
    detokenizer = Detokenizer(piece_tokenizer)
    for at in range(1, len(ids)):
        pieces = detokenizer.pieces(ids[:at])
        rest = "".join([*(pieces.push(token) for token in ids[at:]), pieces.flush()])
        assert piece_tokenizer.decode(ids[:at]) + rest == "The quick fox"


class Characters:
    """Pieces as given: lets a test say where tokens begin and end."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    def push(self, token_id: int) -> str:
        return self._texts[token_id]

    def flush(self) -> str:
        return ""


def streamed(texts: list[str], *stop: str, min_tokens: int = 0) -> tuple[list[str], bool]:
    pieces: Pieces = Characters(texts)
    stream = TextStream(pieces, stop, min_tokens)
    out = []
    for index in range(len(texts)):
        out.append(stream.push(index))
        if stream.stopped:
            break
    return [*out, stream.finish()], stream.stopped


def test_a_stop_string_over_several_tokens_never_shows() -> None:
    assert streamed(["Hello E", "N", "D", " more"], "END") == (["Hello ", "", "", ""], True)


def test_what_only_looked_like_a_stop_string_comes_out_late() -> None:
    assert streamed(["Hello E", "N", "T"], "END") == (["Hello ", "", "ENT", ""], False)
    assert streamed(["Hello E", "N"], "END") == (["Hello ", "", "EN"], False)


def test_an_overlapping_beginning_is_found() -> None:
    assert streamed(["a", "a", "a", "b", "c"], "aab") == (["", "", "a", "", ""], True)


def test_the_earliest_of_several_stop_strings_wins() -> None:
    assert streamed(["one, two; three"], ";", ",") == (["one", ""], True)
    assert streamed(["one"], "") == (["one", ""], False)


def test_before_min_tokens_a_stop_string_is_text() -> None:
    assert streamed(["a END ", "b", "c END d"], "END", min_tokens=2) == (["a END ", "b", "c ", ""], True)
    assert streamed(["E", "ND", "x"], "END", min_tokens=1) == (["E", "ND", "x", ""], False)


def test_a_nul_becomes_a_replacement_character() -> None:
    assert streamed(["a\0b"], "END") == (["a\ufffdb", ""], False)


@given(text=st.text("abé🙂", max_size=30), stop=st.text("abé🙂", min_size=1, max_size=4), data=st.data())
def test_stop_strings_do_not_depend_on_how_text_is_cut(text: str, stop: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    parts = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    out, stopped = streamed(parts, stop)
    assert "".join(out) == text.split(stop)[0]
    assert stopped == (stop in text)


@pytest.mark.parametrize("kind", ["byte", "pieces"])
def test_the_engine_stops_inside_a_token(
    engine_for: Callable[..., LocalEngine], tokenizer_of: Callable[..., Any], kind: str
) -> None:
    engine = engine_for("llama", kind)
    whole = drive(engine, [raw("w", "A product", max_tokens=40)])["w"]
    tokenizer = tokenizer_of("llama", kind)
    middle = len(whole.text) // 2
    stop = whole.text[middle : middle + 5]
    assert "\ufffd" not in stop or kind == "byte"
    answer = drive(engine, [raw("s", "A product", max_tokens=40, stop=(stop,))])["s"]
    assert answer.finish_reason == "stop"
    assert answer.text == whole.text.split(stop)[0]
    assert answer.token_ids == whole.token_ids[: len(answer.token_ids)]
    assert stop in tokenizer.decode([*tokenizer("A product")["input_ids"], *answer.token_ids], skip_special_tokens=True)
    assert answer.last.completion_tokens == len(answer.token_ids) < 40
