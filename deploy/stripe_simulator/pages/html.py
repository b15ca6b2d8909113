"""HTML from Python: what comes in as text is escaped, what is HTML already says so by its type."""

from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 64rem; padding: 0 1rem 3rem; }
.label { background: #7a3e00; color: #fff; margin: 0 -1rem 1.5rem; padding: .5rem 1rem; font-weight: 600; }
form { display: grid; gap: .75rem; max-width: 28rem; margin: 1rem 0; }
form.inline { display: flex; flex-wrap: wrap; align-items: end; max-width: none; }
label { display: grid; gap: .25rem; }
label.tick { display: flex; gap: .5rem; align-items: center; }
input, select, button { font: inherit; padding: .45rem .6rem; }
button { cursor: pointer; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
[role=alert] { border-left: .3rem solid #b00; padding: .3rem .8rem; }
.scroll { overflow-x: auto; }
a { overflow-wrap: anywhere; }
"""


class Html(str):
    """Text that is HTML."""

    __slots__ = ()

    def __add__(self, other: str) -> "Html":
        return Html(str(self) + str(text(other)))


def text(value: Any) -> Html:
    """Any value as HTML; lists are joined."""
    if isinstance(value, Html):
        return value
    if isinstance(value, (list, tuple)):
        return Html("".join(text(item) for item in value))
    return Html(escape("" if value is None else str(value)))


def h(tag: str, *content: Any, **attributes: Any) -> Html:
    """An element; `class_` and `for_` stand for the words that Python keeps, True for an attribute without a value."""
    shown = ""
    for name, value in attributes.items():
        name = name.rstrip("_").replace("_", "-")
        if value is True:
            shown += f" {name}"
        elif value is not None and value is not False:
            shown += f' {name}="{escape(str(value))}"'
    if tag in {"input", "br", "meta"}:
        return Html(f"<{tag}{shown}>")
    return Html(f"<{tag}{shown}>{text(content)}</{tag}>")


def field(label: str, name: str, value: str = "", **attributes: Any) -> Html:
    """A labelled line to type in."""
    return h("label", label, h("input", name=name, value=value, **attributes))


def choice(label: str, name: str, options: list[tuple[str, str]], chosen: str = "") -> Html:
    """A labelled list to choose from."""
    shown = [h("option", words, value=value, selected=value == chosen) for value, words in options]
    return h("label", label, h("select", shown, name=name))


def button(words: str, name: str | None = None, value: str | None = None) -> Html:
    """A button that sends its form."""
    return h("button", words, type="submit", name=name, value=value)


def table(heads: list[str], rows: list[list[Any]]) -> Html:
    """A table that scrolls by itself on a narrow screen."""
    head = h("tr", [h("th", word, scope="col") for word in heads])
    body = [h("tr", [h("td", cell) for cell in row]) for row in rows]
    return h("div", h("table", h("thead", head), h("tbody", body)), class_="scroll")


def money(amount: int | None, currency: str) -> str:
    """An amount of minor units for people."""
    if amount is None:
        return ""
    if currency.lower() in {"jpy", "krw", "vnd", "clp"}:
        return f"{amount} {currency.upper()}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02} {currency.upper()}"


def document(title: str, content: Any) -> str:
    """A whole page, labelled."""
    head = [
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", f"{title} · Stripe simulator"),
        h("style", Html(STYLE)),
    ]
    label = h("p", "Stripe simulator — no real money", class_="label")
    body = h("body", label, h("main", h("h1", title), content))
    return f"<!doctype html>{h('html', h('head', head), body, lang='en')}"
