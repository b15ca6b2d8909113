"""Sample what a text is about: the facts of a product, and the brief that asks for it."""

import random
from dataclasses import dataclass, field

from ml.text.brief import CONTENT_TYPES, TONES, Brief, ContentType, render_brief
from ml.training.corpus import catalogue
from ml.training.corpus.grammar import base_verb, choose, conjugate, fill, fix_articles, gerund, upper_first
from ml.training.corpus.names import is_held_out, product_name

_AUDIENCE_ADJECTIVES = ("young", "thrifty", "discerning", "impatient", "eco-minded", "stylish", "older", "modern")
_AUDIENCE_PLACES = ("small towns", "big cities", "the north", "cold climates", "a hurry")
_CODE_WORDS = ("HELLO", "SAVE", "NEW", "SPRING", "MAY", "FIRST", "THANKS", "TREAT")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a text may say about one product.

    The first `asked_features`, `asked_benefits` and offers are those that the brief asks for. Benefits are base verb
    phrases. `product` is the exact wording of the brief; `generic` says that it is a description and not a name.
    """

    category: catalogue.Category
    product: str
    generic: bool
    plural: bool
    tone: str
    audience: str
    features: tuple[str, ...]
    benefits: tuple[str, ...]
    material: str
    asked_features: int
    asked_benefits: int
    asks_material: bool
    asks_audience: bool
    offers: tuple["OfferFact", ...]


@dataclass(frozen=True, slots=True)
class OfferFact:
    """An offer with its slots filled."""

    point: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Request:
    """A brief, its wording as a user message, and the facts behind it."""

    brief: Brief
    prompt: str
    facts: Facts = field(repr=False)


def sample_request(rng: random.Random, held_out: bool) -> Request:
    """Draw a brief. Held-out briefs use only names that training never sees, and always the rendered form."""
    content_type: ContentType = rng.choice(CONTENT_TYPES)
    facts = _sample_facts(rng, held_out)
    brief = Brief(
        content_type=content_type,
        product=facts.product,
        audience=facts.audience if facts.asks_audience else "",
        tone=facts.tone if rng.random() < 0.85 else "",  # type: ignore[arg-type]
        key_points=_key_points(rng, facts),
    )
    prompt = render_brief(brief) if held_out or rng.random() < 0.72 else _free_form(rng, brief)
    return Request(brief, prompt, facts)


def _sample_facts(rng: random.Random, held_out: bool) -> Facts:
    category = rng.choice(catalogue.categories())
    generic = not held_out and rng.random() < 0.07
    product = _generic_name(rng, category) if generic else _name(rng, category, held_out)
    lender = rng.choice(catalogue.categories())  # unusual points teach copying instead of recall
    features = _features(rng, category)
    benefits = [_as_base(benefit, category.plural) for benefit in rng.sample(category.benefits, 3)]
    asked = rng.choices((0, 1, 2, 3, 4), weights=(12, 20, 32, 26, 10))[0]
    kinds = rng.choices(("feature", "benefit", "material", "offer"), weights=(36, 28, 10, 26), k=asked)
    if kinds.count("feature") and rng.random() < 0.2:
        features[0] = rng.choice(_features(rng, lender))
    if kinds.count("benefit") and rng.random() < 0.12:
        benefits[0] = _as_base(rng.choice(lender.benefits), lender.plural)
    return Facts(
        category=category,
        product=product,
        generic=generic,
        plural=category.plural,
        tone=rng.choice(TONES),
        audience=_audience(rng, category.group if rng.random() < 0.82 else lender.group),
        features=tuple(features),
        benefits=tuple(benefits),
        material=rng.choice(category.materials),
        asked_features=min(kinds.count("feature"), 3),
        asked_benefits=min(kinds.count("benefit"), 3),
        asks_material="material" in kinds,
        asks_audience=rng.random() < 0.8,
        offers=tuple(_offer(rng, category) for _ in range(min(kinds.count("offer"), 2))),
    )


def _name(rng: random.Random, category: catalogue.Category, held_out: bool) -> str:
    while True:
        name = product_name(rng, category.noun, category.plural)
        if is_held_out(name) == held_out:
            return name


def _generic_name(rng: random.Random, category: catalogue.Category) -> str:
    everyday = catalogue.words("adjectives")["any"]
    adjective = rng.choice((*category.group.finishes, *everyday, rng.choice(category.materials)))
    return f"{adjective} {category.noun}" if rng.random() < 0.7 else category.noun


def _features(rng: random.Random, category: catalogue.Category) -> list[str]:
    features = rng.sample(category.features, 3)
    if rng.random() < 0.4:
        part = rng.choice(category.group.parts)
        article = "" if part.endswith("s") else "a "
        features[rng.randrange(3)] = fix_articles(f"{article}{rng.choice(category.group.finishes)} {part}")
    return features


def _as_base(benefit: str, already_base: bool) -> str:
    """Turn "opens, cuts and tightens" into "open, cut and tighten"."""
    if already_base:
        return benefit
    tokens = benefit.split(" ")
    tokens[0] = _base_keeping_comma(tokens[0])
    for index in range(1, len(tokens)):
        follows = tokens[index - 1] in ("and", "or") or tokens[index - 1].endswith(",")
        if follows and tokens[index] in _verbs():
            tokens[index] = base_verb(tokens[index])
    return " ".join(tokens)


def _base_keeping_comma(word: str) -> str:
    return base_verb(word[:-1]) + "," if word.endswith(",") else base_verb(word)


def _verbs() -> frozenset[str]:
    return frozenset({"cuts", "tightens", "hangs", "stretches", "rolls", "reads", "keeps", "takes", "leaves", "turns"})


def benefit_form(base: str, plural: bool) -> str:
    """Make a base verb phrase agree with its subject: "keep coffee hot" becomes "keeps coffee hot"."""
    if plural:
        return base
    tokens = base.split(" ")
    bases = {base_verb(verb) for verb in _verbs()}
    first, comma = (tokens[0][:-1], ",") if tokens[0].endswith(",") else (tokens[0], "")
    tokens[0] = conjugate(first, False) + comma
    for index in range(1, len(tokens)):
        follows = tokens[index - 1] in ("and", "or") or tokens[index - 1].endswith(",")
        if follows and tokens[index] in bases:
            tokens[index] = conjugate(tokens[index], False)
    return " ".join(tokens)


def benefit_gerund(base: str) -> str:
    """Turn "keep coffee hot" into "keeping coffee hot"."""
    first, _, rest = base.partition(" ")
    return f"{gerund(first.rstrip(','))}{',' if first.endswith(',') else ''} {rest}"


def _audience(rng: random.Random, group: catalogue.Group) -> str:
    audience = rng.choice(group.audiences)
    if len(audience.split()) > 2 or audience.startswith(("people", "anyone")):
        return audience
    extra = rng.random()
    if extra < 0.12:
        low = rng.randint(18, 60)
        return f"{audience} aged {low} to {low + rng.randint(5, 20)}"
    if extra < 0.22:
        return f"{rng.choice(_AUDIENCE_ADJECTIVES)} {audience}"
    if extra < 0.3:
        return f"{audience} in {rng.choice((*_AUDIENCE_PLACES, *catalogue.words('slots')['place']))}"
    return audience


def _offer(rng: random.Random, category: catalogue.Category) -> OfferFact:
    offer = rng.choice(catalogue.offers())
    slots = {name: rng.choice(values) for name, values in catalogue.words("slots").items()}
    slots |= {
        "n": str(rng.choice((10, 15, 20, 25, 30, 35, 40, 50, rng.randint(5, 95)))),
        "years": rng.choice(("two", "three", "five", "ten", "2", "3", "5", "10", "25")),
        "price": rng.choice("$$$€£") + _amount(rng),
        "year": str(rng.randint(1890, 2019)),
        "many": str(rng.choice((rng.randint(2, 40) * 50, rng.randint(2, 30) * 1000))),
        "code": f"{rng.choice(_CODE_WORDS)}{rng.randint(5, 50)}",
        "A": rng.choice(category.group.audiences),
    }
    slots |= {name: upper_first(slots[name.lower()]) for name in ("Ship", "Experts")}
    slots |= {"It": "They" if category.plural else "It"}
    slots |= {f"v:{verb}": conjugate(verb, category.plural) for verb in ("come", "weigh")}
    point = fill(choose(offer.point, rng), slots)
    return OfferFact(point, fill(choose(rng.choice(offer.sentences), rng), slots))


def _amount(rng: random.Random) -> str:
    return str(rng.choice((rng.randint(4, 99), rng.randint(10, 60) * 10, f"{rng.randint(3, 99)}.90")))


def _key_points(rng: random.Random, facts: Facts) -> tuple[str, ...]:
    points = [_feature_point(rng, feature) for feature in facts.features[: facts.asked_features]]
    points += [_benefit_point(rng, benefit, facts.plural) for benefit in facts.benefits[: facts.asked_benefits]]
    if facts.asks_material:
        points.append(rng.choice(("made from {}", "{}", "{}", "real {}", "made of {}")).format(facts.material))
    points += [offer.point for offer in facts.offers]
    rng.shuffle(points)
    if rng.random() < 0.3:
        points = [point[:1].upper() + point[1:] for point in points]
    return tuple(points)


def _feature_point(rng: random.Random, feature: str) -> str:
    bare = strip_article(feature)
    return rng.choice((bare, bare, bare, feature, f"has {feature}"))


def _benefit_point(rng: random.Random, benefit: str, plural: bool) -> str:
    agreed = benefit_form(benefit, plural)
    return rng.choice((agreed, agreed, agreed, benefit, benefit_gerund(benefit)))


def strip_article(phrase: str) -> str:
    """Drop a leading "a", "an" or "the"."""
    first, _, rest = phrase.partition(" ")
    return rest if first in ("a", "an", "the") else phrase


_LABELS: dict[str, tuple[str, ...]] = {
    "product_description": (
        "a product description", "a description", "product copy", "a shop text", "a short product text",
    ),
    "email": ("a marketing email", "an email", "an e-mail", "a newsletter email", "an email campaign"),
    "social_post": (
        "a social media post", "an Instagram post", "a social post", "a tweet", "a caption", "a LinkedIn post",
    ),
    "ad_headline": ("an ad headline", "a headline", "a tagline", "ad copy", "a slogan", "a headline for an ad"),
    "blog_opening": (
        "a blog opening", "a blog intro", "the opening of a blog post", "an introduction for a blog article",
    ),
}  # fmt: skip
_OPENINGS = (
    "Write {label} for {product}", "Please write {label} for {product}", "I need {label} for {product}",
    "Can you write {label} about {product}", "Create {label} for {product}", "{Label} for {product}, please",
    "Draft {label} about our product {product}", "Give me {label} for {product}", "We sell {product}. Write {label}",
)  # fmt: skip
_AUDIENCE_PHRASES = (" aimed at {}", " for {}", ", target audience: {}", ". It is for {}", ". Our customers are {}")
_TONE_PHRASES = (". Tone: {}", ", tone {}", ". Make it {}", " in a {} tone", ". Keep it {}", ". It should sound {}")
_POINT_PHRASES = (". Mention: {}", ". Key points: {}", ". Include {}", ". Please mention {}", "\n{}")


def _free_form(rng: random.Random, brief: Brief) -> str:
    label = rng.choice(_LABELS[brief.content_type])
    opening = rng.choice(_OPENINGS)
    text = opening.format(label=label, Label=label[0].upper() + label[1:], product=brief.product)
    if brief.audience:
        text += rng.choice(_AUDIENCE_PHRASES).format(brief.audience)
    if brief.tone:
        text += rng.choice(_TONE_PHRASES).format(brief.tone)
    if brief.key_points:
        joined = rng.choice((", ", "; ", " and ")).join(brief.key_points)
        text += rng.choice(_POINT_PHRASES).format(joined)
    if rng.random() < 0.12:
        text = text.lower() if rng.random() < 0.3 and brief.product.lower() == brief.product else text
    return fix_articles(text) if rng.random() < 0.5 else text + "."
