"""docs/security.md names every requirement of its chapters, and files and tests that exist."""

import re

from tests.helpers.sources import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
# OWASP ASVS 5.0.0: of each section the numbers of its requirements of levels 1 and 2.
REQUIREMENTS = {
    "1.1": "1-2", "1.2": "1-9", "1.3": "1-11", "1.4": "1-3", "1.5": "1-2",
    "2.1": "1-3", "2.2": "1-3", "2.3": "1-4", "2.4": "1",
    "3.2": "1-2", "3.3": "1-4", "3.4": "1-6", "3.5": "1-5", "3.7": "1-2",
    "4.1": "1-3", "4.2": "1", "4.3": "1-2", "4.4": "1-4",
    "5.1": "1", "5.2": "1-3", "5.3": "1-2", "5.4": "1-3",
    "6.1": "1-3", "6.2": "1-12", "6.3": "1-4", "6.4": "1-4", "6.5": "1-5", "6.6": "1-3", "6.8": "1-4",
    "7.1": "1-3", "7.2": "1-4", "7.3": "1-2", "7.4": "1-5", "7.5": "1-2", "7.6": "1-2",
    "8.1": "1-2", "8.2": "1-3", "8.3": "1", "8.4": "1",
    "9.1": "1-3", "9.2": "1-4",
    "10.1": "1-2", "10.2": "1-2", "10.3": "1-4", "10.4": "1-11", "10.5": "1-5", "10.6": "1-2", "10.7": "1-3",
    "11.1": "1-2", "11.2": "1-3", "11.3": "1-3", "11.4": "1-3", "11.5": "1", "11.6": "1",
    "12.1": "1-3", "12.2": "1-2", "12.3": "1-4",
    "13.1": "1", "13.2": "1-5", "13.3": "1-2", "13.4": "1-5",
    "14.1": "1-2", "14.2": "1-4", "14.3": "1-3",
    "15.1": "1-3", "15.2": "1-3", "15.3": "1-7",
    "16.1": "1", "16.2": "1-5", "16.3": "1-4", "16.4": "1-3", "16.5": "1-3",
}  # fmt: skip


def wanted() -> set[str]:
    found = set()
    for section, numbers in REQUIREMENTS.items():
        first, _, last = numbers.partition("-")
        found |= {f"{section}.{number}" for number in range(int(first), int(last or first) + 1)}
    return found


def test_every_requirement_has_its_line() -> None:
    answered = {id for cell in re.findall(r"^\| ([\d., ]+) \|", PAGE, re.M) for id in cell.split(", ")}
    assert wanted() - answered == set()


def test_every_test_that_is_named_exists() -> None:
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - tests == set()


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:apps|tests|static|config|docs)/[\w/.]+)`", PAGE))
    assert {path for path in named if not (ROOT / path).exists()} == set()
