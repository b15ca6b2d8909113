"""A card's security code that is told in answer to a question, in a message of its own; and what is none."""

import pytest

from ml.safety.codes import asks_for_code, codes_told, may_hold_code, names_code, points_at_code


@pytest.mark.parametrize(
    "text",
    [
        "What is your CVV?",
        "Please enter the three digits on the back of your card.",
        "I need the card number, expiry date and security code, please.",
        "CVV:",
        "To go on I need one more thing. Could you tell me the CVC2? It is on the back.",
        "请输入安全码",
        "您的卡背面三位数是多少？",
        "Bitte nennen Sie den Sicherheitscode.",
    ],
)
def test_a_question_for_a_code_is_known(text: str) -> None:
    assert asks_for_code(text)


@pytest.mark.parametrize(
    "text",
    [
        "How much would you like to transfer? We never ask for your CVV.",
        "Please do not send us your CVV.",
        "请勿告诉任何人您的安全码。",
        "The CVV is on the back. How much was taken?",
        "What is your order number?",
        "The CVV stands on the back.",
    ],
)
def test_what_asks_for_something_else_or_warns_does_not(text: str) -> None:
    assert not asks_for_code(text)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("123", ["123"]),
        ("It's 123, thanks", ["123"]),
        ("007", ["007"]),
        ("1234", ["1234"]),
        ("1 2 3", ["1 2 3"]),
        ("\uff11\uff12\uff13", ["\uff11\uff12\uff13"]),
        ("one two three", ["one two three"]),
        ("是123", ["123"]),
        ("三零七", ["三零七"]),
        ("12/27 123", ["123"]),
        ("I had to look for my glasses, it says 318 there", ["318"]),
        ("either 318 or 818", ["318", "818"]),
        ("order 1234", []),
        ("I lost 500 euros", []),
        ("about 500", []),
        ("$500", []),
        ("€ 500", []),
        ("500元", []),
        ("转账500", []),
        ("I was born in 1984", []),
        ("at 10:30", []),
        ("12.500", []),
        ("12345", []),
        ("2026-11-28", []),
        ("4111 1111 1111 1111", []),
        ("A123", []),
        ("I do not have it", []),
    ],
)
def test_an_answer_tells_a_code(text: str, codes: list[str]) -> None:
    assert [text[start:end] for start, end in codes_told(text, asked=True)] == codes
    assert may_hold_code(text) or not codes


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("123", ["123"]),
        ("it's 123 ok?", []),
        ("ok it is 123", ["123"]),
        ("12/27 123", ["123"]),
        ("and can I withdraw 500", []),
        ("either 318 or 818", []),
        ("我想取500", []),
    ],
)
def test_where_a_code_was_only_named_the_number_stands_alone(text: str, codes: list[str]) -> None:
    assert [text[start:end] for start, end in codes_told(text, asked=False)] == codes


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("that's my cvv", True),
        ("(CVV)", True),
        ("安全码", True),
        ("this is the security code, thanks", True),
        ("what is a cvv?", False),
        ("I cannot find the CVV", False),
        ("hello", False),
    ],
)
def test_a_name_by_itself_says_what_came_before(text: str, points: bool) -> None:
    assert points_at_code(text) is points
    assert names_code(text) or not points
