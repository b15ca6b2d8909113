"""One script per figure that the README quotes; `make bench` runs them all."""

import os
from pathlib import Path

FIGURES = Path(os.environ.get("MILLRACE_VAR") or Path(__file__).resolve().parents[1] / "var") / "bench"


def output(name: str) -> Path:
    """Where a script leaves its figures when it is not told: where bench.report looks for them."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    return Path(os.environ.get("BENCH_OUTPUT") or FIGURES / f"{name}.json")
