"""Measuring how a text is written: what can be counted of a brand's voice, in English and in Chinese.

Pure counting, without a model: the same text always gives the same numbers. English words are runs of letters; of
Chinese, which does not part words, characters are counted instead and terms are runs of them that return. Shares are
per sentence or per word as said at each; nothing is rounded here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_MEASURED_CHARS = 200_000
FREQUENT_TERMS = 12

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")
# A sentence ends at its mark with what closes after it, or at a line's end; "e.g." and decimals do not end one.
_SENTENCE = re.compile(
    r"[^.!?。！？…\n]*(?:(?:\.(?=\w)|(?<=\b[A-Za-z])\.(?=\s?[a-z]))[^.!?。！？…\n]*)*[.!?。！？…]*[\"'”’）)]*"
)
EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff\u2600-\u26ff\u2702-\u27b0\u2b50\u2b55\u2728]\ufe0f?(?:\u200d[\U0001f300-\U0001faff\u2640\u2642]\ufe0f?)*"
)
CONTRACTION = re.compile(
    r"\b(?:[A-Za-z]+n['’]t|(?:I|you|he|she|it|we|they|that|there|what|who|how|where|here|let)['’](?:s|re|ve|ll|d|m))\b",
    re.IGNORECASE,
)
_PARTICIPLES = (
    "been|born|bought|brought|built|caught|chosen|done|drawn|driven|eaten|fallen|felt|found|forgotten|given|grown|heard"
    "|held|hidden|kept|known|laid|led|left|lost|made|meant|met|paid|put|read|said|seen|sent|set|shown|shut|sold|spent"
    "|spoken|stolen|taken|taught|told|thought|thrown|understood|won|worn|written"
)
PASSIVE = re.compile(
    rf"\b(?:am|is|are|was|were|be|been|being|gets?|got)\s+(?:\w+ly\s+|not\s+)?(?:\w{{2,}}ed|{_PARTICIPLES})\b",
    re.IGNORECASE,
)
_PASSIVE_ZH = re.compile(r"被|遭到|受到|为[^，。！？]{1,12}所")
PRONOUNS = {
    "i": re.compile(r"\b(?:I|me|my|mine|myself)\b|\b(?:I)['’](?:m|ve|ll|d)\b"),
    "we": re.compile(r"\b(?:we|us|our|ours|ourselves)\b", re.IGNORECASE),
    "you": re.compile(r"\b(?:you|your|yours|yourself|yourselves)\b", re.IGNORECASE),
}
PRONOUNS_ZH = {
    "i": re.compile(r"(?<!自)我(?!们)|本人"),
    "we": re.compile(r"我们|咱们?|本公司|我司"),
    "you": re.compile(r"您|你们?|大家"),
}
_FORMAL = re.compile(
    r"\b(?:therefore|furthermore|moreover|however|consequently|accordingly|regarding|pursuant|hereby|shall|thus|hence"
    r"|whereas|additionally|nevertheless|ensure|provide|require|obtain|utili[sz]e|facilitate|demonstrate)\b",
    re.IGNORECASE,
)
_CASUAL = re.compile(
    r"\b(?:hey|hi|yeah|yep|nope|wow|awesome|cool|super|totally|gonna|wanna|kinda|stuff|guys|folks|ok|okay|btw|lol)\b",
    re.IGNORECASE,
)
_FORMAL_ZH = re.compile(r"您|敬请|特此|贵(?:司|方|公司)|本公司|我司|谨|兹|予以|鉴于|此外|因此|以及|进行|相关")
_CASUAL_ZH = re.compile(r"[吧啊呢哦啦呀哈嘛噢耶]|哈哈|超级|绝绝子|宝子|亲们|真香|安利|种草|冲鸭")
_MARKS = {"comma": "[,，、]", "exclamation": "[!！]", "question": "[?？]", "colon": "[:：;；]", "dash": "[–—]|--"}
_STOP = frozenset(
    "a about after all also am an and any are as at be because been before behind being both but by can could did "
    "do does each every few for from get had has have he her here him his how i if in into is it its just let "
    "like made make many may me more most much my no not now of on one only or other our out over own said say "
    "says she should so some such than that the their them then there these they thing things this those through "
    "to too under until up us very was we were what when where which while who why will with within without would "
    "you your".split()
)
_STOP_ZH = frozenset(
    "的了是在和与及或也都就而并很这那有不我你您他她它们个一为以于上下中到从被把让对将还又但其之吗呢吧啊"
)
_SYLLABLE = re.compile(r"[aeiouy]+")


@dataclass(frozen=True, slots=True)
class Features:
    """What was measured; `None` where a language has no such number.

    `words` are characters in Chinese. `readability` is Flesch's reading ease (1948), English only. `formality` runs
    from 0 (chatty) to 100 (official), see `_formality`. Of `person` each is the share of sentences that say it;
    `passive`, `questions` and `exclamations` are shares of sentences, `emoji` and `contractions` are per 100 words, and
    so are `punctuation`'s.
    """

    language: str = "en"
    characters: int = 0
    words: int = 0
    sentences: int = 0
    sentence_words: float = 0.0
    longest_usual_sentence: int = 0
    readability: float | None = None
    formality: float = 50.0
    person: dict[str, float] = field(default_factory=dict)
    passive: float = 0.0
    questions: float = 0.0
    exclamations: float = 0.0
    emoji: float = 0.0
    contractions: float | None = None
    punctuation: dict[str, float] = field(default_factory=dict)
    terms: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON; numbers with three decimals, which is more than a text of this size tells."""
        return {key: _rounded(value) for key, value in asdict(self).items()}


