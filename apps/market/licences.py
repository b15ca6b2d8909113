"""Licences under which data is offered. A text that was published is never edited here: it gets a new version."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _


class LicenceCode(models.TextChoices):
    CC_BY = "cc-by-4.0", _("Creative Commons Attribution 4.0 (CC BY)")
    CC_BY_NC = "cc-by-nc-4.0", _("Creative Commons Attribution-NonCommercial 4.0 (CC BY-NC)")
    COMMERCIAL = "commercial", _("Commercial: for the buyer's own use")
    OWN = "own", _("The publisher's own text")


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence as a buyer accepts it; `digest` is the SHA-256 of the text in UTF-8."""

    code: str
    version: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


_CC = """This material is licensed under the Creative Commons {name} 4.0 International Public License. Its complete and
binding text is the legal code at {url}.

In short, and without replacing the legal code: you may copy, share and adapt the material{purpose}, as long as you give
appropriate credit to the publisher named in the offer, link to the licence, and say whether you made changes. The
material is provided as it is, without warranties."""

_COMMERCIAL = """1. The publisher grants the buying organization a non-exclusive licence, which it cannot pass on,
without limit in time, to use the material within the organization for any purpose of its business, including training,
evaluating and operating models, and selling services that were built with them.
2. The organization does not pass the material on, sell it or publish it, whole or in parts from which it could be put
together again. Models and figures derived from it are not the material.
3. Contractors may use the material for the organization, under the same terms.
4. The publisher warrants that it may grant this licence. Otherwise the material is provided as it is.
5. The licence ends when the price is refunded, or withdrawn from the publisher by a dispute; the organization then
deletes the material."""


def _unwrapped(text: str) -> str:
    """Paragraphs in one line each: where they are broken here is no part of the licence."""
    return re.sub(r"(?<!\n)\n(?!\n|\d\. )", " ", text)


_STANDARD = {
    LicenceCode.CC_BY: Licence(
        LicenceCode.CC_BY,
        "4.0",
        _unwrapped(
            _CC.format(name="Attribution", url="https://creativecommons.org/licenses/by/4.0/legalcode", purpose="")
        ),
    ),
    LicenceCode.CC_BY_NC: Licence(
        LicenceCode.CC_BY_NC,
        "4.0",
        _unwrapped(
            _CC.format(
                name="Attribution-NonCommercial",
                url="https://creativecommons.org/licenses/by-nc/4.0/legalcode",
                purpose=" for purposes that are not commercial",
            )
        ),
    ),
    LicenceCode.COMMERCIAL: Licence(LicenceCode.COMMERCIAL, "1", _unwrapped(_COMMERCIAL)),
}


def licence_of(code: str, own_text: str, version: int) -> Licence:
    """The licence of one published version of an offer; a publisher's own text is counted like the offer."""
    if code == LicenceCode.OWN:
        return Licence(code, str(version), own_text)
    return _STANDARD[LicenceCode(code)]
