"""The figures of bench/engine.py as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
NOTHING = "–"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, numbers to the right."""
    lines = [columns, ["---", *["--:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def engine_section(result: Json) -> str:
    """Return everything that the file has, each scenario only if it was measured."""
    parts: list[tuple[str, Callable[[Json], str]]] = [
        ("ladder", _ladder),
        ("mixed", _mixed),
        ("long", _long),
        ("prefix", _prefix),
        ("exact", exact_sentences),
    ]
    found = [render(result) for name, render in parts if result.get(name)]
    skipped = [f"Not measured: {name} ({why})." for name, why in result.get("skipped", {}).items()]
    return "\n\n".join([_heading(result), *found, *skipped])


def where_and_when(machine: Json) -> str:
    """Return the machine's name, its settings and the date."""
    settings = f"threads: {machine['threads']}, " if machine["device"] == "cpu" else ""
    return f"{machine['device_name']} ({settings}torch {machine['torch']}), {machine['date']}"


def number(value: float | None) -> str:
    """Return three significant digits, and all digits before the point."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value * 100:.0f} %"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that suits it."""
    if value is None:
        return NOTHING
    return f"{value * 1000:,.0f} ms" if value < 1 else f"{value:,.1f} s"


def _heading(result: Json) -> str:
    size = f"{result['parameters'] / 1e6:,.0f} M parameters, {result['dtype']}" if "parameters" in result else ""
    what = f"**{result['model']}**" + (f", {size}" if size else "")
    return f"{what}; {where_and_when(result['machine'])}."


def _ladder(result: Json) -> str:
    sizes, levels = result["sizes"], result["ladder"]["levels"]
    header = f"prompt {sizes['prompt']}, output {sizes['output']}, medians of {sizes['rounds']}"
    decode = [_decode_row(result, name) for name in result["names"]]
    bound = ["the matrix products alone", *(number(level["products"]) for level in levels.values())]
    columns = [f"decode, tokens/s at a time ({header})", *levels]
    rows = [*decode, bound]
    if result["machine"]["device"] == "cuda":
        reads = number(result["ladder"]["reads_per_second"])
        rows.append(["the weights read once, by a large copy", *(reads if level == "1" else "" for level in levels)])
    rest = [_rest_row(result, name) for name in result["names"]]
    beside = ["prefill, prompt tokens/s · all together, written tokens/s", *levels]
    note = "Decode counts while all write; where some end before the last begins, with answers four times as long."
    return f"{table(columns, rows)}\n\n{note}\n\n{table(beside, rest)}"


def _decode_row(result: Json, name: str) -> list[str]:
    cells = []
    for level in result["ladder"]["levels"].values():
        figures = level["ways"].get(name)
        if figures is None or figures["decode"] is None:
            cells.append(NOTHING)
            continue
        shares = [percent(figures["share_of_products"])]
        if result["machine"]["device"] == "cuda" and figures.get("share_of_reads"):
            shares.append(f"{percent(figures['share_of_reads'])} of reads")
        cells.append(f"{number(figures['decode'])} ({', '.join(shares)})")
    return [result["names"][name], *cells]


def _rest_row(result: Json, name: str) -> list[str]:
    levels = [level["ways"].get(name) for level in result["ladder"]["levels"].values()]
    cells = [f"{number(way['prefill'])} · {number(way['total'])}" if way else NOTHING for way in levels]
    return [result["names"][name], *cells]


def _mixed(result: Json) -> str:
    sizes, mixed = result["sizes"], result["mixed"]
    best = max((mixed["ways"][name]["total"] for name in ("engine", "int8") if name in mixed["ways"]), default=None)
    title = (
        f"{mixed['requests']} requests, {mixed['clients']} in flight, prompts {_range(sizes['mixed_prompt'])}, outputs "
        f"{_range(sizes['mixed_output'])}"
    )
    columns = [title, "tokens/s", "Millrace's best is", "first token p50", "p95", "gap between tokens p99"]
    rows = []
    for name, way in mixed["ways"].items():
        times = f"{best / way['total']:.1f} ×" if best and name not in ("engine", "int8") else ""
        waits = [seconds(way[key]) for key in ("first_p50", "first_p95", "gap_p99")]
        rows.append([result["names"][name], number(way["total"]), times, *waits])
    part = f"`generate()` one at a time was given {sizes['one_subset']} of the requests, evenly spread by length."
    return table(columns, rows) + (f"\n\n{part}" if "one" in mixed["ways"] else "")


def _long(result: Json) -> str:
    long = result["long"]
    gap, worst = (f"{long[name]:.1f}" for name in ("largest_gap_in_steps", "worst_gap_in_steps"))
    return (
        f"A prompt of {long['prompt']:,} tokens arrives while {long['streams']} streams run: the largest gap in a "
        f"stream is {gap} of its usual steps (worst round {worst}), the new prompt's first token comes after "
        f"{seconds(long['first_token_of_long'])}."
    )


def _prefix(result: Json) -> str:
    prefix = result["prefix"]
    shared, distinct = prefix["shared"], prefix["distinct"]
    return (
        f"{prefix['requests']} requests at once with the same {prefix['prefix']} first tokens of {prefix['prompt']}: "
        f"{number(shared['prefill_tokens'])} prompt tokens computed and {number(shared['reused_tokens'])} reused, "
        f"first token after {seconds(shared['first_p50'])} (p50) and {seconds(shared['first_p95'])} (p95); with "
        f"nothing in common {number(distinct['prefill_tokens'])} computed, {seconds(distinct['first_p50'])} and "
        f"{seconds(distinct['first_p95'])}."
    )


def exact_sentences(result: Json) -> str:
    sentences = []
    for name, found in result["exact"].items():
        full, small = found["full_cache"], found["small_cache"]
        sentences.append(
            f"{name}: {full['mismatches']} of {found['requests']} requests ({found['tokens']:,} tokens) differ from "
            f"`generate()`. With a cache of {small['cache_tokens']:,} tokens, no more than the longest request takes, "
            f"{_times(small['preemptions'])} a request had to give its place to others and was computed again: "
            f"{small['mismatches']} of {found['requests']} differ."
        )
    return "Greedy in fp32, token for token. " + " ".join(sentences)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _range(bounds: Sequence[int]) -> str:
    return f"{bounds[0]}–{bounds[1]}"
