"""What a slot allows: a pattern that would take for ever keeps nobody waiting."""

from datetime import date

import pytest

from ml.dialogue.flows import FlowError, parse_flows
from ml.dialogue.flows.model import Slot, Text
from ml.dialogue.slots import is_valid

TODAY = date(2026, 11, 26)
FLOWS = "flows:\n  a:\n    slots:\n      code: {kind: text, ask: Which, pattern: '%s'}\n    steps: [{ask: code}]\n"


def slot(pattern: str) -> Slot:
    return Slot("code", "text", Text({"en": "Which?"}), pattern=pattern)


@pytest.mark.parametrize(("value", "fits"), [("AB-12", True), ("ab-12", False), ("AB-123", False)])
def test_a_value_fits_the_whole_pattern(value: str, fits: bool) -> None:
    assert is_valid(slot("[A-Z]{2}-[0-9]{2}"), value, TODAY) == fits


def test_a_pattern_that_is_tried_for_too_long_does_not_fit() -> None:
    """Given the time it would: the second branch matches, behind millions of ways in which the first does not."""
    assert not is_valid(slot("(?:a|aa)+b|a{36}"), "a" * 36, TODAY)


@pytest.mark.parametrize("pattern", ["a" * 201, "(", "(?R)"])
def test_patterns_that_are_too_long_or_cannot_be_read_are_told_with_their_line(pattern: str) -> None:
    with pytest.raises(FlowError) as caught:
        parse_flows(FLOWS % pattern)
    assert [each.line for each in caught.value.problems] == [4]
    assert parse_flows(FLOWS % ("a" * 200)).named("a")
