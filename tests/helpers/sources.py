"""The project's own source files, read for rules that no linter knows."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("apps", "config", "workers", "ml", "deploy", "bench")


def files(pattern: str, *folders: str) -> list[Path]:
    """Every file below the folders, generated ones and migrations excepted."""
    found = (path for folder in folders for path in (ROOT / folder).rglob(pattern))
    return sorted(path for path in found if not {"__pycache__", "migrations"} & set(path.parts))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a file with the name of the function it stands in, or "" outside any."""

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if isinstance(child, ast.Call):
                yield inner, child
            yield from walk(child, inner)

    yield from walk(tree(path), "")


def called(call: ast.Call) -> str:
    """The last part of what is called: `b` for `a.b()`."""
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")
