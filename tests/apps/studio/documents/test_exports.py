"""Exports keep headings, lists, tables, links, code, quotes and Chinese, in every format."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import docx
import pypdfium2
import pytest
from docx.oxml.ns import qn
from pypdf import PdfReader

from apps.core.errors import NotFound, ServiceUnavailable
from apps.studio.exports import child
from apps.studio.services import documents
from tests.helpers.people import Tenant, audit_of

TEXT = """# Mühle

The **mill** by the *river*, see [the map](https://example.com/map). 磨坊在河边，水轮转动。

## 列表

1. First
2. Second
   - nested
     1. deep
3. Third

> Quoted, 引用。

```python
def wheel():
    return 2
```

| Name | 数量 |
| :--- | ---: |
| Flour 面粉 | 3 |

7. Seventh
"""


@pytest.fixture
def file(org_a: Tenant) -> Any:
    document = documents.create(org_a.actor, "Mill/磨坊: report", TEXT)
    return lambda format: documents.exported(org_a.actor, document.pk, format)


def test_markdown_is_the_text_itself_and_names_are_safe(org_a: Tenant, file: Any) -> None:
    made = file("md")
    assert made.body.decode() == TEXT
    assert made.name == "Mill-磨坊- report.md"
    assert len(audit_of(org_a, "document.exported")) == 1
    with pytest.raises(NotFound):
        file("exe")


def test_html_holds_everything_and_runs_nothing(org_a: Tenant) -> None:
    hostile = TEXT + "\n<script>alert(1)</script>\n\n[x](javascript:alert(1)) ![y](https://evil.example/y.png)\n"
    document = documents.create(org_a.actor, "<script>", hostile)
    html = documents.exported(org_a.actor, document.pk, "html").body.decode()
    for part in ("<table>", "<ol>", "<blockquote>", "<pre>", "https://example.com/map", "磨坊在河边，水轮转动。"):
        assert part in html, part
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert "default-src 'none'" in html


def test_plain_text_reads_like_a_mail(file: Any) -> None:
    text = file("txt").body.decode()
    for line in ("1. First", "   - nested", "     1. deep", "7. Seventh", "> Quoted, 引用。", "        return 2"):
        assert line in text.splitlines(), line
    assert "see the map (https://example.com/map)." in text
    assert "**" not in text


def test_word_gets_real_headings_lists_tables_and_links(file: Any) -> None:
    found = docx.Document(BytesIO(file("docx").body))
    styles = {paragraph.text: paragraph.style.name for paragraph in found.paragraphs}
    assert (styles["Mühle"], styles["列表"]) == ("Heading 1", "Heading 2")
    assert styles["Quoted, 引用。"] == "Quote"
    assert styles["def wheel():\n    return 2"] == "Code Block"
    levels = {p.text: p._p.pPr.numPr for p in found.paragraphs if p._p.pPr is not None and p._p.pPr.numPr is not None}
    assert {text: numbering.ilvl.val for text, numbering in levels.items()} == {
        "First": 0, "Second": 0, "nested": 1, "deep": 2, "Third": 0, "Seventh": 0,
    }  # fmt: skip
    assert levels["First"].numId.val == levels["Third"].numId.val != levels["Seventh"].numId.val
    starts = found.part.numbering_part.element.findall(f".//{qn('w:startOverride')}")
    assert [start.get(qn("w:val")) for start in starts] == ["1", "1", "7"]
    [table] = found.tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [["Name", "数量"], ["Flour 面粉", "3"]]
    links = [link for p in found.paragraphs for link in p.hyperlinks]
    assert [(link.text, link.address) for link in links] == [("the map", "https://example.com/map")]
    assert "磨坊在河边，水轮转动。" in "".join(p.text for p in found.paragraphs)


def test_a_pdf_has_its_font_its_links_and_its_words(file: Any) -> None:
    body = file("pdf").body
    reader = PdfReader(BytesIO(body))
    fonts = [font["/DescendantFonts"][0]["/FontDescriptor"] for font in reader.pages[0]["/Resources"]["/Font"].values()]
    assert all(any(name in font for name in ("/FontFile2", "/FontFile3")) for font in fonts), "embedded"
    targets = [note.get_object()["/A"]["/URI"] for note in reader.pages[0]["/Annots"]]
    assert targets == ["https://example.com/map"]
    assert [entry.title for entry in _flat(reader.outline)][:2] == ["Mill/磨坊: report", "Mühle"]
    text = pypdfium2.PdfDocument(body)[0].get_textpage().get_text_range()
    for words in (
        "磨坊在河边，水轮转动。",
        "列表",
        "2. Second",
        "• nested",
        "1. deep",
        "7. Seventh",
        "Flour 面粉",
        "return 2",
    ):
        assert words in text, words


def _flat(outline: Any) -> list[Any]:
    return [each for part in outline for each in (_flat(part) if isinstance(part, list) else [part])]


def test_a_pdf_shows_ink_where_its_chinese_stands(org_a: Tenant) -> None:
    """Words that can be extracted may still be drawn as empty boxes: an ideograph of many strokes has more ink."""

    def ink(text: str) -> int:
        body = child.made("pdf", "T", text, "zh-hans")
        image = pypdfium2.PdfDocument(body)[0].render(scale=2).to_pil().convert("L")
        return sum(value < 128 for value in image.crop((0, 150, image.width, 300)).getdata())

    few, many = ink("一" * 20), ink("龘" * 20)
    assert few > 100
    assert many > 3 * few


def test_a_long_document_runs_over_pages_with_all_its_rows(org_a: Tenant) -> None:
    rows = "".join(f"| {number} | 面粉 {number} |\n" for number in range(150))
    body = child.made("pdf", "Long", f"| A | B |\n| --- | --- |\n{rows}", "en")
    pages = pypdfium2.PdfDocument(body)
    text = "".join(pages[number].get_textpage().get_text_range() for number in range(len(pages)))
    assert len(pages) > 2
    assert all(f"面粉 {number}" in text for number in range(150))


def test_an_export_that_takes_too_long_is_ended_and_says_so(
    org_a: Tenant, file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "SECONDS", 0.01)
    with pytest.raises(ServiceUnavailable):
        file("pdf")
