"""Files become text, or are refused with a word that says why."""

import pytest

from apps.core.errors import InvalidRequest, PayloadTooLarge
from apps.studio.services.conversations.attachments import MOST_BYTES, AttachmentRefused, File, read, read_all


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.txt", b"\xef\xbb\xbfTea\r\nCoffee\r", "Tea\nCoffee"),
        ("a.md", "# 茶".encode(), "# 茶"),
        ("a.txt", "茶和咖啡".encode("gb18030"), "茶和咖啡"),
        ("a.txt", "茶".encode("utf-16"), "茶"),
        ("C:\\files\\a.CSV", b'a,"b,c"\n1,2', 'a,"b,c"\n1,2'),
        (
            "a.html",
            b"<head><title>T</title><style>x{}</style></head><body><h1>Tea</h1><p>is <b>hot</b></p>"
            b"<script>alert(1)</script><table><tr><td>1<td>2</table>",
            "# Tea\n\nis hot\n\n1 | 2",
        ),
        ("a.htm", b"<body><p>Unclosed", "Unclosed"),
    ],
)
def test_texts_are_read(name: str, data: bytes, text: str) -> None:
    reading = read(File(name, data))
    assert (reading.text, reading.size) == (text, len(data))


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n", "is a picture"),
        ("photo.txt", b"\xff\xd8\xff\xe0", "is a picture"),
        ("photo.webp", b"x", "is a picture"),
        ("x.md", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "is a picture"),
        ("a.exe", b"MZ", "kind that cannot be attached"),
        ("a.txt", b"a\x00b", "is not a text file"),
        ("a.txt", b"\x01\x02", "is not a text file"),
        ("a.txt", b" \n ", "holds no text"),
        ("a.pdf", b"no pdf", "cannot be read: wrong type"),
        ("a.docx", b"PK\x03\x04broken", "cannot be read"),
        ("..", b"a", "kind"),
        ("a\x07.txt", b"a", "visible characters"),
    ],
)
def test_everything_else_is_refused_with_its_reason(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(AttachmentRefused, match=reason):
        read(File(name, data))


def test_files_are_bounded_in_size_and_number() -> None:
    with pytest.raises(PayloadTooLarge):
        read(File("a.txt", b"a" * (MOST_BYTES + 1)))
    with pytest.raises(PayloadTooLarge):
        read(File("a.txt", b"a" * 200_001))
    with pytest.raises(InvalidRequest):
        read_all((File("a.txt", b"a"),) * 6)
