"""Personal data is found by its form and its check digits, and numbers that only look like it are left alone."""

import pytest

from ml.safety.personal import KINDS, find_personal

ALL = frozenset(KINDS)


def found(text: str) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.end]) for each in find_personal(text, ALL)]


# Numbers of documentation and of the standards themselves, nobody's own.
RIGHT = [
    ("email", "Write to ann.lee+news@mail.example.com.", "ann.lee+news@mail.example.com"),
    ("email", "我的邮箱是zhang@example.cn，谢谢", "zhang@example.cn"),
    ("card", "Card 4111 1111 1111 1111 2026 please", "4111 1111 1111 1111"),
    ("card", "卡号5555555555554444", "5555555555554444"),
    ("card", "amex 3782-822463-10005", "3782-822463-10005"),
    ("card", "４１１１１１１１１１１１１１１１ is not hidden by width", None),
    ("iban", "IBAN DE89 3704 0044 0532 0130 00 and then more", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432", "gb82west12345698765432"),
    ("iban", "FR14 2004 1010 0505 0001 3M02 606", "FR14 2004 1010 0505 0001 3M02 606"),
    ("iban", "NO9386011117947.", "NO9386011117947"),
    ("national_id", "身份证11010519491231002X号", "11010519491231002X"),
    ("national_id", "DNI 12345678Z", "12345678Z"),
    ("national_id", "NIE X1234567L", "X1234567L"),
    ("national_id", "CPF 529.982.247-25", "529.982.247-25"),
    ("national_id", "SSN 078-05-1120", "078-05-1120"),
    ("national_id", "Steuer-ID 86095742719", "86095742719"),
    ("national_id", "NHS 943 476 5919", "943 476 5919"),
    ("national_id", "NIR 2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
    ("ip", "from 203.0.113.9 at noon", "203.0.113.9"),
    ("ip", "from 2001:db8::8a2e:370:7334.", "2001:db8::8a2e:370:7334"),
    ("phone", "Call +49 30 901820 today", "+49 30 901820"),
    ("phone", "Call (212) 555-0143 today", "(212) 555-0143"),
    ("phone", "电话13912345678。", "13912345678"),
    ("phone", "Tel. 030/90182-0", "030/90182-0"),
    ("phone", "0044 20 7946 0958", "0044 20 7946 0958"),
]


@pytest.mark.parametrize(("kind", "text", "datum"), RIGHT)
def test_it_is_found(kind: str, text: str, datum: str | None) -> None:
    [(its_kind, its_text)] = found(text)
    assert its_kind == kind
    assert datum is None or its_text == datum


@pytest.mark.parametrize(
    "text",
    [
        "Order 4111 1111 1111 1112 was sent",
        "DE89 3704 0044 0532 0130 01",
        "GB82 WEST 1234 5698 7654 31",
        "110105194912310021",
        "12345678A and X1234567M",
        "529.982.247-26",
        "666-05-1120, 078-00-1120, 987-65-4321",
        "86095742718",
        "943 476 5918",
        "2 55 08 14 168 025 39",
        "version 1.2.3.400 and 10.20.30.40.50",
        "at 12:30:45, ratio 16:9",
        "0000 0000 0000 0000",
        "ISBN 978-3-16-148410-0",
        "price 1299.00, year 2026, 50 x 70 cm",
        "a@b and @handle",
        "invoice 2026-11-000123",
        "",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_single_digit_changes_of_a_card_are_no_card() -> None:
    number = "4111111111111111"
    for place in range(len(number)):
        for digit in "0123456789":
            changed = number[:place] + digit + number[place + 1 :]
            assert bool([kind for kind, _ in found(changed) if kind == "card"]) == (changed == number), changed


def test_kinds_that_are_not_wanted_are_nothing_else_instead() -> None:
    text = "card 4111 1111 1111 1111, mail a@example.com"
    assert [each.kind for each in find_personal(text, frozenset({"email", "phone"}))] == ["email"]


def test_a_long_hostile_text_takes_no_time_out_of_proportion() -> None:
    for part in ("1 ", "a@", "DE89 ", "1:", "+1(", "4 "):
        list(find_personal(part * 20_000, ALL))
