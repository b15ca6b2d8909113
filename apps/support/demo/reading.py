"""The demo bank's files: utterances, flows with their stories, and articles."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from apps.support.services.learning import Given

FOLDER = Path(__file__).parent


def utterances() -> list[Given]:
    """Lines below the `[intent]` that they bear."""
    found, intent = list[Given](), ""
    for line in (FOLDER / "utterances.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            intent = line.strip("[]")
        elif line.strip():
            found.append(Given(line.strip(), intent))
    return found


def flows() -> str:
    return (FOLDER / "flows.yaml").read_text(encoding="utf-8")


def stories() -> str:
    return (FOLDER / "stories.yaml").read_text(encoding="utf-8")


def articles() -> bytes:
    """All articles as an archive, as a customer would send them; a folder is a category."""
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        for path in sorted((FOLDER / "articles").rglob("*.md")):
            archive.write(path, path.relative_to(FOLDER / "articles").as_posix())
    return content.getvalue()
