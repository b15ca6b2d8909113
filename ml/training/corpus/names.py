"""Invented product names, drawn from a space so large that a model has to copy them from the brief."""

import random
import zlib

from ml.training.corpus import catalogue

_PARTS = catalogue.words("names")
_FIRST = _PARTS["first"]
_SECOND = _PARTS["second"]
_ADJECTIVES = _PARTS["adjectives"]
_NOUNS = _PARTS["nouns"]
_ONSETS = _PARTS["onsets"]
_VOWELS = _PARTS["vowels"]
_SUFFIXES = _PARTS["suffixes"]
_CODAS = ("", "", "", "", "n", "r", "l", "s", "t", "m", "x", "k", "nd", "rn", "lt", "sk", "th", "v", "z")
_ACCENTED = {"e": "é", "o": "ö", "a": "å", "u": "ü", "i": "ï"}
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def is_held_out(name: str) -> bool:
    """Tell whether a name is kept for evaluation; about one in twenty is."""
    return zlib.crc32(name.casefold().encode()) % 20 == 0


def product_name(rng: random.Random, noun: str, plural: bool) -> str:
    """Invent a name for a product whose category is `noun`; a plural category's name always ends in its noun."""
    name = _brand(rng)
    if plural or rng.random() < 0.45:
        return f"{name} {_title(noun) if rng.random() < 0.6 else _title(noun.split()[-1])}"
    if rng.random() < 0.22:
        name = f"{name} {_model(rng)}"
    return name


def _brand(rng: random.Random) -> str:
    shape = rng.random()
    if shape < 0.26:
        return rng.choice(_FIRST) + rng.choice(_SECOND)
    if shape < 0.54:
        return _invented(rng)
    if shape < 0.68:
        return f"{rng.choice(_ADJECTIVES + _FIRST)} {rng.choice(_NOUNS)}"
    if shape < 0.76:
        return f"{_one_word(rng)} {rng.choice(['&', '&', 'and', '+'])} {_one_word(rng)}"
    if shape < 0.83:
        return f"The {rng.choice(_ADJECTIVES + _FIRST)} {rng.choice(_NOUNS)}"
    if shape < 0.88:
        return rng.choice(_FIRST) + rng.choice(_NOUNS)
    if shape < 0.92:
        return f"{_one_word(rng)}-{_one_word(rng)}"
    if shape < 0.95:
        return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(2, 4)))
    if shape < 0.97:
        return f"{rng.choice(_NOUNS)} No. {rng.randint(1, 99)}"
    return _invented(rng).lower()


def _one_word(rng: random.Random) -> str:
    invented, first, noun = _invented(rng), rng.choice(_FIRST), rng.choice(_NOUNS)
    return rng.choice((invented, first, noun, rng.choice(_FIRST) + rng.choice(_SECOND)))


def _invented(rng: random.Random) -> str:
    syllables = rng.choices((1, 2, 3, 4), weights=(8, 50, 34, 8))[0]
    word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))
    if rng.random() < 0.15:
        word = word[1:] if len(word) > 4 else word
    if rng.random() < 0.06:
        letter = rng.choice(word)
        word = word.replace(letter, _ACCENTED.get(letter, letter), 1)
    return word[:1].upper() + word[1:12]


def _model(rng: random.Random) -> str:
    shape = rng.random()
    if shape < 0.35:
        return str(rng.choice((rng.randint(1, 99), rng.randint(1, 20) * 100, rng.randint(2, 9))))
    if shape < 0.5:
        return rng.choice(_LETTERS) + str(rng.randint(1, 99))
    return rng.choice(_SUFFIXES)


def _title(noun: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in noun.split())
