"""The engine alone: `python -m bench.throughput.bare FOLDER CONTEXT STREAMS`, one order a line on standard input.

`batch NUMBER TOKENS TEXTS ROUND` gives each of NUMBER customers TEXTS texts, one after the other, and prints what
bench.throughput.work.result says of them; `first ROUND` prints the seconds from a request to its first output.
"""

from __future__ import annotations

import json
import sys
import time

from bench.throughput.work import Text, length, prompt, result
from ml.engine import ModelSpec, load_engine
from ml.types import Engine, EngineRequest, SamplingParams


def submit(engine: Engine, number: int, tokens: int, round_number: int) -> None:
    sampling = SamplingParams(max_tokens=tokens, min_tokens=tokens, temperature=0)
    text = prompt(number, round_number)
    engine.submit(EngineRequest(request_id=f"{round_number}:{number}", sampling=sampling, prompt=text))


def batch(engine: Engine, count: int, tokens: int, texts: int, round_number: int) -> dict[str, float]:
    began = time.monotonic()
    customers: list[list[Text]] = [[] for _ in range(count)]
    firsts: dict[int, float] = {}
    for number in range(count):
        submit(engine, number, length(number, tokens), round_number)
    while any(len(written) < texts for written in customers):
        for output in engine.step():
            number = int(output.request_id.split(":")[1])
            firsts.setdefault(number, time.monotonic())
            if output.finish_reason is None:
                continue
            customers[number % count].append(Text(firsts[number], time.monotonic(), output.completion_tokens or 0))
            if number + count < count * texts:
                submit(engine, number + count, length(number + count, tokens), round_number)
    return result(customers, began)


def first(engine: Engine, round_number: int) -> dict[str, float]:
    began = time.monotonic()
    submit(engine, 0, 4, round_number)
    taken = None
    while True:
        for output in engine.step():
            taken = taken or time.monotonic() - began
            if output.finish_reason:
                return {"seconds": taken}


def main() -> int:
    folder, context, streams = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    engine = load_engine(ModelSpec(source=folder, max_context=context, max_running=streams))
    print("ready", flush=True)
    for line in sys.stdin:
        kind, *numbers = line.split()
        work = batch if kind == "batch" else first
        print(json.dumps(work(engine, *map(int, numbers))), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
