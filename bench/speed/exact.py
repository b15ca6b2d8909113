"""Is what the engine writes in float32 what `generate()` writes, token for token?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoTokenizer

from bench.speed.engines import EngineWay, engine_spec
from bench.speed.figures import rounded
from bench.speed.generate import OneAtATimeWay, load_model
from bench.speed.lineup import round_up
from bench.speed.machine import device
from bench.speed.scenarios import Sizes, say
from bench.speed.work import Job, Prompts, Trace

# The cache is counted in blocks; so many tokens are whole ones on every device.
BLOCK = 64


def exact(source: str, sizes: Sizes) -> dict[str, Any]:
    """Compare every token of mixed requests, with room for all and under a cache too small for them."""
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = load_model(source, torch.float32, device(), tokenizer)
    jobs = Prompts(tokenizer, seed=80_000).mixed(sizes.exact_requests, sizes.exact_prompt, sizes.exact_output)
    expected = OneAtATimeWay(model).run(jobs, 1)
    longest = longest_of(jobs)
    # The small cache just holds the longest request. More run while they are short; as they grow some are preempted.
    caches = {"full_cache": sizes.exact_clients * longest, "small_cache": longest}
    result: dict[str, Any] = {"requests": len(jobs), "tokens": sum(job.output_tokens for job in jobs)}
    for name, cache in caches.items():
        written, preemptions = _write(source, jobs, sizes.exact_clients, cache)
        differing = _differences(model, expected, written)
        result[name] = {
            "cache_tokens": cache,
            "preemptions": preemptions,
            "mismatches": len(differing),
            "differing": differing,
        }
        say(f"exact, {source}, {name}", {"mismatches": len(differing), "preemptions": preemptions})
    require_preemptions(source, result["small_cache"])
    return result


def longest_of(jobs: Sequence[Job]) -> int:
    """Return how many tokens of cache the longest request takes."""
    return round_up(max(len(job.prompt_ids) + job.output_tokens for job in jobs), BLOCK)


def require_preemptions(source: str, found: dict[str, Any]) -> None:
    """Raise RuntimeError where the small cache was not too small: then nothing was seen of what a preemption does."""
    if not found["preemptions"]:
        raise RuntimeError(
            f"{source}: no request was preempted with a cache of {found['cache_tokens']} tokens, so that nothing is "
            f"known of what preempted requests write; let the requests of this check be longer, or more at once."
        )


def _write(source: str, jobs: Sequence[Job], clients: int, cache: int) -> tuple[list[Trace], int]:
    way = EngineWay("exact", engine_spec(source, "float32", clients, cache))
    try:
        return way.run(jobs, clients), way.stats().preemptions
    finally:
        way.close()


def _differences(model: Any, expected: Sequence[Trace], written: Sequence[Trace]) -> list[dict[str, Any]]:
    """Describe each request that differs, with how clear the choice was for `generate()` at the first difference.

    Two logits within rounding of each other (about 1e-5 here) can fall either way when sums are taken in another order.
    """
    found = []
    for number, (right, other) in enumerate(zip(expected, written, strict=True)):
        if right.token_ids == other.token_ids:
            continue
        pairs = enumerate(zip(right.token_ids, other.token_ids, strict=False))
        place = next((place for place, (one, two) in pairs if one != two), len(other.token_ids))
        ids = [*right.job.prompt_ids, *right.token_ids[:place]]
        with torch.inference_mode():
            logits = model(torch.tensor([ids], device=model.device)).logits[0, -1]
        best = logits.topk(2).values
        found.append({"request": number, "token": place, "margin": rounded(float(best[0] - best[1]))})
    return found
