"""What a generation is called in lists."""

from __future__ import annotations

import pytest

from apps.studio.models import Generation

QUOTED = "[notes.txt]\nrows\n[/notes.txt]\n"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("What is new?", "What is new?"),
        (f"{QUOTED}\nWhat is new?", "What is new?"),
        (f"{QUOTED}{QUOTED}What is new?", "What is new?"),
        (QUOTED, "[notes.txt] rows [/notes.txt]"),
        ("[todo]\nnever closed", "[todo] never closed"),
        ("[a]\n" * 200_000, "[a] " * 19 + "[a]…"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_it_is_what_is_said_behind_the_files_that_are_quoted(said: str, title: str) -> None:
    assert Generation(prompt="", messages=[{"role": "user", "content": said}]).title == title
