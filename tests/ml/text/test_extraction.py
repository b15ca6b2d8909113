"""Documents of strangers: what is in them comes out, and what is hostile is refused for a reason, never more."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ml.text.chunks import BlockKind
from ml.text.extraction import Bounds, Extracted, Kind, Refusal, Refused, extract

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = (
    f'<w:styles {W}><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Own"><w:name w:val="Own"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style></w:styles>'
)


def paragraph(text: str, style: str = "") -> str:
    mark = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{mark}<w:r><w:t>{text}</w:t></w:r></w:p>"


def docx(body: str, extra: dict[str, bytes] | None = None, document: str = "") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", document or f"<w:document {W}><w:body>{body}</w:body></w:document>")
        archive.writestr("word/styles.xml", STYLES)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return target.getvalue()


def pdf(pages: list[str], shared: bool = False) -> bytes:
    """A PDF by hand; `shared` names one page over and over, so that thousands of them take no room."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for text in pages[:1] if shared else pages:
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
        page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"{page} /Contents {len(objects)} 0 R >>")
        kids.append(f"{len(objects)} 0 R")
    kids = kids * len(pages) if shared else kids
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    body, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    tail = f"trailer << /Root 1 0 R /Size {len(objects) + 1} >>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{tail}".encode()


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Kind, bytes | str], Extracted]:
    def extracted(kind: Kind, content: bytes | str) -> Extracted:
        path = tmp_path / "document"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return extract(path, kind)

    return extracted


Read = Callable[[Kind, bytes | str], Extracted]


def said(found: Extracted) -> list[tuple[int, str]]:
    return [(block.level if block.kind == BlockKind.HEADING else 0, block.text) for block in found.blocks]


# ---------------------------------------------------------------- what is in them


def test_markdown(read: Read) -> None:
    found = read(
        Kind.MARKDOWN, "# Tea *time*\n\nAt [four](x).\n\n- cake\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## 茶\n\n四点。"
    )
    assert found.title == "Tea time"
    assert said(found) == [
        (1, "Tea time"),
        (0, "At four."),
        (0, "cake"),
        (0, "a | b"),
        (0, "1 | 2"),
        (2, "茶"),
        (0, "四点。"),
    ]


def test_html_without_its_furniture(read: Read) -> None:
    page = (
        "<!doctype html><html><head><title>Tea</title><style>p{}</style></head><body><nav>Home</nav><h2>When</h2>"
        "<p>At <b>four</b>.</p><script>alert(1)</script><table><tr><td>1</td><td>2</td></tr></table>Afterwards</body>"
    )
    found = read(Kind.HTML, page)
    assert (found.title, said(found)) == ("Tea", [(2, "When"), (0, "At four."), (0, "1 | 2"), (0, "Afterwards")])


def test_docx_with_styles_in_another_language(read: Read) -> None:
    table = f"<w:tbl><w:tr><w:tc>{paragraph('1')}</w:tc><w:tc>{paragraph('2')}</w:tc></w:tr></w:tbl>"
    body = paragraph("Tee", "berschrift1") + paragraph("Um vier.") + paragraph("Wo", "Own") + table
    found = read(Kind.DOCX, docx(body))
    assert said(found) == [(1, "Tee"), (0, "Um vier."), (2, "Wo"), (0, "1 | 2")]


