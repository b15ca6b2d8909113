"""A brand's voice: what it demands of a text, told to a model in a system message, and checked on what came back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ml.text.voice import (
    CONTRACTION,
    EMOJI,
    PASSIVE,
    PRONOUNS,
    PRONOUNS_ZH,
    language_of,
    length_of,
    sentences,
)
from ml.words import Words

SLIDERS = ("formality", "warmth", "energy", "complexity", "humour")
MIDDLE, STEPS = 3, 5
PERSONS = ("", "i", "we", "third")
RULES = ("", "never", "sparingly")
LANGUAGES = ("", "en", "zh")
MAX_TERMS, MAX_SAMPLES = 100, 10
LONGEST_TERM, LONGEST_SAMPLE, LONGEST_GUIDANCE = 80, 6_000, 4_000
MAX_CHECKED_CHARS = 400_000
MAX_VIOLATIONS = 200
# What a system message shows of the samples: enough to hear the voice, little enough to leave room for the work.
SHOWN_SAMPLES, SHOWN_SAMPLE_CHARS = 2, 600
_HAN = re.compile(r"[\u3400-\u9fff]")


class VoiceError(ValueError):
    """A voice that makes no sense; `name` is the field, `template` the message with its `%(…)s`."""

    def __init__(self, name: str, template: str, **values: object) -> None:
        super().__init__(f"{name}: {template % values if values else template}")
        self.name, self.template, self.values = name, template, values


@dataclass(frozen=True, slots=True)
class Preference:
    """`say` this rather than `instead_of` that."""

    say: str
    instead_of: str


@dataclass(frozen=True, slots=True)
class Voice:
    """How a brand writes.

    `tone` has a step from 1 to 5 for each of `SLIDERS`; 3 says nothing. `words` describe the tone. `person` is whom the
    text speaks as. `emoji`, `exclamations` and `contractions` are "", "never" or "sparingly" (at most one in a hundred
    words); `passive` is "" or "never". `longest_sentence` is in words (characters in Chinese), 0 for no limit.
    """

    language: str = ""
    tone: Mapping[str, int] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    guidance: str = ""
    vocabulary: tuple[Preference, ...] = ()
    banned: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    person: str = ""
    emoji: str = ""
    exclamations: str = ""
    contractions: str = ""
    passive: str = ""
    longest_sentence: int = 0
    samples: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Voice:
        """Reads what was stored or sent; raises VoiceError."""
        if unknown := sorted(set(data) - set(cls.__dataclass_fields__)):
            raise VoiceError(unknown[0], "A voice has nothing of this name.")
        return cls(
            language=_one_of(data, "language", LANGUAGES),
            tone=_tone(data.get("tone") or {}),
            words=_terms(data, "words", 12),
            guidance=_text("guidance", data.get("guidance") or "", LONGEST_GUIDANCE),
            vocabulary=_vocabulary(data.get("vocabulary") or []),
            banned=_terms(data, "banned", MAX_TERMS),
            required=_terms(data, "required", MAX_TERMS),
            person=_one_of(data, "person", PERSONS),
            emoji=_one_of(data, "emoji", RULES),
            exclamations=_one_of(data, "exclamations", RULES),
            contractions=_one_of(data, "contractions", RULES),
            passive=_one_of(data, "passive", ("", "never")),
            longest_sentence=_number(data, "longest_sentence", 500),
            samples=_samples(data.get("samples") or []),
        )

    def to_dict(self) -> dict[str, Any]:
        data = asdict(self)
        data["tone"] = dict(self.tone)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}


@dataclass(frozen=True, slots=True)
class Violation:
    """A place in a text, in characters, that a rule forbids; what is missing stands at the text's end, empty.

    `message` is English with `%(term)s` and `%(say)s` filled in; `template` and `values` let a page say it in another
    language.
    """

    start: int
    end: int
    rule: str
    message: str
    template: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


# ---------------------------------------------------------------- told to a model

_SCALES: dict[str, dict[str, tuple[str, str, str, str]]] = {
    "en": {
        "formality": ("very casual", "rather casual", "rather formal", "very formal"),
        "warmth": ("matter-of-fact and cool", "rather factual", "rather warm", "very warm and personal"),
        "energy": ("very calm", "rather calm", "rather lively", "full of energy"),
        "complexity": (
            "in the plainest words", "in plain words", "for informed readers", "for experts, with the field's own terms"
        ),
        "humour": ("entirely serious", "mostly serious", "with a light touch of humour", "playful"),
    },
    "zh": {
        "formality": ("非常随意", "偏随意", "偏正式", "非常正式"),
        "warmth": ("冷静客观", "偏客观", "偏亲切", "非常亲切、有人情味"),
        "energy": ("非常沉稳", "偏沉稳", "偏活泼", "充满活力"),
        "complexity": ("用最浅显的词句", "用浅显的词句", "面向有一定了解的读者", "面向专业读者，使用行业术语"),
        "humour": ("完全严肃", "以严肃为主", "略带幽默", "俏皮"),
    },
}  # fmt: skip
_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "head": "Write in the voice of this brand. Where these rules and other instructions disagree, these rules win.",
        "tone": "Tone: {}.",
        "vocabulary": "Say “{}” rather than “{}”.",
        "banned": "Never use these words or phrases: {}.",
        "required": "Use each of these at least once: {}.",
        "i": "Speak as one person: “I”, never “we”.",
        "we": "Speak for the company: “we”, never “I”.",
        "third": "Speak of the company by its name: neither “I” nor “we”.",
        "emoji_never": "No emoji.",
        "emoji_sparingly": "Hardly any emoji: at most one in a hundred words.",
        "exclamations_never": "No exclamation marks.",
        "exclamations_sparingly": "Hardly any exclamation marks: at most one in a hundred words.",
        "contractions_never": "No contractions: “do not”, not “don't”.",
        "contractions_sparingly": "Hardly any contractions.",
        "passive_never": "Write in the active voice.",
        "longest_sentence": "No sentence of more than {} words.",
        "samples": "This is how the brand writes. Take over the manner, and nothing of the content:",
        "list": "; ",
    },
    "zh": {
        "head": "请用该品牌的口吻写作。以下规则与其他要求冲突时，以以下规则为准。",
        "tone": "语气：{}。",
        "vocabulary": "使用“{}”，不用“{}”。",
        "banned": "禁止使用以下词语：{}。",
        "required": "以下词语每个至少出现一次：{}。",
        "i": "以个人身份说话：用“我”，不用“我们”。",
        "we": "代表公司说话：用“我们”，不用“我”。",
        "third": "以公司名称相称，不用“我”和“我们”。",
        "emoji_never": "不使用表情符号。",
        "emoji_sparingly": "少用表情符号：每百字至多一个。",
        "exclamations_never": "不使用感叹号。",
        "exclamations_sparingly": "少用感叹号：每百字至多一个。",
        "contractions_never": "英文不使用缩写形式：写“do not”，不写“don't”。",
        "contractions_sparingly": "英文少用缩写形式。",
        "passive_never": "使用主动语态。",
        "longest_sentence": "每句不超过 {} 个字。",
        "samples": "以下是该品牌的文字。只学习其写法，不要照搬内容：",
        "list": "；",
    },
}


def system_message(voice: Voice) -> str:
    """The voice in words for a model, in the voice's language; empty for a voice that demands nothing."""
    language = voice.language or language_of(" ".join([voice.guidance, *voice.words, *voice.samples]))
    words = _WORDS[language]
    lines = list(_demands(voice, language, words))
    samples = [_beginning(sample) for sample in voice.samples[:SHOWN_SAMPLES]]
    if not lines and not samples:
        return ""
    text = "\n".join([words["head"], *(f"- {line}" for line in lines)])
    if samples:
        text += "\n\n" + "\n\n".join([words["samples"], *(f"“““\n{sample}\n”””" for sample in samples)])
    return text


