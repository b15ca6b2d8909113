"""Whether a number is what its form says: check digits, lengths, and what was never issued."""

from __future__ import annotations

import ipaddress
import re


def digits_of(text: str) -> str:
    """The ASCII digits; full-width and other digits count as the digits that they are."""
    return "".join(str(int(letter)) for letter in text if letter.isdecimal())


def luhn(text: str) -> bool:
    """The check of payment cards (ISO/IEC 7812-1, annex B)."""
    digits = [int(digit) for digit in digits_of(text)]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return len(set(digits)) > 1 and total % 10 == 0


# Lengths of the countries that issue IBANs (SWIFT's registry of IBAN formats, release 97).
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24,
    "XK": 20,
}  # fmt: skip


def is_iban(text: str) -> bool:
    """The country's length, and the remainder 1 of ISO 13616's mod 97."""
    plain = re.sub(r"[\s-]", "", text).upper()
    if len(plain) != IBAN_LENGTHS.get(plain[:2]):
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_chinese_id(text: str) -> bool:
    """GB 11643: seventeen digits with a birth date, and a check character of ISO 7064 mod 11-2."""
    plain = text.upper()
    month, day = int(plain[10:12]), int(plain[12:14])
    if not (1900 <= int(plain[6:10]) <= 2099 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(plain[:17], weights, strict=True))
    return "10X98765432"[total % 11] == plain[17]


def is_german_tax_id(text: str) -> bool:
    """The Steueridentifikationsnummer: ISO 7064 mod 11,10, one digit of the first ten twice or three times."""
    digits = digits_of(text)
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if len(digits) != 11 or digits[0] == "0" or counts[-1] not in {2, 3} or (len(counts) > 1 and counts[-2] > 1):
        return False
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def is_spanish_id(text: str) -> bool:
    """DNI and NIE: the number's remainder by 23 names the letter."""
    plain = text.upper()
    number = {"X": "0", "Y": "1", "Z": "2"}.get(plain[0], plain[0]) + plain[1:8]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == plain[8]


def is_french_number(text: str) -> bool:
    """The social security number: its key is 97 less the remainder by 97; Corsica's departments count as 19 and 18."""
    plain = re.sub(r"\s", "", text).upper()
    number = plain[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(plain[13:])


def is_brazilian_cpf(text: str) -> bool:
    digits = [int(digit) for digit in digits_of(text)]
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for count in (9, 10):
        total = sum(digit * (count + 1 - place) for place, digit in enumerate(digits[:count]))
        if total * 10 % 11 % 10 != digits[count]:
            return False
    return True


def is_social_security(text: str) -> bool:
    """An American number has no check digits; areas 000, 666 and 900 up, group 00 and serial 0000 are never issued."""
    area, group, serial = text.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def is_nhs_number(text: str) -> bool:
    """The British health service's number: weights 10 to 2, check 11 less the remainder by 11."""
    digits = [int(digit) for digit in digits_of(text)]
    total = sum(digit * weight for digit, weight in zip(digits[:9], range(10, 1, -1), strict=True))
    check = (11 - total % 11) % 11
    return len(digits) == 10 and len(set(digits)) > 1 and check == digits[9]


def is_phone(text: str) -> bool:
    """With a country's code, or with the area set apart: a bare number may be anything."""
    return 7 <= len(digits_of(text)) <= 15


def is_area_phone(text: str) -> bool:
    """An area's code before the number; three groups as of a social security number are one that was never issued."""
    return 8 <= len(digits_of(text)) <= 12 and re.fullmatch(r"\d{3}-\d\d-\d{4}", text) is None


def is_address(text: str) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (found.is_unspecified or found.is_loopback)


def is_british_insurance_number(text: str) -> bool:
    """The national insurance number has no check digits; some prefixes are never given out (HMRC, NIM39110)."""
    plain = re.sub(r"[\s-]", "", text).upper()
    first, second = plain[0], plain[1]
    if first in "DFIQUV" or second in "DFIOQUV" or plain[:2] in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}:
        return False
    return plain[2:8].isdecimal() and plain[8] in "ABCD"


def is_italian_code(text: str) -> bool:
    """The codice fiscale: odd and even places weigh differently, and the remainder by 26 names the last letter."""
    plain = text.upper()
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    total = 0
    for place, letter in enumerate(plain[:15]):
        value = int(letter) if letter.isdecimal() else ord(letter) - ord("A")
        total += value if place % 2 else odd[value]
    return chr(ord("A") + total % 26) == plain[15]


def is_singaporean_id(text: str) -> bool:
    """NRIC and FIN: weights 2 7 6 5 4 3 2, four more for T and G, and the remainder by 11 names the letter."""
    plain = text.upper()
    total = sum(int(digit) * weight for digit, weight in zip(plain[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    total += 4 if plain[0] in "TG" else 0
    letters = "JZIHGFEDCBA" if plain[0] in "ST" else "XWUTRQPNMLK"
    return letters[total % 11] == plain[8]


def is_hong_kong_id(text: str) -> bool:
    """Weights 9 to 1, a letter counting from ten on and a missing first one as 36; divisible by 11."""
    plain = re.sub(r"[()\s]", "", text).upper().rjust(9)
    values = [36 if letter == " " else int(letter, 36) for letter in plain[:8]]
    check = 10 if plain[8] == "A" else int(plain[8]) if plain[8].isdecimal() else -1
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return check >= 0 and (total + check) % 11 == 0


def is_aadhaar(text: str) -> bool:
    """India's number: twelve digits, none begins with 0 or 1, and Verhoeff's check over the dihedral group D5."""
    digits = digits_of(text)
    if len(digits) != 12 or digits[0] in "01":
        return False
    permutation = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    check = 0
    for place, letter in enumerate(reversed(digits)):
        value = int(letter)
        for _ in range(place % 8):
            value = permutation[value]
        check = _dihedral(check, value)
    return check == 0


def _dihedral(left: int, right: int) -> int:
    """The product of two elements of D5, rotations 0 to 4 and reflections 5 to 9."""
    if left < 5:
        return (left + right) % 5 if right < 5 else (left + right - 5) % 5 + 5
    return (left - 5 - right) % 5 + 5 if right < 5 else (left - right) % 5


def is_dutch_number(text: str) -> bool:
    """The burgerservicenummer: the elf-proef with weights 9 to 2 and -1."""
    digits = [int(digit) for digit in digits_of(text)]
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return len(digits) == 9 and any(digits) and sum(map(int.__mul__, digits, weights)) % 11 == 0


def is_short_chinese_id(text: str) -> bool:
    """The fifteen digits of before 1999: a birth date and no check."""
    month, day = int(text[8:10]), int(text[10:12])
    return 1 <= month <= 12 and 1 <= day <= 31
