"""A document as one HTML file that needs no other."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.6;
  font-family: system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
table { border-collapse: collapse; } th, td { border: 1px solid; padding: .25rem .6rem; text-align: left; }
pre { padding: .8rem; overflow-x: auto; border: 1px solid; } blockquote { margin-inline: 0; padding-left: 1rem;
  border-left: 3px solid; }
@media print { body { margin: 0; } }
"""


def page(title: str, body: str, language: str) -> bytes:
    """`body` is HTML that has been through the sanitiser; the file forbids scripts and pictures once more."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="content-security-policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}</body>\n</html>\n"
    ).encode()
