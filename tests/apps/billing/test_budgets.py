"""Budgets of members and teams: held with the allowance, never exceeded, given back, and told of in time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import mail as django_mail

from apps.accounts import services as accounts
from apps.accounts.models import Membership, Team, User
from apps.accounts.services.keys import KeyLimits
from apps.billing import services as billing
from apps.billing.budgets import states_for
from apps.billing.models import Budget, BudgetKind, BudgetPeriod, Spender
from apps.billing.services import BudgetFor, Charge, Purpose
from apps.core import mail, tenancy
from apps.core.errors import BudgetExceeded, Conflict, InsufficientQuota, InvalidRequest, NotFound, PermissionDenied
from tests.helpers.people import Tenant, acting, add_person, audit_of, events_of, member_of
from tests.helpers.plans import limits
from tests.helpers.threads import together

NO_PRICE: dict[str, Any] = {"input_price": 0, "output_price": 0}
PLENTY = limits(10**9)
DEFAULT = BudgetFor(BudgetKind.DEFAULT)


def hold(tenant: Tenant, tokens: int, user: User | None = None, key: UUID | None = None, **more: Any) -> UUID:
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(
            job, billing.tokens(tokens, 0), PLENTY, purpose=Purpose(user.pk if user else None, key, "house"), **more
        )
    return job


def settle(tenant: Tenant, job: UUID, tokens: int) -> None:
    with tenancy.scope(tenant.id):
        billing.settle(job, Charge(tokens, 0, **NO_PRICE))


def use(tenant: Tenant, user: User, tokens: int) -> None:
    settle(tenant, hold(tenant, tokens, user), tokens)


def of_member(tenant: Tenant, user: User) -> BudgetFor:
    return BudgetFor(BudgetKind.MEMBER, member_of(tenant, user).pk)


def team_of(tenant: Tenant, *people: User, name: str = "Writers") -> Team:
    team = accounts.create_team(tenant.actor, name)
    for person in people:
        accounts.add_to_team(tenant.actor, team.pk, member_of(tenant, person).pk)
    return team


def sums(tenant: Tenant, user: User | None = None, team: Team | None = None) -> tuple[int, int]:
    """(held, used) of a member or a team."""
    with tenancy.scope(tenant.id):
        owner = team.pk if team else Spender.objects.get(user=user).pk
        row = BudgetPeriod.objects.filter(owner_id=owner).first()
    return (row.held_tokens, row.used_tokens) if row else (0, 0)


def test_a_call_over_the_members_budget_is_refused_and_leaves_nothing(org_a: Tenant) -> None:
    billing.create_budget(org_a.actor, of_member(org_a, org_a.member), 100)
    hold(org_a, 60, org_a.member)
    with pytest.raises(BudgetExceeded) as refused:
        hold(org_a, 41, org_a.member)
    assert (refused.value.code, refused.value.status, refused.value.should_retry) == ("budget_exceeded", 429, False)
    assert refused.value.body()["error"]["type"] == "insufficient_quota"
    assert f"member {org_a.member.email}" in refused.value.message
    assert "40 are left" in refused.value.message
    hold(org_a, 40, org_a.member)
    assert sums(org_a, org_a.member) == (100, 0)
    hold(org_a, 5000, org_a.owner)


def test_what_was_not_used_comes_back_to_every_budget(org_a: Tenant) -> None:
    team = team_of(org_a, org_a.member)
    billing.create_budget(org_a.actor, of_member(org_a, org_a.member), 100)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.TEAM, team.pk), 100)
    first, second = hold(org_a, 50, org_a.member), hold(org_a, 50, org_a.member)
    settle(org_a, first, 20)
    with tenancy.scope(org_a.id):
        billing.release(second)
    assert sums(org_a, org_a.member) == sums(org_a, team=team) == (0, 20)


def test_a_teams_budget_is_that_of_all_its_members_together(org_a: Tenant) -> None:
    team = team_of(org_a, org_a.member, org_a.admin)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.TEAM, team.pk), 100)
    hold(org_a, 60, org_a.member)
    with pytest.raises(BudgetExceeded, match="team Writers"):
        hold(org_a, 60, org_a.admin)
    hold(org_a, 60, org_a.owner)


def test_who_has_left_a_team_gives_back_to_it_what_was_held_there(org_a: Tenant) -> None:
    team = team_of(org_a, org_a.member)
    job = hold(org_a, 60, org_a.member)
    accounts.remove_from_team(org_a.actor, team.pk, member_of(org_a, org_a.member).pk)
    settle(org_a, job, 10)
    hold(org_a, 30, org_a.member)
    assert sums(org_a, team=team) == (0, 10)


def test_the_default_holds_for_each_member_without_a_budget_of_their_own(org_a: Tenant) -> None:
    billing.create_budget(org_a.actor, DEFAULT, 50)
    billing.create_budget(org_a.actor, of_member(org_a, org_a.admin), 500)
    hold(org_a, 50, org_a.member)
    hold(org_a, 50, org_a.owner)
    hold(org_a, 500, org_a.admin)
    for person in (org_a.member, org_a.owner, org_a.admin):
        with pytest.raises(BudgetExceeded):
            hold(org_a, 1, person)


def test_a_key_counts_for_the_member_who_owns_it(org_a: Tenant) -> None:
    billing.create_budget(org_a.actor, of_member(org_a, org_a.owner), 100)
    hold(org_a, 60, org_a.owner)
    with pytest.raises(BudgetExceeded):
        hold(org_a, 60, key=org_a.api_key.pk)
    hold(org_a, 40, key=org_a.api_key.pk)
    assert sums(org_a, org_a.owner) == (100, 0)


def test_a_service_accounts_key_counts_for_no_member(org_a: Tenant) -> None:
    account = accounts.create_service_account(org_a.actor, "Robot", "member")
    limits = accounts.KeyLimits(service_account_id=account.pk)
    key, _ = accounts.create_api_key(org_a.actor, "robot", limits=limits)
    billing.create_budget(org_a.actor, of_member(org_a, org_a.owner), 100)
    hold(org_a, 500, key=key.pk)
    hold(org_a, 100, org_a.owner)
    assert sums(org_a, org_a.owner) == (100, 0)


def test_a_service_account_has_a_budget_of_its_own(org_a: Tenant, org_b: Tenant) -> None:
    robot = accounts.create_service_account(org_a.actor, "Robot", "member")
    key, _ = accounts.create_api_key(org_a.actor, "its key", limits=KeyLimits(service_account_id=robot.pk))
    billing.create_budget(org_a.actor, DEFAULT, 10)
    hold(org_a, 100, key=key.pk)
    owner = BudgetFor(BudgetKind.SERVICE_ACCOUNT, robot.pk)
    with pytest.raises(NotFound):
        billing.create_budget(org_b.actor, owner, 150)
    billing.create_budget(org_a.actor, owner, 150)
    with pytest.raises(BudgetExceeded, match="service account Robot"):
        hold(org_a, 51, key=key.pk)
    hold(org_a, 50, key=key.pk)
    hold(org_a, 10, org_a.owner)


def test_a_budget_counts_what_was_used_before_it_was_set(org_a: Tenant) -> None:
    team = team_of(org_a, org_a.member)
    use(org_a, org_a.member, 90)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.TEAM, team.pk), 100)
    with pytest.raises(BudgetExceeded):
        hold(org_a, 11, org_a.member)


def test_a_budget_renews_with_the_month(org_a: Tenant) -> None:
    last, first = datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    billing.create_budget(org_a.actor, DEFAULT, 100)
    job = hold(org_a, 100, org_a.member, now=last)
    with pytest.raises(BudgetExceeded, match="renews on 2026-12-01"):
        hold(org_a, 1, org_a.member, now=last)
    hold(org_a, 100, org_a.member, now=first)
    settle(org_a, job, 80)
    with tenancy.scope(org_a.id):
        rows = BudgetPeriod.objects.order_by("month").values_list("held_tokens", "used_tokens")
        assert list(rows) == [(0, 80), (100, 0)]


def test_the_organizations_allowance_still_holds(org_a: Tenant) -> None:
    billing.create_budget(org_a.actor, DEFAULT, 10**6)
    few = limits(100)
    with pytest.raises(InsufficientQuota) as refused, tenancy.scope(org_a.id):
        billing.hold(uuid4(), billing.tokens(101, 0), few, purpose=Purpose(org_a.member.pk))
    assert refused.value.code == "insufficient_quota"


def test_a_budget_costs_a_hold_no_question_more(org_a: Tenant, django_assert_num_queries: Any) -> None:
    hold(org_a, 1, org_a.member)
    with tenancy.scope(org_a.id), django_assert_num_queries(3):
        billing.hold(uuid4(), billing.tokens(1, 0), PLENTY, purpose=Purpose(org_a.member.pk))
    billing.create_budget(org_a.actor, DEFAULT, 100)
    with tenancy.scope(org_a.id), django_assert_num_queries(3):
        job = billing.hold(uuid4(), billing.tokens(1, 0), PLENTY, purpose=Purpose(org_a.member.pk)).job_id
    with tenancy.scope(org_a.id), django_assert_num_queries(1):
        billing.settle(job, Charge(1, 0, **NO_PRICE))


@pytest.mark.django_db(transaction=True)
def test_fifty_calls_at_once_never_exceed_a_budget(org_a: Tenant) -> None:
    team = team_of(org_a, org_a.member, org_a.admin)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.TEAM, team.pk), 100)
    billing.create_budget(org_a.actor, of_member(org_a, org_a.member), 50)
    calls = [lambda who=who: hold(org_a, 7, who) for who in [org_a.member, org_a.admin] * 25]
    results = together(calls)
    assert {type(result) for result in results} == {UUID, BudgetExceeded}
    assert sums(org_a, team=team) == (98, 0)
    assert sums(org_a, org_a.member)[0] <= 49
    assert sums(org_a, org_a.member)[0] + sums(org_a, org_a.admin)[0] == 98


@pytest.mark.django_db(transaction=True)
def test_holds_settlements_and_changes_of_budgets_at_once_do_not_wait_for_each_other(org_a: Tenant) -> None:
    people = [org_a.member, org_a.admin, org_a.owner]
    for number in range(3):
        team_of(org_a, *people, name=f"Team {number}")
    budget = billing.create_budget(org_a.actor, DEFAULT, 10**6)

    def work(number: int) -> None:
        if number % 5 == 0:
            billing.change_budget(org_a.actor, budget.pk, 10**6 + number)
        use(org_a, people[number % 3], 3)

    assert together([lambda number=number: work(number) for number in range(30)]) == [None] * 30
    assert [sums(org_a, person) for person in people] == [(0, 30)] * 3


def test_only_who_manages_budgets_sets_them(org_a: Tenant) -> None:
    member = acting(org_a, org_a.member)
    budget = billing.create_budget(org_a.actor, DEFAULT, 100)
    refused = (
        lambda: billing.create_budget(member, of_member(org_a, org_a.member), 10),
        lambda: billing.change_budget(member, budget.pk, 10**9),
        lambda: billing.remove_budget(member, budget.pk),
        lambda: billing.get_budget(member, budget.pk),
    )
    for act in refused:
        with pytest.raises(PermissionDenied):
            act()
    billing.change_budget(acting(org_a, add_person(org_a, "bill", "billing")), budget.pk, 200)


def test_another_organizations_budgets_members_and_teams_do_not_exist(org_a: Tenant, org_b: Tenant) -> None:
    budget = billing.create_budget(org_a.actor, DEFAULT, 100)
    team = team_of(org_a, org_a.member)
    refused = (
        lambda: billing.create_budget(org_b.actor, of_member(org_a, org_a.member), 10),
        lambda: billing.create_budget(org_b.actor, BudgetFor(BudgetKind.TEAM, team.pk), 10),
        lambda: billing.change_budget(org_b.actor, budget.pk, 1),
        lambda: billing.remove_budget(org_b.actor, budget.pk),
        lambda: billing.get_budget(org_b.actor, budget.pk),
        lambda: billing.get_budget(org_b.actor, uuid4()),
    )
    for act in refused:
        with pytest.raises(NotFound):
            act()
    hold(org_b, 10**6, org_b.member)
    with tenancy.scope(org_b.id):
        assert not Budget.objects.exists()


def test_a_budget_is_set_once_and_every_change_is_recorded(org_a: Tenant) -> None:
    budget = billing.create_budget(org_a.actor, of_member(org_a, org_a.member), 100)
    with pytest.raises(Conflict):
        billing.create_budget(org_a.actor, of_member(org_a, org_a.member), 200)
    with pytest.raises(InvalidRequest):
        billing.change_budget(org_a.actor, budget.pk, -1)
    billing.change_budget(org_a.actor, budget.pk, 200)
    billing.change_budget(org_a.actor, budget.pk, 200)
    billing.remove_budget(org_a.actor, budget.pk)
    for action in ("budget.created", "budget.changed", "budget.deleted"):
        [entry] = audit_of(org_a, action)
        assert entry.object_name == org_a.member.email
        assert action in events_of(org_a)
    [changed] = audit_of(org_a, "budget.changed")
    assert (changed.before, changed.after) == ({"monthly_tokens": 100}, {"monthly_tokens": 200})


def test_a_deleted_team_takes_its_budget_along_and_its_work_still_settles(org_a: Tenant) -> None:
    team = team_of(org_a, org_a.member)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.TEAM, team.pk), 100)
    job = hold(org_a, 10, org_a.member)
    accounts.delete_team(org_a.actor, team.pk)
    settle(org_a, job, 10)
    hold(org_a, 1000, org_a.member)
    with tenancy.scope(org_a.id):
        assert not states_for(org_a.member.pk)


def test_a_member_sees_the_budgets_that_bind_them(org_a: Tenant) -> None:
    team = team_of(org_a, org_a.member)
    billing.create_budget(org_a.actor, DEFAULT, 100)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.TEAM, team.pk), 1000)
    billing.create_budget(org_a.actor, of_member(org_a, org_a.admin), 5)
    use(org_a, org_a.member, 30)
    with tenancy.scope(org_a.id):
        shown = [(state.budget.kind, state.used, state.remaining) for state in states_for(org_a.member.pk)]
        assert shown == [("default", 30, 70), ("team", 30, 970)]
        assert [state.budget.monthly_tokens for state in states_for(org_a.admin.pk)] == [5]


# ---------------------------------------------------------------- alerts


@pytest.fixture
def sent(transactional_db: None) -> Iterator[Any]:
    """`sent()`: looks for what people are to be told, sends it, and returns (subject, recipient) of each mail."""

    def look() -> list[tuple[str, str]]:
        django_mail.outbox.clear()
        billing.tell_of_budgets()
        mail.deliver_due()
        return sorted((message.subject, message.to[0]) for message in django_mail.outbox)

    yield look


def test_people_are_told_at_80_and_at_100_percent_once_each(org_a: Tenant, sent: Any) -> None:
    billing.create_budget(org_a.actor, DEFAULT, 100)
    use(org_a, org_a.member, 79)
    assert sent() == []
    use(org_a, org_a.member, 1)
    told = sorted([org_a.member.email, org_a.owner.email])
    assert sent() == [(f"The token budget of {org_a.member.email} is nearly used up", to) for to in told]
    assert sent() == []
    use(org_a, org_a.member, 20)
    assert sent() == [(f"The token budget of {org_a.member.email} is used up", to) for to in told]
    assert sent() == []
    assert [entry.detail["used"] for entry in audit_of(org_a, "budget.nearly_used")] == [80]
    assert [entry.actor_kind for entry in audit_of(org_a, "budget.used_up")] == ["system"]
    assert [name for name in events_of(org_a) if name in {"budget.nearly_used", "budget.used_up"}] == [
        "budget.nearly_used",
        "budget.used_up",
    ]


def test_the_first_call_that_a_budget_refuses_is_told_of(org_a: Tenant, sent: Any) -> None:
    team = team_of(org_a, org_a.member)
    billing.create_budget(org_a.actor, BudgetFor(BudgetKind.TEAM, team.pk), 100)
    for _ in range(2):
        with pytest.raises(BudgetExceeded) as refused:
            hold(org_a, 101, org_a.member)
        billing.note_refusal(org_a.id, refused.value, Purpose(org_a.member.pk))
    assert refused.value.told
    assert sent() == [("The token budget of Writers is used up", org_a.owner.email)]
    assert sent() == []


def test_a_budget_that_is_raised_is_told_of_anew(org_a: Tenant, sent: Any) -> None:
    budget = billing.create_budget(org_a.actor, of_member(org_a, org_a.member), 100)
    use(org_a, org_a.member, 100)
    assert len(sent()) == 2
    billing.change_budget(org_a.actor, budget.pk, 1000)
    assert sent() == []
    use(org_a, org_a.member, 700)
    assert {subject for subject, _ in sent()} == {f"The token budget of {org_a.member.email} is nearly used up"}


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_look_at_once_tell_once(org_a: Tenant) -> None:
    billing.create_budget(org_a.actor, DEFAULT, 100)
    use(org_a, org_a.member, 90)
    assert sum(together([billing.tell_of_budgets] * 8)) == 1
    assert len(audit_of(org_a, "budget.nearly_used")) == 1


def test_nobody_who_has_left_is_told(org_a: Tenant, sent: Any) -> None:
    billing.create_budget(org_a.actor, DEFAULT, 100)
    use(org_a, org_a.member, 100)
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.member).delete()
    assert [to for _, to in sent()] == [org_a.owner.email]
