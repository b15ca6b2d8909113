"""The script behind the README's speed figures runs to its end and says the truth about what it saw."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from bench import engine, report, shapes
from bench.speed.exact import require_preemptions
from bench.speed.figures import phases, service
from bench.speed.scenarios import complete, subset
from bench.speed.tables import engine_section, exact_sentences
from bench.speed.work import Job, Prompts, Trace


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shapes.build("tiny", tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def measured(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    output = tmp_path_factory.mktemp("figures") / "engine.json"
    assert engine.main(["--quick", "--model", str(tiny), "--json", str(output)]) == 0
    found: dict[str, Any] = json.loads(output.read_text())
    return found


@pytest.mark.slow
def test_every_way_is_measured_at_every_level(measured: dict[str, Any]) -> None:
    levels = measured["ladder"]["levels"]
    assert {"one", "continuous", "engine"} <= set(levels["1"]["ways"])
    assert {"static", "continuous", "engine"} <= set(levels["2"]["ways"])
    assert all(way["total"] > 0 for level in levels.values() for way in level["ways"].values())
    assert all(level["products"] > 0 for level in levels.values())
    assert {"one", "static", "continuous", "engine"} <= set(measured["mixed"]["ways"])
    assert "int8" in measured["names"] or all(measured["skipped"].values())


@pytest.mark.slow
def test_the_engine_writes_what_generate_writes_even_when_it_preempts(measured: dict[str, Any]) -> None:
    (found,) = measured["exact"].values()
    assert (found["full_cache"]["differing"], found["small_cache"]["differing"]) == ([], [])
    assert found["small_cache"]["preemptions"] > 0


def test_equality_under_a_small_cache_says_nothing_where_nobody_was_preempted() -> None:
    require_preemptions("a model", {"cache_tokens": 576, "preemptions": 1})
    with pytest.raises(RuntimeError, match="no request was preempted with a cache of 576 tokens"):
        require_preemptions("a model", {"cache_tokens": 576, "preemptions": 0})


@pytest.mark.parametrize(
    ("preemptions", "words"), [(1, "once a request"), (2, "twice a request"), (3, "3 times a request")]
)
def test_the_report_says_what_equality_was_measured_on(preemptions: int, words: str) -> None:
    small = {"cache_tokens": 1_152, "preemptions": preemptions, "mismatches": 0}
    found = {"requests": 16, "tokens": 584, "full_cache": {"mismatches": 0}, "small_cache": small}
    text = exact_sentences({"exact": {"A model": found}})
    assert f"With a cache of 1,152 tokens, no more than the longest request takes, {words}" in text
    assert text.endswith("computed again: 0 of 16 differ.")


@pytest.mark.slow
def test_the_figures_become_a_block_of_the_readme(measured: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(json.dumps(measured))
    own = {"machine": "A machine", "tables": [{"columns": ["a", "b"], "rows": [["c", 1]], "note": "A note."}]}
    (tmp_path / "other.json").write_text(json.dumps(own))
    readme = tmp_path / "README.md"
    blocks = ["<!-- measured other --><!-- end other -->", "<!-- measured engine -->\nold\n<!-- end engine -->"]
    readme.write_text(f"before {' between '.join([*blocks, '<!-- measured gone -->x'])}\n")
    assert report.main(["--figures", str(tmp_path), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert engine_section(measured) in text
    assert "old" not in text
    assert "between <!-- measured gone -->x" in text
    assert "| a | b |\n| --- | --: |\n| c | 1 |\n\nA note." in text
    assert measured["machine"]["device_name"] in text
    assert measured["machine"]["date"] in text


def test_a_readme_without_a_block_is_not_a_success(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"machine": "A machine", "tables": []}))
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")
    assert report.main(["--figures", str(tmp_path), "--readme", str(readme)]) == 1
    assert readme.read_text() == "nothing here\n"


def test_a_prompt_has_the_length_asked_for_and_is_never_the_same(tiny: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    prompts = Prompts(tokenizer, seed=1)
    prefix = prompts.job(20, 1).text
    jobs = [prompts.job(30, 1, prefix) for _ in range(3)]
    assert {len(job.prompt_ids) for job in jobs} == {30}
    assert len({job.prompt_ids for job in jobs}) == 3
    assert len({job.prompt_ids[:20] for job in jobs}) == 1
    assert all(tuple(tokenizer(job.text)["input_ids"]) == job.prompt_ids for job in jobs)


@pytest.mark.parametrize("vocabulary", [512, 49_152, 128_256])
def test_a_vocabulary_has_exactly_the_size_of_the_shape(vocabulary: int) -> None:
    tokenizer = shapes.tokenizer(vocabulary)
    assert len(tokenizer) == vocabulary
    last = tokenizer.decode([vocabulary - 1])
    assert tokenizer(last)["input_ids"] == [vocabulary - 1]


def _trace(times: list[float], prompt: int = 10) -> Trace:
    return Trace(Job("", (0,) * prompt, len(times)), 0.0, times)


def test_decode_counts_only_while_the_batch_is_full() -> None:
    early, late = _trace([1.0, 2.0, 3.0, 4.0]), _trace([2.0, 3.0, 4.0, 5.0])
    found = phases([early, late])
    # Both have begun at 2 and the first ends at 4; between them come two tokens of each.
    assert found == {"prefill": 10.0, "decode": 2.0, "total": 8 / 5}


def test_waiting_and_gaps_are_those_of_the_client() -> None:
    found = service([_trace([1.0, 2.0, 5.0]), _trace([3.0, 4.0, 5.0])])
    assert (found["first_p50"], found["gap_p99"]) == (3.0, 3.0)


def test_a_way_that_writes_too_little_is_refused() -> None:
    short = _trace([1.0])
    short.job = Job("", (0,), 2)
    with pytest.raises(RuntimeError, match="1 tokens instead of 2"):
        complete([short])


def test_a_part_of_the_requests_has_short_and_long_ones() -> None:
    jobs = [Job("", (0,) * length, 1) for length in range(1, 101)]
    assert [len(job.prompt_ids) for job in subset(jobs, 4)] == [13, 38, 63, 88]


def test_a_shape_is_built_once(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_save", SimpleNamespace())  # not callable: building again would fail
    assert shapes.build("tiny", tiny) == tiny
