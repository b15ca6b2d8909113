"""Tokens a second of the engine beside `generate()`, same weights, same prompts, one run.

`python -m bench.engine --model FOLDER --concurrency 1,8,32 --json FILE`. Each way writes the same number of tokens for
the same prompts with greedy decoding; the order of the ways changes from round to round, and the median is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ml.engine import ModelSpec, load_engine
from ml.types import EngineRequest, SamplingParams

PROMPT_TOKENS, OUTPUT_TOKENS = 64, 32


class Contest:
    """The model loaded twice, once for each side, and the prompts of all rounds."""

    def __init__(self, folder: Path, most: int) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
        # Weights of random text rarely end early, and an early end would compare unequal work.
        self.model.generation_config.eos_token_id = None
        self.engine = load_engine(ModelSpec(backend="local", source=str(folder), max_running=most, dtype="float32"))
        self.texts = [self._text(seed) for seed in range(most)]

    def _text(self, seed: int) -> str:
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(100, len(self.tokenizer) - 1, (PROMPT_TOKENS,), generator=generator)
        return str(self.tokenizer.decode(ids.tolist()))

    def one_at_a_time(self, concurrency: int) -> int:
        return sum(self._generate([text]) for text in self.texts[:concurrency])

    def static_batch(self, concurrency: int) -> int:
        return self._generate(self.texts[:concurrency])

    def _generate(self, texts: list[str]) -> int:
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        batch = self.tokenizer(texts, return_tensors="pt", padding=True)
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            output = self.model.generate(
                **inputs, max_new_tokens=OUTPUT_TOKENS, min_new_tokens=OUTPUT_TOKENS, do_sample=False
            )
        return int((output.shape[1] - inputs["input_ids"].shape[1]) * len(texts))

    def continuous_batch(self, concurrency: int) -> int:
        sampling = SamplingParams(max_tokens=OUTPUT_TOKENS, temperature=0)
        for index, text in enumerate(self.texts[:concurrency]):
            self.engine.submit(EngineRequest(request_id=str(index), sampling=sampling, prompt=text))
        left, tokens = concurrency, 0
        while left:
            for output in self.engine.step():
                if output.finish_reason == "error":
                    raise RuntimeError(output.error_message)
                left -= output.finish_reason is not None
                tokens += len(output.token_ids)
        return tokens


def measure(work: Callable[[int], int], concurrency: int) -> float:
    """Tokens a second, prefill included."""
    began = time.perf_counter()
    tokens = work(concurrency)
    return tokens / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("ml/house/text"))
    parser.add_argument("--concurrency", default="1,8,32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path(os.environ.get("BENCH_OUTPUT", "engine.json")))
    options = parser.parse_args()
    levels = [int(level) for level in options.concurrency.split(",")]
    contest = Contest(options.model, max(levels))
    ways = {name: getattr(contest, name) for name in ("one_at_a_time", "static_batch", "continuous_batch")}
    figures: dict[str, dict[str, float]] = {}
    for level in levels:
        samples: dict[str, list[float]] = {name: [] for name in ways}
        for round_number in range(-1, options.rounds):
            for name in sorted(ways, reverse=round_number % 2 == 0):
                speed = measure(ways[name], level)
                if round_number >= 0:  # the first round only warms up
                    samples[name].append(speed)
        figures[str(level)] = {name: round(statistics.median(speeds), 1) for name, speeds in samples.items()}
        print(level, figures[str(level)], flush=True)
    contest.engine.close()
    setting = {"prompt_tokens": PROMPT_TOKENS, "output_tokens": OUTPUT_TOKENS, "rounds": options.rounds}
    about = {"model": str(options.model), "threads": torch.get_num_threads(), **setting}
    options.json.write_text(json.dumps({"unit": "tokens/s", **about, "median": figures}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