def _demands(voice: Voice, language: str, words: Mapping[str, str]) -> Iterator[str]:
    said = [_step(language, name, step) for name, step in voice.tone.items() if step != MIDDLE]
    if said or voice.words:
        yield words["tone"].format(words["list"].join([*said, *voice.words]))
    if voice.guidance:
        yield " ".join(voice.guidance.split())
    for preference in voice.vocabulary:
        yield words["vocabulary"].format(preference.say, preference.instead_of)
    for name in ("banned", "required"):
        if terms := getattr(voice, name):
            yield words[name].format(words["list"].join(terms))
    if voice.person:
        yield words[voice.person]
    for name in ("emoji", "exclamations", "contractions", "passive"):
        if rule := getattr(voice, name):
            yield words[f"{name}_{rule}"]
    if voice.longest_sentence:
        yield words["longest_sentence"].format(voice.longest_sentence)


def _step(language: str, name: str, step: int) -> str:
    return _SCALES[language][name][step - 1 if step < MIDDLE else step - 2]


def _beginning(sample: str) -> str:
    """The first sentences of a sample, never half a one unless it is longer than all that is shown."""
    if len(sample) <= SHOWN_SAMPLE_CHARS:
        return sample
    ends = [end for _, end in sentences(sample) if end <= SHOWN_SAMPLE_CHARS]
    return sample[: ends[-1] if ends else SHOWN_SAMPLE_CHARS]


