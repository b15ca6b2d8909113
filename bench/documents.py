"""How long it takes to find documents by their words among 100,000 of one organization.

`python -m bench.documents [--rows 100000] [--json FILE]`. A PostgreSQL and a Redis of its own; the page is asked for
inside this process, through all middleware and templates. The documents are made of real sentences, so that words are
as frequent as they are in texts: English ones from the docstrings of Python's library, Chinese ones from this product's
translations, in a random order that is the same each time. Half of the documents are English, a third Chinese, the rest
both. The searches are words of documents drawn at random, common ones as often as they occur, and each is asked once,
so that nothing is answered from a cache of answers. Five other organizations have a tenth as many documents each.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import statistics
import sysconfig
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import polib
import psycopg

from bench import output
from bench.console import ROOT, servers, sign_in
from bench.speed.machine import device_name
from ml.text.words import indexed

TARGET_MS, OTHERS, BATCH = 100, 5, 2_000
# Sentences to a document: few have many.
SHORTEST, USUAL, LONGEST = 4, 18, 200
FILES_READ = 900

_LAY_DOWN = """
INSERT INTO studio_document (id, organization_id, title, text, revision, tags, updated_at)
SELECT id, %(organization)s, title, text, 1, CASE WHEN random() < 0.1 THEN ARRAY['guide'] ELSE '{}'::text[] END,
    changed_at FROM fresh ORDER BY id
"""
_INDEX = """
INSERT INTO studio_documentindex (id, organization_id, document_id, search, changed_at)
SELECT gen_random_uuid(), %(organization)s, id,
    setweight(to_tsvector('english', words_of_title), 'A') || setweight(to_tsvector('english', words), 'D')
        || array_to_tsvector(ARRAY['every', 'organization ' || %(organization)s::text]),
    changed_at FROM fresh
"""


@cache
def english() -> list[str]:
    """Sentences of the docstrings of Python's library."""
    found: list[str] = []
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
    for path in files[:FILES_READ]:
        try:
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        except (SyntaxError, UnicodeDecodeError, OSError):
            continue
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                words = " ".join((ast.get_docstring(node) or "").split())
                found += [each for each in re.split(r"(?<=[.!?]) ", words) if 20 < len(each) < 300]
    return sorted(set(found))


