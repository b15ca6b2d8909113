"""What staff does, through the console's own pages: it acts, and the organization reads it in its audit log."""

from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts import services as accounts
from apps.accounts.audit.sentences import sentence
from apps.accounts.models import ApiKey, BrowserSession, InstallationEntry, Membership, User
from apps.billing import services as billing
from apps.core import switches, tenancy
from apps.core.jobs import Status
from apps.core.models import FeatureSwitch
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.staff.abilities import SUPPORT, Ability, abilities_of
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import PASSWORD, Tenant, add_person, audit_of, make_user
from tests.helpers.staff import browser_of, make_staff
from tests.helpers.studio import add_rows, ask, finish, start

pytestmark = pytest.mark.django_db
WHY = "asked for in ticket 4711"


@pytest.fixture
def staff() -> User:
    return make_staff()


@pytest.fixture
def browser(staff: User) -> Client:
    return browser_of(staff)


def act(browser: Client, name: str, id: Any, **data: Any) -> Any:
    """Sends an act's form."""
    return browser.post(reverse(f"staff:{name}", args=[id]), data)


def told(tenant: Tenant, action: str, staff: User) -> str:
    """The one sentence about the act in the organization's log; it was staff who acted."""
    [entry] = audit_of(tenant, action)
    assert entry.actor_kind == "staff"
    assert entry.user_id == staff.pk
    return sentence(entry)


def test_an_act_asks_staff_who_signed_in_long_ago_to_prove_who_they_are(
    browser: Client, org_a: Tenant, settings: Any
) -> None:
    before = billing.limits_of(org_a.id).plan
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    answer = act(browser, "accounts_organization_change_plan", org_a.id, plan="pro", reason=WHY)
    assert answer.status_code == 302
    assert "reauthenticate" in answer["location"]
    assert billing.limits_of(org_a.id).plan == before


def test_another_plan_counts_from_the_next_request_on(browser: Client, staff: User, org_a: Tenant) -> None:
    before = billing.limits_of(org_a.id).plan
    answer = act(browser, "accounts_organization_change_plan", org_a.id, plan="pro", reason=WHY)
    assert answer.status_code == 302
    assert billing.limits_of(org_a.id).plan == "Pro" != before
    assert told(org_a, "subscription.changed", staff) == (
        f"{staff.email} changed the plan from Free to Pro. Reason: {WHY}."
    )


def test_an_act_without_a_reason_is_refused(browser: Client, org_a: Tenant) -> None:
    assert act(browser, "accounts_organization_change_plan", org_a.id, plan="pro", reason="").status_code == 422
    assert billing.limits_of(org_a.id).plan == "Free"
    assert act(browser, "accounts_user_disable", org_a.owner.pk).status_code == 422
    org_a.owner.refresh_from_db()
    assert org_a.owner.is_active


def test_a_shut_account_is_out_at_once_and_opens_again(
    browser: Client, staff: User, org_a: Tenant, org_b: Tenant
) -> None:
    theirs = Client()
    theirs.force_login(org_a.member)
    assert act(browser, "accounts_user_disable", org_a.member.pk, reason=WHY).status_code == 302
    assert not BrowserSession.objects.filter(user=org_a.member).exists()
    assert theirs.get(reverse("dashboard")).status_code == 302
    answer = Client().post(reverse("account_login"), {"login": org_a.member.email, "password": PASSWORD})
    assert Client().get(reverse("dashboard")).status_code == 302
    assert "_auth_user_id" not in answer.client.session
    assert told(org_a, "person.disabled", staff) == f"{staff.email} shut the account of {org_a.member}. Reason: {WHY}."
    assert not audit_of(org_b, "person.disabled")
    assert act(browser, "accounts_user_enable", org_a.member.pk, reason=WHY).status_code == 302
    assert told(org_a, "person.enabled", staff)


def test_each_organization_of_a_person_is_told(browser: Client, staff: User, org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_b.id):
        Membership.objects.create(organization=org_b.organization, user=org_a.member)
    act(browser, "accounts_user_disable", org_a.member.pk, reason=WHY)
    assert told(org_a, "person.disabled", staff)
    assert told(org_b, "person.disabled", staff)


def test_an_act_on_somebody_of_no_organization_stands_in_the_installations_chain(
    browser: Client, staff: User, outsider: User
) -> None:
    act(browser, "accounts_user_disable", outsider.pk, reason=WHY)
    entry = InstallationEntry.objects.get(action="person.disabled")
    assert (entry.actor_kind, entry.actor_name, entry.object_id) == ("staff", f"staff {staff.pk}", outsider.pk)
    assert outsider.email not in str(vars(entry))


