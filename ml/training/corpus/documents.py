"""Write the text that answers a brief, one builder per content type."""

import random
import re

from ml.text.brief import ContentType
from ml.training.corpus import catalogue
from ml.training.corpus.briefs import Facts, benefit_form, benefit_gerund, strip_article
from ml.training.corpus.grammar import (
    capitalise_sentences,
    choose,
    conjugate,
    fill,
    fix_articles,
    slot_names,
    upper_first,
)
from ml.training.metrics import words

_PRODUCT = "\ue000"  # stands for the product until sentences are capitalised, so that "iro" stays "iro"
_SINGULAR_NOUN = re.compile(r"\b[Aa]n? ((?:new |better |good |little )*(?:\{adj2?\} (?:new )?)?\{N\})")
_LONG_NAME = 3  # words
_EMOJI = "✨ 🎉 💛 🌿 🔥 🙌 😍 👀 ☕ 🌞 💫 🛒 🎁 ❤️ 🚀 🌙 😊 👋 🏡 🐾".split()
_EMOJI_RATE = {"playful": 0.75, "friendly": 0.55, "warm": 0.45, "bold": 0.4, "": 0.3}


class Writer:
    """Fills templates for one product and remembers which facts have been told."""

    def __init__(self, facts: Facts, rng: random.Random) -> None:
        self.facts = facts
        self.rng = rng
        self.features = list(facts.features)
        self.benefits = list(facts.benefits)
        self.told: set[str] = set()
        self.used: set[str] = set()
        adjectives = catalogue.words("adjectives")
        self.adjectives = [*adjectives["any"], *adjectives[facts.tone] * 3]

    def sentence(self, section: str) -> str:
        """Write one sentence of a section in the product's tone."""
        everyone = catalogue.sentences()[section]
        toned = catalogue.sentences().get(f"{section}/{self.facts.tone}", ())
        pool = toned if toned and self.rng.random() < 0.45 else everyone
        fresh = [template for template in pool if template not in self.used] or list(pool)
        template = self.rng.choice(fresh)
        self.used.add(template)
        return self.write(choose(template, self.rng))

    def write(self, template: str) -> str:
        """Fill one template whose alternatives are resolved."""
        if self.facts.plural:
            template = _SINGULAR_NOUN.sub(r"\1", template)
        names = slot_names(template)
        slots = self._slots()
        self._remember(names)
        return fill(template, {name: slots.get(name) or self._derived(name, slots) for name in names})

    def _slots(self) -> dict[str, str]:
        facts, group = self.facts, self.facts.category.group
        adjective, second = self.rng.sample(self.adjectives, 2)
        slots = {
            "P": _PRODUCT, "N": facts.category.noun, "mat": facts.material, "A": facts.audience,
            "S": self.rng.choice(group.scenes), "problem": self.rng.choice(group.problems),
            "topic": self.rng.choice(group.topics), "adj": adjective, "adj2": second,
            "it": "they" if facts.plural else "it", "its": "their" if facts.plural else "its",
        }  # fmt: skip
        for index, feature in enumerate(self.features, 1):
            slots[f"f{index}"] = feature
            slots[f"f{index}n"] = strip_article(feature)
        for index, benefit in enumerate(self.benefits, 1):
            agreed = benefit_form(benefit, facts.plural)
            slots |= {f"b{index}": agreed, f"B{index}": agreed, f"b{index}i": benefit}
            slots[f"b{index}g"] = benefit_gerund(benefit)
        return slots

    def _derived(self, name: str, slots: dict[str, str]) -> str:
        """Resolve "v:keep", "vf1:make", "A!" and capitalised slots."""
        if name.startswith("v:"):
            return conjugate(name[2:], self.facts.plural)
        if name.startswith("vf1:"):
            return conjugate(name[4:], _is_plural(slots["f1"]))
        if name == "B1i":
            return slots["b1i"]
        if name.endswith("!"):
            return upper_first(slots.get(name[:-1]) or slots[name[:-1].lower()])
        return upper_first(slots[name[0].lower() + name[1:]])

    def _remember(self, names: list[str]) -> None:
        """Note the facts told, and rotate them to the back so that the next sentence tells others."""
        feature_count = max((int(n[1]) for n in names if re.match(r"[fF]\d", n)), default=0)
        benefit_count = max((int(n[1]) for n in names if re.match(r"[bB]\d", n)), default=0)
        self.told.update(self.features[:feature_count], self.benefits[:benefit_count])
        if "mat" in names or "Mat" in names:
            self.told.add(self.facts.material)
        if "A" in names or "A!" in names:
            self.told.add(self.facts.audience)
        self.features = self.features[feature_count:] + self.features[:feature_count]
        self.benefits = self.benefits[benefit_count:] + self.benefits[:benefit_count]

    def missing(self) -> list[str]:
        """Write one sentence for each asked point that no sentence has told yet."""
        facts = self.facts
        it, have = ("They", "have") if facts.plural else ("It", "has")
        rest: list[str] = []
        for feature in facts.features[: facts.asked_features]:
            if feature not in self.told:
                ways = (f"{it} {have} {feature}, too", f"There is also {feature}", f"{upper_first(feature)}: included",
                        f"Not to forget: {feature}", f"{it} also {have} {feature}")  # fmt: skip
                rest.append(self.rng.choice(ways) + ".")
        for benefit in facts.benefits[: facts.asked_benefits]:
            if benefit not in self.told:
                agreed = benefit_form(benefit, facts.plural)
                told = (f"{it} also {agreed}.", f"What is more, {it.lower()} {agreed}.", f"{it} {agreed}, too.")
                rest.append(self.rng.choice(told))
        if facts.asks_material and facts.material not in self.told:
            materials = ("Made from {}.", "The material: {}.", "We use {}.", "{} inside.")
            rest.append(self.rng.choice(materials).format(facts.material))
        rest.extend(offer.sentence for offer in facts.offers)
        if facts.asks_audience and facts.audience not in self.told and self.rng.random() < 0.8:
            rest.append(self.sentence("audience"))
        self.rng.shuffle(rest)
        self.told.update(facts.features, facts.benefits)
        return rest