# ---------------------------------------------------------------- checked


def check(voice: Voice, text: str) -> list[Violation]:
    """Where the text breaks the voice's rules, in the order of the text; of very many the first."""
    text = text[:MAX_CHECKED_CHARS]
    found = [*_terms_broken(voice, text), *_marks_broken(voice, text), *_sentences_broken(voice, text)]
    missing = [term for term in voice.required if not _term(term).search(text)]
    end = len(text)
    found += [_violation((end, end), "required", "“%(term)s” is missing.", term=term) for term in missing]
    return sorted(found, key=lambda violation: (violation.start, violation.end, violation.rule))[:MAX_VIOLATIONS]


def limits_broken(limits: Mapping[str, int], text: str) -> list[Violation]:
    """Where a text goes beyond what its place takes: `characters`, `hashtags`, `lines`."""
    found = []
    if (most := limits.get("characters")) and len(text) > most:
        found.append(
            _violation(
                (most, len(text)), "characters", "Only %(most)s characters fit; these are beyond them.", most=most
            )
        )
    if most := limits.get("hashtags"):
        for tag in list(re.finditer(r"[#＃][\w]+", text))[most:]:
            found.append(_violation(tag.span(), "hashtags", "At most %(most)s hashtags.", most=most))
    return found


def _violation(span: tuple[int, int], rule: str, template: str, **values: object) -> Violation:
    start, end = span
    return Violation(start, end, rule, template % values if values else template, template, values)


def _term(term: str) -> re.Pattern[str]:
    """The term wherever it stands as a word of its own; Chinese does not part words, so there it is found anywhere."""
    words = r"\s+".join(map(re.escape, term.split()))
    if _HAN.search(term):
        return re.compile(words, re.IGNORECASE)
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _terms_broken(voice: Voice, text: str) -> Iterator[Violation]:
    for term in voice.banned:
        for found in _term(term).finditer(text):
            yield _violation(found.span(), "banned", "“%(term)s” is a banned term.", term=term)
    for preference in voice.vocabulary:
        for found in _term(preference.instead_of).finditer(text):
            values: dict[str, Any] = {"say": preference.say, "term": preference.instead_of}
            yield _violation(found.span(), "vocabulary", "Say “%(say)s” rather than “%(term)s”.", **values)


