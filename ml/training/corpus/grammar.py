"""English inflection and the small template language that the corpus is written in.

A template picks one of "[a|b]" (brackets nest) and fills "{slots}".
"""

import random
import re
from collections.abc import Mapping

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([^{}]+)\}")
_DOUBLING = frozenset(
    "cut get set let fit stop run sit grip shut trim drop slip wrap tap top sip hug skip plan win put shrug hum".split()
)
_IRREGULAR_BASE = {"has": "have", "does": "do", "goes": "go", "is": "be", "are": "be"}
_IRREGULAR_THIRD = {"have": "has", "do": "does", "go": "goes", "be": "is"}
_AN_EXCEPTIONS = ("uni", "use", "one", "eu", "once")
_WRONG_ARTICLE = re.compile(r"\b([Aa])n? (?=([A-Za-z]+))")


def choose(template: str, rng: random.Random) -> str:
    """Resolve every "[a|b]" of a template, innermost first."""
    while "[" in template:
        template = _ALTERNATIVES.sub(lambda match: rng.choice(match.group(1).split("|")), template)
    return template


def fill(template: str, slots: Mapping[str, str]) -> str:
    """Replace every "{name}" by its value; an unknown slot raises KeyError."""
    return _SLOT.sub(lambda match: slots[match.group(1)], template)


def slot_names(template: str) -> list[str]:
    """Return the names of a template's slots in order."""
    return _SLOT.findall(template)


def upper_first(text: str) -> str:
    """Capitalise the first letter and leave the rest alone."""
    return text[:1].upper() + text[1:]


def base_verb(third: str) -> str:
    """Turn a third-person verb into its base: "carries" becomes "carry"."""
    if third in _IRREGULAR_BASE:
        return _IRREGULAR_BASE[third]
    if third.endswith("ies"):
        return third[:-3] + "y" if len(third) > 4 else third[:-1]
    if re.search(r"(sh|ch|ss|x|zz)es$", third):
        return third[:-2]
    return third[:-1] if third.endswith("s") and not third.endswith("ss") else third


def third_person(base: str) -> str:
    """Turn a base verb into its third person: "carry" becomes "carries"."""
    if base in _IRREGULAR_THIRD:
        return _IRREGULAR_THIRD[base]
    if re.search(r"[^aeiou]y$", base):
        return base[:-1] + "ies"
    return base + ("es" if re.search(r"(sh|ch|ss|x|zz|o)$", base) else "s")


def gerund(base: str) -> str:
    """Turn a base verb into its -ing form."""
    if base in _DOUBLING:
        return base + base[-1] + "ing"
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if base.endswith("e") and not base.endswith(("ee", "oe")) and base != "be":
        return base[:-1] + "ing"
    return base + "ing"


def conjugate(base: str, plural: bool) -> str:
    """Make a base verb agree with its subject."""
    if plural:
        return "are" if base == "be" else base
    return third_person(base)


def fix_articles(text: str) -> str:
    """Choose between "a" and "an" by the word that follows."""

    def article(match: re.Match[str]) -> str:
        word = match.group(2).lower()
        vowel = word[0] in "aeiou" and not word.startswith(_AN_EXCEPTIONS)
        return f"{match.group(1)}n " if vowel or word.startswith(("hour", "honest")) else f"{match.group(1)} "

    return _WRONG_ARTICLE.sub(article, text)


def capitalise_sentences(text: str) -> str:
    """Capitalise the first letter of each sentence and each line."""
    text = re.sub(r"(^|[.!?]\s+|\n\s*(?:- )?)([a-z])", lambda m: m.group(1) + m.group(2).upper(), text)
    return re.sub(r"\s+([,.!?;:])(?=\s|$)", r"\1", text)