def test_pdf_with_the_page_of_each_paragraph(read: Read) -> None:
    found = read(Kind.PDF, pdf(["Tea at four.", "Coffee at five."]))
    assert found.pages == 2
    assert [(block.page, block.text) for block in found.blocks] == [(1, "Tea at four."), (2, "Coffee at five.")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_chinese_in_any_usual_encoding(read: Read, encoding: str) -> None:
    text = "我们的商店在九点开门，在六点关门。退货可以在三十天内办理，邮费由我们承担。"
    assert said(read(Kind.TEXT, text.encode(encoding))) == [(0, text)]


def test_western_letters_of_an_old_code_page(read: Read) -> None:
    assert said(read(Kind.TEXT, "Café crème à la carte".encode("cp1252"))) == [(0, "Café crème à la carte")]


# ---------------------------------------------------------------- what is hostile

DECLARED = '<!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
ENTITIES = f"{DECLARED}<w:document {W}><w:body>{paragraph('&b;')}</w:body></w:document>"
OUTSIDE = f'<!DOCTYPE w SYSTEM "file:///etc/passwd"><w:document {W}><w:body>{paragraph("x")}</w:body></w:document>'
HOSTILE: dict[str, tuple[Kind, bytes, Refusal]] = {
    "a bomb": (Kind.DOCX, docx("", {"word/media/a": b"\0" * 60_000_000}), Refusal.ARCHIVE_TOO_LARGE),
    "many members": (Kind.DOCX, docx("", {f"word/{n}": b"x" for n in range(2100)}), Refusal.ARCHIVE_TOO_LARGE),
    "an archive within": (Kind.DOCX, docx("", {"word/embeddings/a.bin": docx(paragraph("x"))}), Refusal.NESTED_ARCHIVE),
    "an archive by name": (Kind.DOCX, docx("", {"word/a.zip": b"x"}), Refusal.NESTED_ARCHIVE),
    "a path upwards": (Kind.DOCX, docx("", {"../../etc/cron": b"x"}), Refusal.UNSAFE_PATH),
    "an absolute path": (Kind.DOCX, docx("", {"/etc/cron": b"x"}), Refusal.UNSAFE_PATH),
    "entities": (Kind.DOCX, docx("", document=ENTITIES), Refusal.XML_ENTITIES),
    "a document type elsewhere": (Kind.DOCX, docx("", document=OUTSIDE), Refusal.XML_ENTITIES),
    "half an archive": (Kind.DOCX, docx(paragraph("x"))[:200], Refusal.DAMAGED),
    "another archive": (Kind.DOCX, docx("").replace(b"word/document", b"word/socument"), Refusal.WRONG_TYPE),
    "ten thousand pages": (Kind.PDF, pdf(["x"] * 10_000, shared=True), Refusal.TOO_MANY_PAGES),
    "half a PDF": (Kind.PDF, b"%PDF-1.7\n" + os.urandom(500), Refusal.DAMAGED),
    "a PDF without text": (Kind.PDF, pdf([""]), Refusal.NO_TEXT),
    "a program called text": (Kind.TEXT, b"\x7fELF\x02\x01\x01", Refusal.WRONG_TYPE),
    "a page called text": (Kind.TEXT, b"<!DOCTYPE html><p>x", Refusal.WRONG_TYPE),
    "a PDF called Markdown": (Kind.MARKDOWN, pdf(["x"]), Refusal.WRONG_TYPE),
    "a text called PDF": (Kind.PDF, b"Tea.", Refusal.WRONG_TYPE),
    "nothing": (Kind.TEXT, b" \n", Refusal.EMPTY),
    "only scripts": (Kind.HTML, b"<html><script>x</script>", Refusal.NO_TEXT),
    "bytes": (Kind.TEXT, bytes(range(0x80, 0xA0)) * 3, Refusal.ENCODING),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_for_its_reason(read: Read, name: str) -> None:
    kind, content, reason = HOSTILE[name]
    with pytest.raises(Refused) as refused:
        read(kind, content)
    assert refused.value.reason == reason


def test_a_document_that_lies_about_its_size_is_unpacked_no_further_than_the_bound(read: Read) -> None:
    """The archive says 10 bytes, and would unfold to 60 MB."""
    honest = docx("", {"word/a": b"x"}, document=f"<w:document {W}>{' ' * 60_000_000}</w:document>")
    size = len(f"<w:document {W}>{' ' * 60_000_000}</w:document>").to_bytes(4, "little")
    with pytest.raises(Refused):
        read(Kind.DOCX, honest.replace(size, (10).to_bytes(4, "little")))


def test_html_as_deep_as_a_stranger_likes_is_refused_in_good_order(read: Read) -> None:
    with pytest.raises(Refused) as refused:
        read(Kind.HTML, "<html>" + "<div>" * 50_000 + "deep" + "</div>" * 50_000)
    assert refused.value.reason == Refusal.NO_TEXT


def test_what_takes_too_long_or_too_much_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(b"a" * 80_000_000)
    with pytest.raises(Refused) as slow:
        extract(path, Kind.TEXT, Bounds(seconds=0.01))
    assert slow.value.reason == Refusal.TOO_SLOW
    with pytest.raises(Refused) as large:
        extract(path, Kind.TEXT, Bounds(memory_bytes=120_000_000))
    assert large.value.reason == Refusal.TOO_MUCH_MEMORY


CHILD = """
import os, socket, subprocess, sys
from ml.text.extraction.confinement import confine
confine(1 << 30, 10)
def tried(act):
    try:
        act()
        return "done"
    except OSError as error:
        return error.strerror
print(tried(socket.socket), tried(lambda: subprocess.run(["true"])))
print(tried(lambda: open(sys.argv[1], "w").write("x")))
"""


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="the filter of system calls is Linux's")
def test_the_child_reaches_nobody_starts_nothing_and_writes_nothing(tmp_path: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "written")], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[0] == "Operation not permitted Operation not permitted", done.stderr
    assert not (tmp_path / "written").exists() or (tmp_path / "written").stat().st_size == 0


def test_the_child_is_given_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "swordfish")
    seen: dict[str, object] = {}

    def run(*args: object, **options: object) -> object:
        seen.update(options)
        raise RuntimeError

    monkeypatch.setattr("ml.text.extraction.bounded.subprocess.run", run)
    with pytest.raises(RuntimeError):
        extract(tmp_path / "x", Kind.TEXT)
    assert set(seen["env"]) == {"PATH", "PYTHONPATH", "LANG", "PYTHONUTF8"}  # type: ignore[call-overload]
