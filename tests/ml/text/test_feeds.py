"""Feeds and pages as they are found, and such as mean harm."""

import pytest

from ml.text.feeds import Item, NotReadable, items_of, plain

RSS = b"""<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>News</title><item><title>Tea &amp; more</title><link>https://news.example/1</link>
<description><![CDATA[<p>Warm <b>tea</b><script>alert(1)</script>.</p>]]></description></item>
<item><title>Cups</title><link>javascript:alert(1)</link></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><title type="html">绿茶</title>
<link href="https://news.example/2"/><summary>新闻</summary></entry></feed>""".encode()


def test_rss_and_atom_are_read_as_plain_text() -> None:
    assert items_of(RSS) == [Item("Tea & more", "Warm tea.", "https://news.example/1"), Item("Cups", "", "")]
    assert items_of(ATOM) == [Item("绿茶", "新闻", "https://news.example/2")]


def test_a_page_is_its_words() -> None:
    page = (
        b"<html><head><title>Tea</title><style>p{}</style></head><body><nav>Menu</nav><p>Hot&nbsp;tea</p></body></html>"
    )
    [item] = items_of(page, "text/html; charset=utf-8")
    assert (item.title, item.summary) == ("Tea", "Hot tea")
    assert items_of("茶".encode("gbk"), "text/plain; charset=gbk")[0].summary == "茶"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><item><title>&a;</title></item></rss>', ""),
        (b"<rss><channel></channel></rss>", ""),
        (b"<html><body><script>1</script></body></html>", "text/html"),
        (b"\x89PNG", "image/png"),
        (b"%PDF", "application/pdf"),
    ],
)
def test_what_says_nothing_or_means_harm_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(NotReadable):
        items_of(body, kind)


def test_nothing_of_html_is_left() -> None:
    assert "<" not in plain("<img src=x onerror=alert(1)><p>a</p><svg><script>1</script></svg>b")
