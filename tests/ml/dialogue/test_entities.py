"""Entities by patterns: amounts, dates, numbers; each with the value that a program reads."""

from datetime import date

import pytest

from ml.dialogue.entities import Annotated, Mark, Tagger, find_entities, score_of
from ml.dialogue.types import DialogueError

# A Thursday.
TODAY = date(2026, 11, 26)


def found(text: str) -> list[tuple[str, str, str]]:
    return [(each.kind, each.value, each.unit) for each in find_entities(text, TODAY)]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("send 50 dollars to anna", "50", "USD"),
        ("$1,234.50 please", "1234.5", "USD"),
        ("1.234,50 EUR", "1234.5", "EUR"),
        ("€ 12,50", "12.5", "EUR"),
        ("1 234,50 €", "1234.5", "EUR"),
        ("1'234.50 CHF", "1234.5", "CHF"),
        ("two hundred and fifty pounds", "250", "GBP"),
        ("twenty-five bucks", "25", "USD"),
        ("2k", "2000", ""),
        ("1.5k USD", "1500", "USD"),
        ("2 million euros", "2000000", "EUR"),
        ("50 cents", "0.5", ""),
        ("30p", "0.3", "GBP"),
        ("no, I meant 50", "50", ""),
        ("transfer 200 to Bo", "200", ""),
        ("五百块", "500", "CNY"),
        ("三块五", "3.5", "CNY"),
        ("转账3万元", "30000", "CNY"),
        ("一千零五元", "1005", "CNY"),
        ("两万三", "23000", ""),
        ("￥１２００", "1200", "CNY"),
        ("五十美元", "50", "USD"),
    ],
)
def test_an_amount_is_read(text: str, value: str, unit: str) -> None:
    assert ("amount", value, unit) in found(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on 2026-01-05", "2026-01-05"),
        ("26/11/2026", "2026-11-26"),
        ("11/26/2026", "2026-11-26"),
        ("5.1.26", "2026-01-05"),
        ("the 3rd of March 2025", "2025-03-03"),
        ("March 5, 2026", "2026-03-05"),
        ("on the 5 Jan", "2027-01-05"),
        ("yesterday", "2026-11-25"),
        ("the day after tomorrow", "2026-11-28"),
        ("3 days ago", "2026-11-23"),
        ("a month ago", "2026-10-26"),
        ("in two weeks", "2026-12-10"),
        ("last Monday", "2026-11-23"),
        ("next friday", "2026-12-04"),
        ("on Thursday", "2026-11-26"),
        ("last month", "2026-10-01/2026-10-31"),
        ("this year", "2026-01-01/2026-12-31"),
        ("since October", "2026-10-01/2026-10-31"),
        ("昨天", "2026-11-25"),
        ("大后天", "2026-11-29"),
        ("上周五", "2026-11-20"),
        ("下下周一", "2026-12-07"),
        ("三天后", "2026-11-29"),
        ("两个月前", "2026-09-26"),
        ("2026年1月5号", "2026-01-05"),
        ("11月26日", "2026-11-26"),
        ("上个月5号", "2026-10-05"),
        ("上个月", "2026-10-01/2026-10-31"),
    ],
)
def test_a_date_is_read(text: str, value: str) -> None:
    assert ("date", value, "") in found(text)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("card 4111 1111 1111 1111", "card", "4111111111111111"),
        ("to DE89 3704 0044 0532 0130 00", "iban", "DE89370400440532013000"),
        ("my account number is 1234 5678", "account", "12345678"),
        ("账号是62123456", "account", "62123456"),
        ("account ending 4242", "last_four", "4242"),
        ("尾号4242", "last_four", "4242"),
        ("sort code 12-34-56", "sort_code", "123456"),
        ("mail Ann@Example.com", "email", "ann@example.com"),
        ("call +49 30 901820", "phone", "+4930901820"),
        ("half past 3", "number", "3"),
        ("it is [CARD_1], please", "card", "[CARD_1]"),
        ("to [IBAN_2]", "iban", "[IBAN_2]"),
    ],
)
def test_a_number_is_read_as_what_it_is(text: str, kind: str, value: str) -> None:
    assert (kind, value, "") in found(text)


@pytest.mark.parametrize("text", ["31/02/2026", "99.99.9999", "I may go", "sun and moon", "万", "", "version 1.2"])
def test_what_is_no_date_and_no_money_is_left(text: str) -> None:
    assert not [each for each in found(text) if each[0] in {"date", "amount"}]


def test_each_place_has_one_reading_and_is_where_it_says() -> None:
    text = "Move ５０ euros from account 12345678 on 12.11.2026, not 1,200.00 USD"
    entities = find_entities(text, TODAY)
    assert [(each.kind, each.text) for each in entities] == [
        ("amount", "５０ euros"), ("account", "12345678"), ("date", "12.11.2026"), ("amount", "1,200.00 USD"),
    ]  # fmt: skip
    assert all(text[each.start : each.end] == each.text for each in entities)


NAMES = "anna bo carla dev emil farah gita hugo ines jon kofi lena maya nils olga pablo".split()
SHOPS = "amazon tesco ikea netflix uber apple lidl spotify".split()
FRAMES = (
    "send {amount} euros to <payee>",
    "please pay <payee> {amount} dollars",
    "I want to transfer money to <payee> tomorrow",
    "the payment at <shop> was {amount} too much",
    "why did <shop> charge me twice",
    "a refund from <shop> is missing",
    "did <payee> get my money",
    "what is my balance",
    "给<payee>转{amount}元",
)


def annotated(count: int, names: list[str], shops: list[str]) -> list[Annotated]:
    """Sentences with marks, in turn through frames and names."""
    examples = []
    for number in range(count):
        frame = FRAMES[number % len(FRAMES)].replace("{amount}", str(10 + number))
        name, shop = names[number % len(names)], shops[number % len(shops)]
        words = name.title() + (f" {names[(number + 5) % len(names)].title()}" if number % 3 == 0 else "")
        kind, value = ("payee", words) if "<payee>" in frame else ("shop", shop.title())
        start = frame.find(f"<{kind}>")
        text = frame.replace(f"<{kind}>", value)
        examples.append(Annotated(text, (Mark(kind, start, start + len(value)),) if start >= 0 else ()))
    return examples


def test_a_tagger_learns_from_annotations_and_finds_what_it_has_not_seen() -> None:
    tagger = Tagger.train(annotated(120, NAMES[:11], SHOPS[:5]))
    score = score_of(tagger, annotated(90, NAMES[11:], SHOPS[5:]))
    assert score.f1 >= 0.9, score
    again = Tagger(tagger.tags, tagger.weights())
    assert again.find("send 5 euros to Olga Nils") == tagger.find("send 5 euros to Olga Nils")
    assert tagger.find("") == ()


def test_marks_that_cut_words_are_refused() -> None:
    with pytest.raises(DialogueError):
        Tagger.train([Annotated("send to Anna", (Mark("payee", 9, 12),))])
