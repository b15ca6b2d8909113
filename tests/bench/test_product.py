"""The product's benchmark: both sides get the same work, and the figures say what was measured."""

import json

import pytest

from bench import product
from bench.throughput.client import Follower
from bench.throughput.work import Text, length, prompt, result


def test_every_stream_of_every_round_has_a_text_of_its_own() -> None:
    prompts = {prompt(number, round_number) for number in range(32) for round_number in range(6)}
    assert len(prompts) == 32 * 6


async def test_a_follower_notes_its_first_text_and_its_end() -> None:
    follower = Follower(b"")
    follower.frame({"type": "status", "status": "running"})
    assert not follower.first and follower.open.done()
    follower.frame({"type": "delta", "id": "1-1", "text": "Tea"})
    first = follower.first
    follower.frame({"type": "delta", "id": "1-2", "text": "."})
    follower.frame({"type": "done", "generation": {"usage": {"completion_tokens": 2}}})
    assert first and follower.first == first
    assert follower.done.result()["usage"]["completion_tokens"] == 2


async def test_a_failed_stream_fails_the_benchmark() -> None:
    follower = Follower(b"")
    follower.frame({"type": "error", "error": {"code": "service_unavailable"}})
    with pytest.raises(RuntimeError, match="service_unavailable"):
        await follower.done


def test_the_tables_show_both_sides_and_their_ratio() -> None:
    result = {
        "streams": 32,
        "tokens": 256,
        "texts": 3,
        "models": [
            {
                "model": name,
                "throughput": {"tokens_per_second": {"engine": 400.0, "product": 390.0}, "ratio": 0.975},
                "first_token": {"p50_ms": {"engine": 7.5, "product": 30.0}, "added_p50_ms": 22.5},
            }
            for name in ("large", "small")
        ],
    }
    [table] = product._tables(result)
    assert [row[0].split(":")[0] for row in table["rows"]] == ["large", "large", "small", "small"]
    assert table["rows"][0][1:] == [400.0, 390.0, "97.5%"]
    assert table["rows"][1][-1] == "+22.5 ms"
    json.dumps(table)


def test_only_what_came_while_all_had_a_text_in_hand_counts() -> None:
    quick = [Text(first=1, end=3, tokens=20), Text(first=3, end=5, tokens=20)]
    slow = [Text(first=2, end=6, tokens=40), Text(first=7, end=9, tokens=10)]
    found = result([quick, slow], began=0.5)
    assert found == {"tokens": 10 + 20 + 30, "seconds": 3, "written": 90, "all_begun": 1.5}
    with pytest.raises(RuntimeError, match="more texts"):
        result([quick[:1], [Text(first=4, end=6, tokens=10)]], began=0)


def test_texts_end_one_by_one() -> None:
    assert len({length(number, 256) for number in range(32)}) == 32
    assert {length(number, 256) for number in range(96)} <= set(range(128, 385))
