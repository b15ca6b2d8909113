"""Why a document was not read stands there in the reader's language, whatever the reason was."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from apps.core.errors import BudgetExceeded, CapReached, InsufficientQuota, MillraceError, SubscriptionPastDue
from apps.knowledge.errors import KnowledgeFull, words_for

MONEY = [InsufficientQuota, BudgetExceeded, CapReached, SubscriptionPastDue, KnowledgeFull]


@pytest.mark.parametrize("kind", MONEY, ids=lambda kind: kind.code)
def test_what_holds_reading_up_for_want_of_money_has_words_of_its_own(kind: type[MillraceError]) -> None:
    english = words_for(kind.code)
    assert english != words_for("nothing that is known")
    with override("zh-hans"):
        assert words_for(kind.code) not in {english, words_for("nothing that is known")}
