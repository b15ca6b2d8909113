"""The engine beside transformers: same weights, same prompts, one run, and what the machine allows.

`python -m bench.engine --model FOLDER --concurrency 1,8,32 --json FILE` measures a Hugging Face model folder, without
`--model` a Llama shape with random weights (`--shape 135m`, on a GPU `1b`). It needs this repository, torch and
transformers, nothing else. Every way writes the same number of tokens for the same prompts with greedy decoding.
Another way begins in every round, and medians are reported. `--scenarios ladder,mixed,long,prefix,exact` chooses what
is measured, `--ways one,static,continuous,graphs,engine,int8` who takes part.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import output, shapes
from bench.speed import machine, scenarios
from bench.speed.exact import exact
from bench.speed.lineup import ENGINE, GRAPHS, NAMES, Lineup, lineup
from bench.speed.scenarios import QUICK, Sizes

SCENARIOS = ("ladder", "mixed", "long", "prefix", "exact")
HOUSE_MODEL = Path(__file__).resolve().parents[1] / "ml" / "house" / "text"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and leave the figures in a JSON file."""
    options = _options(arguments)
    sizes = _sizes(options)
    source = options.model or str(shapes.build(options.shape))
    result: dict[str, Any] = {
        "name": "engine",
        "model": _title(options),
    }
    wanted = options.scenarios
    if set(wanted) - {"exact"}:
        clients = max([*options.concurrency, sizes.mixed_clients, sizes.shared_requests])
        with lineup(source, options.dtype, options.ways, clients, sizes.longest) as ways:
            sizes = sizes.fitted(ways.context)
            result |= _settings(ways, options, sizes)
            for name, measure in _timed(options).items():
                if name in wanted:
                    result[name] = measure(ways, sizes)
                    _write(options.json, result)
    if "exact" in wanted and ENGINE in options.ways:
        result.setdefault("machine", machine.describe())
        result["exact"] = {name: exact(folder, sizes) for name, folder in _exact_sources(source, options).items()}
    _write(options.json, result)
    return 0


def _timed(options: argparse.Namespace) -> dict[str, Callable[[Lineup, Sizes], dict[str, Any]]]:
    return {
        "ladder": lambda ways, sizes: scenarios.ladder(ways, sizes, options.concurrency),
        "mixed": scenarios.mixed,
        "long": scenarios.long_prompt,
        "prefix": scenarios.shared_prefix,
    }


def _settings(ways: Lineup, options: argparse.Namespace, sizes: Sizes) -> dict[str, Any]:
    return {
        "machine": machine.describe(),
        "dtype": options.dtype,
        "parameters": ways.model.num_parameters(),
        "concurrency": options.concurrency,
        "sizes": scenarios.as_settings(sizes),
        "names": {name: NAMES[name] for name in ways.ways},
        "skipped": ways.skipped,
        "notes": ways.notes,
    }


def _exact_sources(source: str, options: argparse.Namespace) -> dict[str, str]:
    """Return the measured model and, beside random weights, one that has learnt something."""
    beside = options.model is None and not options.quick and HOUSE_MODEL.is_dir()
    return {_title(options): source} | ({"house model": str(HOUSE_MODEL)} if beside else {})


def _title(options: argparse.Namespace) -> str:
    """Return what the figures call the model; not the path of a folder, which means nothing elsewhere."""
    if options.model is None:
        return f"Llama shape {options.shape}, random weights"
    return Path(options.model).resolve().name if Path(options.model).is_dir() else str(options.model)


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = QUICK if options.quick else Sizes()
    given = {
        "rounds": options.rounds,
        "mixed_rounds": options.mixed_rounds,
        "mixed_requests": options.mixed_requests,
        "mixed_clients": options.mixed_clients,
    }
    return replace(sizes, **{name: value for name, value in given.items() if value is not None})


def _write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder or Hugging Face id; without it, a shape with random weights")
    parser.add_argument("--shape", choices=sorted(shapes.SHAPES), help="default: 135m, on a GPU 1b")
    parser.add_argument("--concurrency", type=_numbers, help="default: 1,8,32, on a GPU 1,32,128")
    parser.add_argument("--dtype", choices=["bfloat16", "float16", "float32"], default="bfloat16")
    parser.add_argument("--scenarios", type=_names(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--ways", type=_names(tuple(NAMES)), help="default: all, graphs only on a GPU")
    parser.add_argument("--rounds", type=int, help="of everything but the mixed traffic; default 3")
    parser.add_argument("--mixed-rounds", type=int, help="default 1; every round takes minutes on a CPU")
    parser.add_argument("--mixed-requests", type=int, help="default 64")
    parser.add_argument("--mixed-clients", type=int, help="requests in flight in the mixed traffic; default 32")
    parser.add_argument("--quick", action="store_true", help="a tiny model and few tokens: does it all run?")
    parser.add_argument("--json", type=Path, default=output("engine"))
    options = parser.parse_args(arguments)
    on_gpu = machine.device() == "cuda"
    options.ways = options.ways or [name for name in NAMES if on_gpu or name != GRAPHS]
    options.shape = options.shape or ("tiny" if options.quick else "1b" if on_gpu else "135m")
    options.concurrency = options.concurrency or ([1, 2] if options.quick else [1, 32, 128] if on_gpu else [1, 8, 32])
    return options


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if any(number < 1 for number in numbers):
        raise argparse.ArgumentTypeError("numbers from 1 up, separated by commas")
    return numbers


def _names(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    raise SystemExit(main())
