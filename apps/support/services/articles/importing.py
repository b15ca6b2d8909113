"""Articles from files: Markdown with a few lines in front, HTML, and ZIP archives of both."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import PurePosixPath

from django.utils.text import slugify

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest, PayloadTooLarge
from apps.support.access_bot import APPROVE, WRITE
from apps.support.errors_bot import ImportRefused
from apps.support.models import Article, ArticleVersion
from apps.support.services.articles.writing import LOCALE, ArticleDraft, publish, write_article
from ml.text.extraction.detection import decoded
from ml.text.extraction.types import Refused
from ml.text.markup import markdown_of

MOST_BYTES, MOST_FILES, MOST_OF_ONE = 10_000_000, 300, 1_000_000
MARKDOWN, HTML = {".md", ".markdown"}, {".html", ".htm"}
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.DOTALL)
LONGEST_FRONT = 10_000
_LINE = re.compile(r"([a-z_]+)\s*:\s*(.*)")
# “help.zh.md” is Chinese; a folder is a category.
_LOCALE_IN_NAME = re.compile(r"(.+)\.([a-z]{2}(?:-[A-Za-z]{2,4})?)$")


def import_file(
    actor: Actor, name: str, content: bytes, locale: str = "en", is_published: bool = False
) -> list[ArticleVersion]:
    """Every article of a file, all or none; one whose slug is known already gets a new version. ImportRefused.

    To publish them takes the right to.
    """
    actor.require(*((WRITE, APPROVE) if is_published else (WRITE,)))
    actor.require_open()
    if not LOCALE.fullmatch(locale):
        raise InvalidRequest("A language is written like en or zh-Hans.", param="locale")
    if len(content) > MOST_BYTES:
        raise PayloadTooLarge("A file has at most %(most)s bytes.", values={"most": MOST_BYTES}, param="file")
    drafts = [_draft(path, each, locale) for path, each in _files(name, content)]
    if not drafts:
        raise ImportRefused("There is no Markdown and no HTML in it.", param="file")
    with tenancy.scope(actor.organization_id):
        known = dict(Article.objects.filter(slug__in=[each.slug for each in drafts]).values_list("slug", "pk"))
        written = []
        for draft in drafts:
            version = write_article(actor, draft, known.get(draft.slug))
            known.setdefault(draft.slug, version.article_id)
            if is_published:
                publish(actor, version.article_id, version.number)
            written.append(version)
    return written


def _files(name: str, content: bytes) -> list[tuple[PurePosixPath, bytes]]:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.suffix.lower() in MARKDOWN | HTML:
        return [(PurePosixPath(path.name), content)]
    if path.suffix.lower() != ".zip":
        raise ImportRefused("Send a Markdown or HTML file, or a ZIP archive of them.", param="file")
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return _of_archive(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise ImportRefused("The archive is damaged, or protected by a password.", param="file") from error


def _of_archive(archive: zipfile.ZipFile) -> list[tuple[PurePosixPath, bytes]]:
    """Nothing is written anywhere, so that paths in it lead nowhere; what it unfolds to is bounded as it is read."""
    found, left = list[tuple[PurePosixPath, bytes]](), MOST_BYTES
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
        if entry.is_dir() or hidden or path.suffix.lower() not in MARKDOWN | HTML:
            continue
        with archive.open(entry) as file:
            content = file.read(min(left, MOST_OF_ONE) + 1)
        left -= len(content)
        if len(content) > MOST_OF_ONE or left < 0 or len(found) >= MOST_FILES:
            raise ImportRefused("The archive holds more than is read: at most 300 files of 1 MB, 10 MB in all.",
                                param="file")  # fmt: skip
        found.append((path, content))
    return sorted(found)


def _draft(path: PurePosixPath, content: bytes, locale: str) -> ArticleDraft:
    try:
        text = decoded(content)
    except Refused as error:
        raise ImportRefused("The characters of %(name)s cannot be read: save it as UTF-8.",
                            values={"name": path.name}, param="file") from error  # fmt: skip
    stem = path.stem
    if named := _LOCALE_IN_NAME.fullmatch(stem):
        stem, locale = named.groups()
    facts: dict[str, str] = {}
    if path.suffix.lower() in HTML:
        title, body = markdown_of(text)
    else:
        text = text.replace("\r\n", "\n").lstrip("\ufeff")
        if front := _FRONT.match(text[:LONGEST_FRONT]):
            facts = dict(_pairs(front.group(1)))
            text = text[front.end() :]
        title, body = "", text.strip()
    if heading := _heading(body):
        title, body = title or heading, body.partition("\n")[2].strip()
    title = facts.get("title") or title or stem.replace("-", " ").replace("_", " ").capitalize()
    folder = path.parent.name
    return ArticleDraft(
        title=re.sub(r"\\([\\*_`\[\]<>])", r"\1", title)[:160],
        body=body,
        locale=facts.get("locale") or facts.get("lang") or locale,
        slug=slugify(facts.get("slug") or stem, allow_unicode=True)[:70],
        category=facts.get("category") or folder.replace("-", " ").replace("_", " ").capitalize(),
        source=str(path)[-200:],
    )


def _heading(body: str) -> str:
    """What the first line says, if it is a heading `# …`; it may be closed by such signs too."""
    line = body.partition("\n")[0].strip()
    if not line.startswith("#") or not line[1:2].isspace():
        return ""
    return " ".join(line[1:].strip().rstrip("#").split())


def _pairs(text: str) -> list[tuple[str, str]]:
    found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [(each.group(1), each.group(2).strip().strip("\"'")) for each in found if each]
