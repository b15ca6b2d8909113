"""What the pages of conversations and runs need: a model's Markdown as harmless HTML, and why an answer ended."""

from __future__ import annotations

import re
from typing import Any

from django import template
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import markdown
from apps.studio import texts
from apps.studio.models import Generation

register = template.Library()
# What is no running text: code with all that is in it, and tags.
_NO_TEXT = re.compile(r"(<pre>.*?</pre>|<code>.*?</code>|<[^>]*>)", re.S)
_CITATION = re.compile(r"\[([0-9]{1,2})\]")


@register.filter
def model_markdown(text: str) -> SafeString:
    """What a model wrote: no link to follow, no picture, nothing but text and its layout."""
    return markdown.render_foreign(text)


@register.filter
def cited(html: SafeString, passages: list[dict[str, Any]]) -> SafeString:
    """The same HTML, in which [1] leads to the passage that the model was given under this number."""
    links = {
        str(source["number"]): format_html(
            '<a href="{}" title="{}">[{}]</a>',
            reverse("knowledge-passage", args=[source["passage"]]),
            source["title"],
            source["number"],
        )
        for source in passages
    }
    pieces = _NO_TEXT.split(html)
    # Every second piece is what the expression found.
    pieces[::2] = [_CITATION.sub(lambda found: links.get(found[1], found[0]), piece) for piece in pieces[::2]]
    return SafeString("".join(pieces))


@register.filter
def ending(generation: Generation) -> Promise | str:
    """Why the text ends where it does, where that needs saying."""
    if generation.error_code:
        return texts.error_text(generation.error_code, generation.error_message)
    return texts.reason_of(generation.finish_reason, generation.completion_tokens)
