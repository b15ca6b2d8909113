"""What a brand's own texts suggest as rules of its voice."""

from __future__ import annotations

from typing import Any

from ml.text.voice import Features
from ml.text.voicing import STEPS

# From how many words on a sample says what a brand never does.
ENOUGH_WORDS = 80


def suggested(features: Features) -> dict[str, Any]:
    """What the measured texts suggest as rules, as fields of a `Voice`; little text suggests little.

    A limit of sentences leaves a quarter of room above the usual longest; “never” is said only of what does not occur.
    """
    if not features.sentences:
        return {}
    found: dict[str, Any] = {"language": features.language, "tone": {"formality": _formality_step(features.formality)}}
    if features.words < ENOUGH_WORDS:
        return found
    found["longest_sentence"] = max(10, features.longest_usual_sentence * 5 // 4)
    for name, amount in (("emoji", features.emoji), ("exclamations", features.punctuation.get("exclamation", 0.0))):
        found[name] = "never" if not amount else "sparingly" if amount <= 1 else ""
    if features.contractions == 0:
        found["contractions"] = "never"
    speaks = {who: share for who, share in features.person.items() if who in {"i", "we"} and share >= 0.15}
    if speaks:
        found["person"] = max(speaks, key=lambda who: speaks[who])
    return found


def _formality_step(formality: float) -> int:
    return min(STEPS, 1 + int(formality // (100 / STEPS)))