def test_lost_second_factors_are_taken_off(browser: Client, staff: User, org_a: Tenant) -> None:
    Authenticator.objects.create(user=org_a.owner, type=Authenticator.Type.TOTP, data={"secret": "none"})
    assert act(browser, "accounts_user_reset_factors", org_a.owner.pk, reason=WHY).status_code == 302
    assert not Authenticator.objects.filter(user=org_a.owner).exists()
    assert told(org_a, "person.factors_reset", staff)


@pytest.mark.parametrize("name", ["accounts_user_disable", "accounts_user_reset_factors"])
def test_staff_does_not_act_on_itself_nor_on_other_staff(name: str, browser: Client, staff: User) -> None:
    other = make_staff("other")
    for person in (staff, other):
        assert act(browser, name, person.pk, reason=WHY).status_code == 422
        person.refresh_from_db()
        assert person.is_active
        assert Authenticator.objects.filter(user=person).exists()


def test_a_key_is_revoked_at_once(browser: Client, staff: User, org_a: Tenant) -> None:
    assert act(browser, "accounts_apikey_revoke", org_a.api_key.pk).status_code == 302
    assert accounts.find_api_key(org_a.key) is None
    assert told(org_a, "api_key.revoked", staff)


def test_a_name_is_pointed_at_another_model(browser: Client, staff: User, model: ModelVersion) -> None:
    other = registry.register_model(registry.ModelDefinition(name="other", remote_url="https://models.example/v1"))
    assert act(browser, "registry_modelalias_move", "default", version="other").status_code == 302
    assert registry.resolve("default") == other
    entry = InstallationEntry.objects.get(action="alias.moved")
    assert (entry.before or {})["version"] == model.name


def test_ids_that_do_not_exist_are_not_found(browser: Client) -> None:
    for id in (UUID(int=7), "not-a-uuid"):
        assert act(browser, "accounts_user_disable", id, reason=WHY).status_code == 404


def test_texts_of_customers_are_not_shown(browser: Client, org_a: Tenant, model: ModelVersion) -> None:
    generation = ask(org_a, "Our secret Xylophone plan.")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = browser.get(reverse("staff:studio_generation_change", args=[generation.pk]))
        rows = browser.get(reverse("staff:studio_generation_changelist"))
    assert page.status_code == rows.status_code == 200
    assert "Xylophone" not in page.text + rows.text
    assert not [query for query in asked if '"studio_generation"."messages"' in query["sql"]]


LISTS = ["accounts_organization", "accounts_user", "accounts_membership", "accounts_apikey", "studio_generation"]


@pytest.mark.parametrize("name", LISTS)
def test_lists_ask_as_many_questions_for_many_rows_as_for_few(
    name: str, browser: Client, org_a: Tenant, org_b: Tenant, model: ModelVersion
) -> None:
    url = reverse(f"staff:{name}_changelist")
    ask(org_a)

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(url).status_code == 200
        return len(asked)

    few = questions()
    for number in range(15):
        person = add_person(org_a, f"person-{number}")
        accounts.create_organization(person, f"Organization {number}")
        accounts.create_api_key(org_a.actor, f"key {number}")
    add_rows(org_a, model, 15)
    assert questions() == few


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("accounts_organization", "Org-A"),
        ("accounts_user", "owner@org-a.example"),
        ("accounts_membership", "owner@org-a.example"),
        ("accounts_apikey", "Org-A"),
    ],
)
def test_lists_are_searched(name: str, words: str, browser: Client, org_a: Tenant, org_b: Tenant) -> None:
    page = browser.get(reverse(f"staff:{name}_changelist"), {"q": words})
    assert words in page.text
    assert "Org-B" not in page.text
    assert "owner@org-b.example" not in page.text


# ---------------------------------------------------------------- switches
def turn(browser: Client, name: str, **data: Any) -> int:
    status: int = browser.post(reverse("staff:switch", args=[name]), data).status_code
    switches.forget()
    return status


def test_sign_up_is_closed_and_opened_by_a_switch(browser: Client, staff: User) -> None:
    page = reverse("account_signup")
    assert 'name="password1"' in Client().get(page).text
    assert turn(browser, "sign_up", scope="all", state="off") == 302
    assert 'name="password1"' not in Client().get(page).text
    form = {"email": "new@new.example", "password1": PASSWORD, "password2": PASSWORD, "organization_name": "New"}
    Client().post(page, form)
    assert not User.objects.filter(email="new@new.example").exists()
    assert turn(browser, "sign_up", scope="all", state="") == 302
    assert 'name="password1"' in Client().get(page).text
    entries = InstallationEntry.objects.filter(object_type="core.featureswitch").order_by("sequence")
    assert [(entry.action, entry.actor_name, (entry.after or {})["on"]) for entry in entries] == [
        ("switch.changed", f"staff {staff.pk}", False),
        ("switch.changed", f"staff {staff.pk}", None),
    ]