def language_of(text: str) -> str:
    """`zh` where Chinese characters outweigh English words, else `en`."""
    return "zh" if len(_HAN.findall(text)) > len(_WORD.findall(text)) else "en"


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence begins and ends, without the blanks around it."""
    for found in _SENTENCE.finditer(text):
        words = found.group()
        stripped = words.strip()
        if stripped and (_WORD.search(stripped) or _HAN.search(stripped) or any(map(str.isdigit, stripped))):
            start = found.start() + words.index(stripped)
            yield start, start + len(stripped)


def length_of(sentence: str, language: str) -> int:
    """Words of a sentence: in Chinese its characters and whatever English words and numbers stand among them."""
    if language == "zh":
        return len(_HAN.findall(sentence)) + len(re.findall(r"[A-Za-z0-9]+", sentence))
    return len(re.findall(r"\w+(?:['’-]\w+)*", sentence))


def measure(texts: Sequence[str]) -> Features:
    """The features of these texts taken together; of too much text the beginning."""
    text = "\n".join(texts)[:MAX_MEASURED_CHARS]
    language = language_of(text)
    found = [text[start:end] for start, end in sentences(text)]
    if not found:
        return Features(language=language, characters=len(text))
    lengths = sorted(length_of(sentence, language) for sentence in found)
    words, count = sum(lengths), len(found)
    pronouns = PRONOUNS_ZH if language == "zh" else PRONOUNS
    passive = _PASSIVE_ZH if language == "zh" else PASSIVE
    return Features(
        language=language,
        characters=len(text),
        words=words,
        sentences=count,
        sentence_words=words / count,
        longest_usual_sentence=lengths[min(count - 1, count * 9 // 10)],
        readability=None if language == "zh" else _reading_ease(text, words, count),
        formality=_formality(text, language, count),
        person={who: _share(found, pattern) for who, pattern in pronouns.items()},
        passive=_share(found, passive),
        questions=_share(found, re.compile(_MARKS["question"])),
        exclamations=_share(found, re.compile(_MARKS["exclamation"])),
        emoji=_per_hundred(EMOJI, text, words),
        contractions=None if language == "zh" else _per_hundred(CONTRACTION, text, words),
        punctuation={name: _per_hundred(re.compile(mark), text, words) for name, mark in _MARKS.items()},
        terms=tuple(_terms_zh(text) if language == "zh" else _terms(text)),
    )


def _share(found: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(1 for sentence in found if pattern.search(sentence)) / len(found)


def _per_hundred(pattern: re.Pattern[str], text: str, words: int) -> float:
    return 100 * sum(1 for _ in pattern.finditer(text)) / max(1, words)


def _reading_ease(text: str, words: int, count: int) -> float:
    found = _WORD.findall(text)
    if not found:
        return 0.0
    syllables = sum(_syllables(word) for word in found)
    return 206.835 - 1.015 * words / count - 84.6 * syllables / len(found)


def _syllables(word: str) -> int:
    """Groups of vowels, without a silent e at the end."""
    low = word.lower()
    groups = len(_SYLLABLE.findall(low))
    return max(1, groups - (low.endswith("e") and not low.endswith("le") and groups > 1))


def _formality(text: str, language: str, count: int) -> float:
    """50, moved by how often a sentence has words of official and of chatty writing: up to 50 either way.

    A contraction, an exclamation mark and an emoji each count as chatty.
    """
    if language == "zh":
        formal, casual = len(_FORMAL_ZH.findall(text)), len(_CASUAL_ZH.findall(text))
    else:
        formal = len(_FORMAL.findall(text))
        casual = len(_CASUAL.findall(text)) + len(CONTRACTION.findall(text))
    casual += len(re.findall(_MARKS["exclamation"], text)) + sum(1 for _ in EMOJI.finditer(text))
    return max(0.0, min(100.0, 50 + 50 * (formal - casual) / count))


def _terms(text: str) -> list[str]:
    """Words that return and say something, most frequent first."""
    counts = Counter(word for word in map(str.lower, _WORD.findall(text)) if word not in _STOP and len(word) > 2)
    return [word for word, times in counts.most_common(FREQUENT_TERMS) if times > 1]


def _terms_zh(text: str) -> list[str]:
    """Runs of two to four characters that return; a run that only returns within a longer one is left out."""
    counts: Counter[str] = Counter()
    for run in re.findall(r"[\u4e00-\u9fff]+", text):
        for size in (2, 3, 4):
            for start in range(len(run) - size + 1):
                term = run[start : start + size]
                if not _STOP_ZH & set(term):
                    counts[term] += 1
    frequent = sorted((item for item in counts.items() if item[1] > 1), key=lambda item: (-item[1], -len(item[0])))
    kept: list[tuple[str, int]] = []
    for term, times in frequent[:200]:
        if not any(term in longer and times <= counts[longer] for longer, _ in frequent[:200] if longer != term):
            kept.append((term, times))
    return [term for term, _ in kept[:FREQUENT_TERMS]]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
