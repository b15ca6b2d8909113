"""The live demo of the landing page: a stranger's few words become a text, through the same service as a customer's.

It runs in one organization that the operator names, whose plan bounds what it may cost altogether; besides, a visitor
gives no prompt of their own but the fields of a short brief, gets a bounded number of tokens, and waits their turn: by
address, and all visitors together. Without Redis nobody could be counted, and so nothing is written. Whoever holds the
signed name of a text may follow it for some minutes, and nothing else of that organization.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from django import forms
from django.conf import settings
from django.core import signing
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import Organization
from apps.core import ratelimit, switches
from apps.core.errors import NotFound, ServiceUnavailable
from apps.core.ratelimit import Bucket
from apps.core.tenancy import Across, across_tenants
from apps.studio import throttle
from apps.studio.models import Generation
from apps.studio.requests import GenerationSpec
from apps.studio.texts import CONTENT_TYPES
from ml.text.brief import Brief, render_brief
from ml.types import Message

MAX_TOKENS = 160
MOST_CHARS = 60
SECONDS_TO_WRITE = 60
SECONDS_TO_FOLLOW = 900
TEXTS_A_MINUTE_FROM_ONE_ADDRESS = 3
SALT = "studio.visitors"
OFFERED = ("product_description", "email", "ad_headline")


class VisitorForm(forms.Form):
    """What a visitor may say: which kind of text, about what, for whom."""

    content_type = forms.ChoiceField(
        label=_("Content type"),
        choices=[(name, CONTENT_TYPES[name]) for name in OFFERED],
        initial=OFFERED[0],
        widget=forms.RadioSelect,
    )
    product = forms.CharField(label=_("Product"), max_length=MOST_CHARS)
    audience = forms.CharField(label=_("Audience"), max_length=MOST_CHARS, required=False)

    def spec(self) -> GenerationSpec:
        data = self.cleaned_data
        brief = Brief(content_type=data["content_type"], product=data["product"], audience=data["audience"])
        return GenerationSpec(
            messages=(Message("user", render_brief(brief)),),
            max_tokens=MAX_TOKENS,
            brief=brief,
            deadline_seconds=SECONDS_TO_WRITE,
        )


def is_open() -> bool:
    """Whether strangers may try it here; asks the database nothing where no organization is named."""
    return bool(settings.LIVE_DEMO_ORGANIZATION) and switches.is_on("live_demo")


def visitor() -> Actor:
    """Whoever writes on the landing page, acting in the demo's organization; NotFound where there is no demo."""
    found = None
    if is_open():
        with across_tenants(Across.OPERATE):
            found = Organization.objects.filter(slug=settings.LIVE_DEMO_ORGANIZATION, deletes_at=None).first()
    if found is None:
        raise NotFound("There is no live demo here.")
    permissions = frozenset({"generations:read", "generations:write"})
    return Actor(found.pk, permissions, name="visitor", kind=ActorKind.SYSTEM)


def request_text(address: str, spec: GenerationSpec) -> Generation:
    """A text for a visitor; RateLimitExceeded before their turn, ServiceUnavailable where turns are not known."""
    actor = visitor()
    # Addresses are not kept; a hash is enough to tell one from another for a minute.
    name = hashlib.sha256(f"{settings.SECRET_KEY}:{address}".encode()).hexdigest()[:32]
    for owner, limit in (
        (f"visitor:{name}", TEXTS_A_MINUTE_FROM_ONE_ADDRESS),
        ("visitors", settings.LIVE_DEMO_PER_MINUTE),
    ):
        if not ratelimit.charge(owner, [Bucket("requests", limit, 1)]):
            raise ServiceUnavailable("The live demo rests for a moment.", retry_after=10)
    return throttle.request_generation(actor, spec)


def token_for(generation: Generation) -> str:
    return signing.dumps(str(generation.pk), salt=SALT)


def id_of(token: str) -> UUID:
    """The text that a signed name means; NotFound for a forged one, and for one that is too old."""
    try:
        return UUID(signing.loads(token, salt=SALT, max_age=SECONDS_TO_FOLLOW))
    except (signing.BadSignature, ValueError):
        raise NotFound("There is no such text.") from None
