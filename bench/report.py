"""Write the figures in var/bench/ into the README: `python -m bench.report`.

Each file NAME.json has its own block in the README, between `<!-- measured NAME -->` and `<!-- end NAME -->`; a block
whose file is not on this machine stays as it is, and a file without a block is said and left out. So the figures of a
GPU, copied here as engine-h100.json, stay beside those of this machine. A file is either that of bench/engine.py or of
bench/house.py, or brings its own tables: {"machine": the device's name or all of bench.speed.machine.describe(),
"tables": [{"columns": […], "rows": [[…]], "note": "…"}]}.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import FIGURES
from bench.speed.tables import engine_section, table, where_and_when

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Replace every block that has a file; returns 1 if no block has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=FIGURES, help="the folder with the JSON files")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(arguments)
    text, written = options.readme.read_text(encoding="utf-8"), 0
    for path in sorted(options.figures.glob("*.json")):
        replaced = with_block(text, path.stem, section(path))
        if replaced is None:
            print(f"{path.name}: the README has no block <!-- measured {path.stem} -->", file=sys.stderr)
            continue
        text, written = replaced, written + 1
    options.readme.write_text(text, encoding="utf-8")
    print(f"{written} blocks written")
    return 0 if written else 1


def with_block(text: str, name: str, body: str) -> str | None:
    """Return the text with the named block's content replaced, None if there is no such block."""
    begin, end = f"<!-- measured {name} -->", f"<!-- end {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        return None
    return pattern.sub(lambda _: f"{begin}\n\n{body}\n\n{end}", text, count=1)


def section(path: Path) -> str:
    """Return one file as Markdown; raises ValueError for a file of no known kind."""
    result = json.loads(path.read_text(encoding="utf-8"))
    measured = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC).date()
    if result.get("name") == "engine":
        return engine_section(result)
    if "tables" in result:
        return own_tables(result, measured)
    if "figures" in result and "passes" in result:
        return house(result["figures"], measured)
    raise ValueError(f"{path}: neither the engine's figures nor the house model's, and without tables")


def own_tables(result: Mapping[str, Any], date: datetime.date) -> str:
    """Return the tables that a file brings along, under the machine and the date that they were measured on."""
    machine = result["machine"]
    parts = [f"{where_and_when(machine) if isinstance(machine, dict) else f'{machine}, {date.isoformat()}'}."]
    for entry in result["tables"]:
        parts.append(table(entry["columns"], [[str(cell) for cell in row] for row in entry["rows"]]))
        parts += [entry["note"]] if entry.get("note") else []
    return "\n\n".join(parts)


def house(figures: Mapping[str, float], date: datetime.date) -> str:
    """Return what the house model's evaluation found."""
    shares = {
        "names the product, letter by letter": "names_product",
        "is the content type that was asked for": "right_content_type",
        "no 4-gram more than three times": "free_of_repetition",
    }
    rows = [[words, f"{figures[name] * 100:.1f} %"] for words, name in shares.items()]
    losses = f"{figures['held_out_loss']:.2f} against {figures['trigram_loss']:.2f}"
    rows.append(["held-out loss, against a trigram model's (nats a token)", losses])
    return table(
        [f"house model, {figures['briefs']} held-out briefs at default sampling, {date.isoformat()}", ""], rows
    )


if __name__ == "__main__":
    raise SystemExit(main())