def _marks_broken(voice: Voice, text: str) -> Iterator[Violation]:
    rules = (
        ("emoji", voice.emoji, EMOJI, Words("This voice uses no emoji."), Words("Fewer emoji, please.")),
        (
            "exclamations",
            voice.exclamations,
            re.compile("[!！]"),
            Words("This voice uses no exclamation marks."),
            Words("Fewer exclamation marks, please."),
        ),
        (
            "contractions",
            voice.contractions,
            CONTRACTION,
            Words("This voice uses no contractions."),
            Words("Fewer contractions, please."),
        ),
        ("passive", voice.passive, PASSIVE, Words("This is in the passive voice."), ""),
    )
    words = length_of(text, language_of(text))
    for name, rule, pattern, never, fewer in rules:
        places = [found.span() for found in pattern.finditer(text)] if rule else []
        allowed = max(1, words // 100) if rule == "sparingly" else 0
        for start, end in places[allowed:]:
            yield _violation((start, end), name, fewer if rule == "sparingly" else never)
    yield from _persons_broken(voice, text)


def _persons_broken(voice: Voice, text: str) -> Iterator[Violation]:
    """Whoever speaks as “we” says no “I”, and the other way round; who speaks of the company by name says neither."""
    wrong = {"i": ("we",), "we": ("i",), "third": ("i", "we")}.get(voice.person, ())
    pronouns = PRONOUNS_ZH if language_of(text) == "zh" else PRONOUNS
    for who in wrong:
        for found in pronouns[who].finditer(text):
            yield _violation(found.span(), "person", "This voice does not speak as “%(term)s”.", term=found.group())


def _sentences_broken(voice: Voice, text: str) -> Iterator[Violation]:
    if not voice.longest_sentence:
        return
    language = language_of(text)
    for start, end in sentences(text):
        if length_of(text[start:end], language) > voice.longest_sentence:
            most = voice.longest_sentence
            yield _violation((start, end), "longest_sentence", "This sentence has more than %(most)s words.", most=most)


# ---------------------------------------------------------------- read


def _one_of(data: Mapping[str, Any], name: str, allowed: Sequence[str]) -> str:
    value = data.get(name) or ""
    if value not in allowed:
        raise VoiceError(name, "This is one of: %(allowed)s.", allowed=", ".join(filter(None, allowed)))
    return str(value)


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > most:
        raise VoiceError(name, "This is a text of at most %(most)s characters.", most=most)
    return value.strip()


def _number(data: Mapping[str, Any], name: str, most: int) -> int:
    value = data.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise VoiceError(name, "This is a whole number from 0 to %(most)s.", most=most)
    return value


def _listed(name: str, value: Any, most: int) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise VoiceError(name, "This is a list.")
    if len(value) > most:
        raise VoiceError(name, "This may have %(most)s entries.", most=most)
    return value


def _terms(data: Mapping[str, Any], name: str, most: int) -> tuple[str, ...]:
    found = [" ".join(_text(name, each, LONGEST_TERM).split()) for each in _listed(name, data.get(name) or [], most)]
    return tuple(dict.fromkeys(filter(None, found)))


def _tone(value: Any) -> dict[str, int]:
    if not isinstance(value, Mapping) or not set(value) <= set(SLIDERS):
        raise VoiceError("tone", "Its scales are: %(scales)s.", scales=", ".join(SLIDERS))
    for step in value.values():
        if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= STEPS:
            raise VoiceError("tone", "A step is from 1 to 5.")
    return {name: value[name] for name in SLIDERS if name in value}


def _vocabulary(value: Any) -> tuple[Preference, ...]:
    found = []
    for each in _listed("vocabulary", value, MAX_TERMS):
        if not isinstance(each, Mapping) or set(each) != {"say", "instead_of"}:
            raise VoiceError("vocabulary", "Each has “say” and “instead_of”.")
        say, instead = (" ".join(_text("vocabulary", each[key], LONGEST_TERM).split()) for key in ("say", "instead_of"))
        if not say or not instead or _term(instead).search(say):
            raise VoiceError("vocabulary", "What to say cannot contain what not to say.")
        found.append(Preference(say, instead))
    return tuple(found)


def _samples(value: Any) -> tuple[str, ...]:
    return tuple(
        sample for each in _listed("samples", value, MAX_SAMPLES) if (sample := _text("samples", each, LONGEST_SAMPLE))
    )