@cache
def chinese() -> list[str]:
    """The Chinese sentences of this product's own pages."""
    catalogue = polib.pofile(str(ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"))
    return sorted({entry.msgstr for entry in catalogue if len(entry.msgstr) > 6 and "%" not in entry.msgstr})


def texts(count: int, seed: str) -> Iterator[tuple[str, str]]:
    """Titles and texts."""
    random, sources = Random(seed), (english(), chinese())
    for number in range(count):
        kinds = [sources[0]] if number % 6 < 3 else [sources[1]] if number % 6 < 5 else list(sources)
        length = min(LONGEST, max(SHORTEST, int(random.lognormvariate(0, 0.7) * USUAL)))
        sentences = [random.choice(random.choice(kinds)) for _ in range(length)]
        yield sentences[0][:80], "\n\n".join(" ".join(sentences[at : at + 5]) for at in range(0, length, 5))


def fill(owner: psycopg.Connection[Any], organization_id: UUID, rows: int, seed: str) -> int:
    """Documents and their index, as the product writes them; returns how many characters the texts have."""
    total, waiting = 0, texts(rows, seed)
    owner.execute(
        "CREATE TEMP TABLE IF NOT EXISTS fresh (id uuid, title text, text text, words_of_title text, words text,"
        " changed_at timestamptz DEFAULT now() - random() * interval '3 years')"
    )
    for _ in range(0, rows, BATCH):
        batch = [each for _, each in zip(range(BATCH), waiting, strict=False)]
        owner.execute("TRUNCATE fresh")
        columns = "id, title, text, words_of_title, words"
        with owner.cursor() as cursor, cursor.copy(f"COPY fresh ({columns}) FROM STDIN") as copy:
            for title, text in batch:
                total += len(text)
                copy.write_row((uuid4(), title, text, indexed(title), indexed(text)))
        for statement in (_LAY_DOWN, _INDEX):
            owner.execute(statement, {"organization": organization_id})
    return total


def searches(count: int) -> list[tuple[str, str]]:
    """What is looked for, and what kind of search it is: words of documents as they come."""
    random, found = Random("searches"), []
    sources = (english(), chinese())
    for number in range(count):
        words = re.findall(r"[A-Za-z]{3,}", random.choice(sources[0])) or ["the"]
        characters = re.sub(r"[^\u4e00-\u9fff]", "", random.choice(sources[1])) or "文档"
        start = random.randrange(max(1, len(characters) - 4))
        found.append(
            [
                ("one English word", random.choice(words)),
                ("two English words", " ".join(random.sample(words, min(2, len(words))))),
                ("the beginning of a word", random.choice(words)[:4]),
                ("two ideographs", characters[start : start + 2]),
                ("four ideographs", characters[start : start + 4]),
                ("both languages", f"{random.choice(words)} {characters[start : start + 2]}"),
            ][number % 6]
        )
    return found


def measured(client: Any, wanted: list[tuple[str, str]]) -> tuple[dict[str, dict[str, float]], int]:
    """Milliseconds by kind of search and over all, and how many searches found something."""
    taken: dict[str, list[float]] = {}
    hits = 0
    for kind, text in wanted:
        begun = time.perf_counter()
        page = client.get("/documents/", {"search": text})
        taken.setdefault(kind, []).append((time.perf_counter() - begun) * 1000)
        assert page.status_code == 200
        hits += b'<article class="found"' in page.content
    taken["all of them"] = [each for kind in taken.values() for each in kind]
    return {kind: _figures(found) for kind, found in taken.items()}, hits


def _figures(milliseconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "max": round(max(milliseconds), 1)}


def tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        [kind, f"{found['p50']:g}", f"{found['p95']:g}", f"{found['max']:g}"] for kind, found in result["kinds"].items()
    ]
    note = (
        f"{result['rows']:,} documents of {result['characters'] // result['rows']:,} characters on average in one "
        f"organization, a tenth as many in each of {OTHERS} others; {result['searches']} searches, of which "
        f"{result['hits']} found something; the whole page, on the server. The target is a p95 of {TARGET_MS} ms."
    )
    return [{"columns": ["what is looked for", "p50, ms", "p95, ms", "longest, ms"], "rows": rows, "note": note}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=600)
    parser.add_argument("--json", type=Path, default=output("documents"))
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": device_name(), "rows": options.rows, "searches": options.searches}
    result["load_before"] = round(os.getloadavg()[0], 2)
    with servers() as url:
        client, organization_id = sign_in()
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("SELECT set_config('app.across', 'on', false)")
            # Foreign keys are checked with plans that a session keeps, and these tables are empty when it begins.
            owner.execute("SET plan_cache_mode = force_custom_plan")
            result["characters"] = fill(owner, organization_id, options.rows, "one")
            for number in range(OTHERS):
                made: Any = owner.execute(
                    "INSERT INTO accounts_organization (id, name, slug, language)"
                    " VALUES (uuidv7(), %s, %s, 'en') RETURNING id",
                    [f"Writing {number}", f"writing-{number}"],
                ).fetchone()
                fill(owner, made[0], options.rows // 10, f"other {number}")
            owner.execute("VACUUM ANALYZE")
        # The first searches fill PostgreSQL's memory, as the first ones of any day do.
        measured(client, searches(options.searches + 60)[-60:])
        result["kinds"], result["hits"] = measured(client, searches(options.searches))
        from django.db import connections

        connections.close_all()
    result["load_after"] = round(os.getloadavg()[0], 2)
    result["tables"] = tables(result)
    print(json.dumps(result["kinds"], indent=1))
    options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return 0 if result["kinds"]["all of them"]["p95"] <= TARGET_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
