"""A brief: what a person wants written, and the user message that says so to a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

ContentType = Literal["product_description", "email", "social_post", "ad_headline", "blog_opening"]
Tone = Literal["friendly", "professional", "playful", "luxurious", "bold", "warm", "informative", "minimalist"]

CONTENT_TYPES: tuple[ContentType, ...] = get_args(ContentType)
TONES: tuple[Tone, ...] = get_args(Tone)

CONTENT_TYPE_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "product_description": "product description",
        "email": "marketing email",
        "social_post": "social media post",
        "ad_headline": "ad headline",
        "blog_opening": "blog opening",
    }
)
"""How each content type is called in a prompt, without its article."""

MAX_PRODUCT_CHARS = 120
MAX_AUDIENCE_CHARS = 160
MAX_KEY_POINTS = 8
MAX_KEY_POINT_CHARS = 160


class BriefError(ValueError):
    """A brief that cannot be written to; `field` names the offending field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Brief:
    """What to write, for which product, for whom, how, and with which points.

    Text fields are stripped and their inner whitespace is collapsed, so that a line break can never forge another
    field of the rendered prompt. Raises BriefError when a field is missing, too long or not one of the known names.
    """

    content_type: ContentType
    product: str
    audience: str = ""
    tone: Tone | Literal[""] = ""
    key_points: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.content_type not in CONTENT_TYPES:
            raise BriefError("content_type", f"must be one of {', '.join(CONTENT_TYPES)}")
        if self.tone and self.tone not in TONES:
            raise BriefError("tone", f"must be empty or one of {', '.join(TONES)}")
        product = _clean("product", self.product, MAX_PRODUCT_CHARS)
        if not product:
            raise BriefError("product", "must not be empty")
        if isinstance(self.key_points, str):
            raise BriefError("key_points", "must be a list of texts")
        points = tuple(_clean("key_points", point, MAX_KEY_POINT_CHARS) for point in self.key_points)
        points = tuple(point for point in points if point)
        if len(points) > MAX_KEY_POINTS:
            raise BriefError("key_points", f"must be at most {MAX_KEY_POINTS}")
        object.__setattr__(self, "product", product)
        object.__setattr__(self, "audience", _clean("audience", self.audience, MAX_AUDIENCE_CHARS))
        object.__setattr__(self, "key_points", points)


def _clean(field: str, text: object, limit: int) -> str:
    if not isinstance(text, str):
        raise BriefError(field, "must be text")
    collapsed = " ".join(text.split())
    if len(collapsed) > limit:
        raise BriefError(field, f"must be at most {limit} characters")
    return collapsed


def render_brief(brief: Brief) -> str:
    """Write the brief as a user message that any instruction-tuned model understands.

    The house model is trained on this exact form: change it only together with the model.
    """
    label = CONTENT_TYPE_LABELS[brief.content_type]
    article = "an" if label[0] in "aeiou" else "a"
    lines = [f"Write {article} {label} for {brief.product}."]
    if brief.audience:
        lines.append(f"Audience: {brief.audience}")
    if brief.tone:
        lines.append(f"Tone: {brief.tone}")
    if brief.key_points:
        lines.append("Key points:")
        lines.extend(f"- {point}" for point in brief.key_points)
    return "\n".join(lines)
