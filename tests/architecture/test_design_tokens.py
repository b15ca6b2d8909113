"""One file names colours, and every token that a sheet uses exists there."""

from __future__ import annotations

import re
from pathlib import Path

SHEETS = Path(__file__).resolve().parents[2] / "static" / "css"
TOKENS = SHEETS / "tokens.css"
OURS = [path for path in sorted(SHEETS.glob("*.css")) if path != TOKENS]


def test_colours_are_named_in_the_tokens_only() -> None:
    colour = re.compile(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(")
    found = [
        f"{path.name}: {line.strip()}" for path in OURS for line in path.read_text().splitlines() if colour.search(line)
    ]
    assert not found


def test_every_token_is_defined_and_used() -> None:
    defined = set(re.findall(r"^\s*(--[\w-]+):", TOKENS.read_text(), re.M))
    used = {name for path in [*OURS, TOKENS] for name in re.findall(r"var\((--[\w-]+)", path.read_text())}
    assert used <= defined
    assert defined <= used