def _is_plural(feature: str) -> bool:
    singular = feature.startswith(("a ", "an ", "the ", "one ", "no "))
    return not singular and feature.endswith("s")


def write_document(content_type: ContentType, facts: Facts, rng: random.Random) -> str:
    """Write the text for a brief; the product is named exactly as the brief names it."""
    text = _BUILDERS[content_type](Writer(facts, rng))
    return _finish(text, facts)


def _finish(text: str, facts: Facts) -> str:
    text = capitalise_sentences(fix_articles(text))
    if facts.generic and not facts.plural:
        text = re.sub(rf"(?<![Tt]he )(?<![Yy]our )(?<!#){_PRODUCT}", f"the {_PRODUCT}", text)
        text = capitalise_sentences(text)
    if facts.product.startswith("The "):
        text = re.sub(rf"\b([Tt]he|[Yy]our) {_PRODUCT}", lambda m: f"{m.group(1)} {facts.product[4:]}", text)
    return text.replace(_PRODUCT, facts.product)


def _join(sentences: list[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _description(writer: Writer) -> str:
    rng = writer.rng
    first = [writer.sentence("open"), writer.sentence(rng.choice(("feature", "benefit")))]
    second = [writer.sentence(rng.choice(("benefit", "feature")))] if rng.random() < 0.75 else []
    if not writer.facts.asks_audience and rng.random() < 0.3:
        second.append(writer.sentence("audience"))
    missing = writer.missing()
    bullets = ""
    if len(missing) > 1 and rng.random() < 0.35:
        bullets = "\n\n" + writer.sentence("bullets") + "".join(f"\n- {line.rstrip('.')}" for line in missing)
        missing = []
    second += missing
    if not second or rng.random() < 0.55:
        second.append(writer.sentence("close"))
    title = f"{_PRODUCT}\n\n" if rng.random() < 0.2 else ""
    gap = rng.choice((" ", "\n\n", "\n\n"))
    return title + _join(first) + gap + _join(second) + bullets


def _email(writer: Writer) -> str:
    rng = writer.rng
    first = [writer.sentence("email_open")]
    if rng.random() < 0.6:
        first.append(writer.sentence("feature"))
    second = [writer.sentence("benefit")] if rng.random() < 0.8 else []
    second += writer.missing()
    call = writer.sentence("cta")
    body = [_join(first), _join(second), call] if rng.random() < 0.5 else [_join(first), _join([*second, call])]
    subject = writer.sentence("subject").rstrip(".")
    parts = [f"Subject: {subject}", writer.sentence("greeting"), *body, _signoff(writer)]
    return "\n\n".join(part for part in parts if part)


def _signoff(writer: Writer) -> str:
    """Sign with the product's name; a long one has been repeated often enough by then and is left out."""
    signoff = writer.sentence("signoff").replace("\\n", "\n")
    if len(words(writer.facts.product)) >= _LONG_NAME:
        return re.sub(rf"( at| of)? ?{_PRODUCT}", "", signoff).strip()
    return signoff


def _social(writer: Writer) -> str:
    rng = writer.rng
    lines = [writer.sentence("hook"), writer.sentence(rng.choice(("open", "benefit", "benefit")))]
    if rng.random() < 0.35:
        lines.append(writer.sentence("feature"))
    lines += writer.missing()
    if _PRODUCT not in "".join(lines):
        lines.insert(1, writer.sentence("open"))
    lines.append(writer.sentence(rng.choice(("social_end", "social_end", "cta"))))
    rate = _EMOJI_RATE.get(writer.facts.tone, 0.12)
    lines = [f"{line} {rng.choice(_EMOJI)}" if rng.random() < rate * 0.6 else line for line in lines]
    gap = rng.choice((" ", "\n", "\n\n"))
    return lines[0] + gap + _join(lines[1:]) + rng.choice((" ", "\n\n", "\n\n")) + _hashtags(writer)


def _hashtags(writer: Writer) -> str:
    lists = catalogue.words("hashtags")
    pool = [*lists["any"], *lists[writer.facts.tone] * 2, *writer.facts.category.group.tags * 2]
    tags = list(dict.fromkeys(writer.rng.sample(pool, writer.rng.randint(2, 4))))
    own = re.sub(r"[^\w]", "", writer.facts.product)
    if not writer.facts.generic and writer.rng.random() < 0.6:
        tags.insert(0, own)
    return " ".join(f"#{tag}" for tag in tags)


def _headline(writer: Writer) -> str:
    rng = writer.rng
    lines = [writer.sentence("headline")]
    rest = writer.missing()
    if rest:
        lines += rest[: rng.randint(1, 2)]
    elif rng.random() < 0.6:
        lines.append(writer.sentence("subline"))
    return "\n".join(line if rng.random() < 0.6 else line.rstrip(".") for line in lines)


def _blog(writer: Writer) -> str:
    rng = writer.rng
    title = writer.sentence("title").rstrip(".")
    first = [writer.sentence("blog_start")]
    if rng.random() < 0.15:
        first.append(writer.sentence("blog_start"))
    second = [writer.sentence("blog_turn"), writer.sentence(rng.choice(("feature", "benefit")))]
    second += writer.missing()
    if rng.random() < 0.6:
        second.append(writer.sentence("blog_next"))
    return f"{title}\n\n{_join(first)}\n\n{_join(second)}"


_BUILDERS = {
    "product_description": _description,
    "email": _email,
    "social_post": _social,
    "ad_headline": _headline,
    "blog_opening": _blog,
}