def test_a_switch_for_one_organization_is_in_its_log_and_on_its_pages_only(
    browser: Client, staff: User, org_a: Tenant, org_b: Tenant, client_of: Any
) -> None:
    slug = org_a.organization.slug
    assert turn(browser, "maintenance_notice", scope="organization", organization=slug, state="on") == 302
    assert "Maintenance is under way" in client_of(org_a.owner).get(reverse("dashboard")).text
    assert "Maintenance is under way" not in client_of(org_b.owner).get(reverse("dashboard")).text
    assert "maintenance_notice" in told(org_a, "switch.changed", staff)
    assert not audit_of(org_b, "switch.changed")


def test_a_percentage_takes_always_the_same_organizations(db: None) -> None:
    FeatureSwitch.objects.create(name="maintenance_notice", scope="percentage", percentage=30, on=True)
    switches.forget()
    ids = [UUID(int=number) for number in range(1000)]
    first = [switches.is_on("maintenance_notice", id) for id in ids]
    assert first == [switches.is_on("maintenance_notice", id) for id in ids]
    assert 250 < sum(first) < 350


@pytest.mark.parametrize(
    "data",
    [
        {"scope": "organization", "state": "on"},
        {"scope": "organization", "organization": "nobody", "state": "on"},
        {"scope": "percentage", "percentage": 101, "state": "on"},
        {"scope": "nonsense", "state": "on"},
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(data: dict[str, Any], browser: Client) -> None:
    assert turn(browser, "maintenance_notice", **data) == 422
    assert not FeatureSwitch.objects.exists()


# ---------------------------------------------------------------- who is staff
def test_a_command_makes_staff_and_unmakes_it(capsys: pytest.CaptureFixture[str]) -> None:
    person = make_user("somebody@operator.example")
    call_command("create_staff", "Somebody@operator.example", role=SUPPORT)
    person.refresh_from_db()
    assert abilities_of(person) == {Ability.READ, Ability.RETRY, Ability.IMPERSONATE}
    assert "Password" not in capsys.readouterr().out
    entry = InstallationEntry.objects.get(action="person.staff_changed")
    assert (entry.object_id, (entry.after or {})["is_staff"]) == (person.pk, True)
    assert person.email not in str(vars(entry))
    call_command("create_staff", "somebody@operator.example", "--remove")
    assert not abilities_of(User.objects.get(pk=person.pk))
    with pytest.raises(CommandError):
        call_command("create_staff", "somebody@operator.example", "--remove")


def test_a_command_creates_an_account_whose_password_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_staff", "new@operator.example", role="superuser")
    password = capsys.readouterr().out.partition("shown this once: ")[2].split()[0]
    person = User.objects.get(email="new@operator.example")
    assert person.check_password(password)
    assert abilities_of(person) == set(Ability)


def test_keys_are_listed_without_what_opens(browser: Client, org_a: Tenant) -> None:
    page = browser.get(reverse("staff:accounts_apikey_changelist")).text
    with tenancy.scope(org_a.id):
        digest = ApiKey.objects.get().digest
    assert org_a.api_key.prefix in page
    assert digest not in page


# ---------------------------------------------------------------- failed work
def fail(tenant: Tenant) -> Generation:
    ask(tenant)
    running = start()
    assert finish(running, Outcome(Status.FAILED, "", error_code="out_of_memory", error_message="No room."))
    return running


def test_support_has_one_failed_generation_done_again(org_a: Tenant, model: ModelVersion) -> None:
    person, failed = make_staff(group=SUPPORT), fail(org_a)
    answer = act(browser_of(person), "studio_generation_repeat", failed.pk)
    assert answer.status_code == 302
    assert told(org_a, "generation.repeated", person)
    with tenancy.scope(org_a.id):
        again = Generation.objects.get(repeats=failed.pk)
    assert again.created_by_id == org_a.owner.pk


def test_selected_ones_are_done_again_each_in_its_own_organization(
    browser: Client, org_a: Tenant, org_b: Tenant, model: ModelVersion
) -> None:
    failed = [fail(org_a), fail(org_b)]
    waiting = ask(org_a)
    ids = [str(row.pk) for row in [*failed, waiting]]
    url = reverse("staff:studio_generation_changelist")
    data = {"action": "repeat_selected", "_selected_action": ids}
    page = browser.post(url, data, follow=True)
    assert "Done again: 2" in page.text
    assert "1 × Only a generation that failed is done again." in page.text
    for tenant, row in zip((org_a, org_b), failed, strict=True):
        with tenancy.scope(tenant.id):
            assert Generation.objects.filter(repeats=row.pk).count() == 1


def test_failed_ones_are_found_by_their_code(browser: Client, org_a: Tenant, model: ModelVersion) -> None:
    failed, waiting = fail(org_a), ask(org_a)
    page = browser.get(reverse("staff:studio_generation_changelist"), {"error_code": "out_of_memory"})
    assert str(failed.pk) in page.text
    assert str(waiting.pk) not in page.text
