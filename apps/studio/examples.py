"""Briefs to start from, offered where the studio is still empty."""

from __future__ import annotations

from ml.text.brief import ContentType, Tone


def _example(content_type: ContentType, product: str, audience: str, tone: Tone, *points: str) -> dict[str, str]:
    return {
        "kind": "brief",
        "content_type": content_type,
        "product": product,
        "audience": audience,
        "tone": tone,
        "key_points": "\n".join(points),
    }


EXAMPLES: dict[str, dict[str, str]] = {
    "product": _example(
        "product_description", "Harbor Pour-over Kettle", "remote workers", "warm",
        "a gooseneck spout", "reaches the right heat quickly", "ten-year guarantee",
    ),
    "email": _example(
        "email", "Fieldnote Weekly Planner", "busy parents", "friendly",
        "shows the week at a glance", "recycled paper", "free delivery",
    ),
    "headline": _example("ad_headline", "Northlight Desk Lamp", "students", "bold", "five light colours"),
}  # fmt: skip
