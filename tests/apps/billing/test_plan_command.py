"""The operator's command for plans."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.billing.models import Plan


def plan(*arguments: str) -> str:
    out = StringIO()
    call_command("plan", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_a_plan_is_shown_and_changed() -> None:
    before = Plan.objects.get(code="free")
    assert f"monthly_tokens {before.monthly_tokens}" in plan("free")
    assert "monthly_tokens 123" in plan("free", "--monthly-tokens", "123")
    after = Plan.objects.get(code="free")
    assert (after.monthly_tokens, after.max_queued) == (123, before.max_queued)


@pytest.mark.django_db
def test_a_plans_share_is_shown_and_changed() -> None:
    assert "weight 4, max_running 128" in plan("pro")
    assert "weight 8, max_running 3" in plan("pro", "--weight", "8", "--max-running", "3")


MISTAKES = [
    (["nothing"], "known: enterprise, free, pro"),
    (["free", "--max-queued=-1"], "negative"),
    (["free", "--weight=0"], "weight: .*1"),
    (["free", "--weight=1001"], "weight: .*1000"),
    (["free", "--max-running=0"], "max_running: .*1"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("arguments", "named"), MISTAKES)
def test_a_mistake_is_named_and_changes_nothing(arguments: list[str], named: str) -> None:
    with pytest.raises(CommandError, match=named):
        plan(*arguments)
    assert Plan.objects.get(code="free").max_queued > 0
