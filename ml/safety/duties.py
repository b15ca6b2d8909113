"""What a bank may not keep as it was written: cards with their security codes, accounts, national ids.

Masked before anything else is done with a text. The originals come back apart, for whoever seals them or throws them
away.
"""

from __future__ import annotations

from ml.safety.checks import Policy, check
from ml.safety.masking import Masked, Originals, mask

BANKING = frozenset({"card", "iban", "national_id"})
_POLICY = Policy(personal=BANKING, personal_prompt="mask")


def masked(text: str, originals: Originals) -> Masked:
    """The text with placeholders such as `[CARD_1]`, the same for the same datum as long as `originals` lives.

    A placeholder that somebody has typed stands for nothing. Masking a masked text changes nothing.
    """
    originals.reserve(text)
    return mask(text, check(_POLICY, text, "prompt"), originals)
