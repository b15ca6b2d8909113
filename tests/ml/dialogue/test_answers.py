"""What a model wrote is said only where it stands in the passages that it cites."""

from __future__ import annotations

import pytest

from ml.dialogue.answers import Fault, judged

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
