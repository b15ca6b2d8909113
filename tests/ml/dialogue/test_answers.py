"""What a model wrote is said only where it stands in the passages that it cites."""

from __future__ import annotations

import pytest

from ml.dialogue.answers import Fault, judged, judged_so_far

PASSAGE = "A transfer abroad takes two working days and costs 12 euros. See bank.com/fees for the fees."


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("A transfer abroad takes two working days [1].", None),
        ("国外转账需要两个工作日，费用为 12 欧元 [1]。", None),
        ("You will receive a full refund tomorrow without any questions 好 [1]", Fault.UNGROUNDED),
        ("A transfer abroad takes two working days, see evil.com [1].", Fault.UNGROUNDED),
        ("A transfer abroad costs 13 euros [1].", Fault.UNGROUNDED),
        ("A transfer abroad takes two working days.", Fault.UNCITED),
        ("A transfer abroad takes two working days [2].", Fault.MISCITED),
    ],
)
def test_an_answer_rests_on_what_it_cites(written: str, fault: Fault | None) -> None:
    assert judged(written, "How long does a transfer take?", [PASSAGE]).fault == fault


FIRST, SECOND = "A transfer abroad takes two working days [1].", "It costs 12 euros [1]."


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", ""),
        ("A transfer abroad takes two", ""),
        # More citations may follow, and the next word shows that none does.
        (FIRST, ""),
        (f"{FIRST} It", FIRST),
        (f"{FIRST} {SECOND}", FIRST),
        (f"{FIRST} {SECOND} The", f"{FIRST} {SECOND}"),
        ("A transfer abroad takes two working days. [1] It costs", "A transfer abroad takes two working days. [1]"),
        ("国外转账需要两个工作日[1]。费用", "国外转账需要两个工作日[1]。"),
        # Neither a sentence without a citation nor one with a wrong one, nor anything behind it.
        ("A transfer abroad takes two working days. It costs", ""),
        (f"It costs 13 euros [1]. {FIRST} It", ""),
        (f"{FIRST} It costs 13 euros [1]. {SECOND} The", FIRST),
        (f"{FIRST} See evil.com [1]. The", FIRST),
        (f"A transfer abroad takes two working days [2]. {FIRST} It", ""),
        ("UNKNOWN [1]. It", ""),
        ("See bank.com/fees for the fees [1]. It", "See bank.com/fees for the fees [1]."),
    ],
)
def test_of_what_is_being_written_only_checked_sentences_are_shown(written: str, shown: str) -> None:
    assert judged_so_far(written, "How long does a transfer take?", [PASSAGE]) == shown
