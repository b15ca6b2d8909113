"""Every table of the database, not only every model, is walled or is on a list that somebody has reviewed."""

import pytest
from django.apps import apps
from django.db import connection

from apps.core.tenancy.migrations import APPLICATION_ROLE
from tests.helpers.tenancy import assert_walled, tenant_models

# No organization's rows: people, the operator's own tables, and Django's. A new line needs a reason.
SHARED_TABLES = {
    "accounts_installationentry": "what happened to the operator's plans and staff; names nobody",
    "accounts_browsersession": "a browser, keyed by its secret; the person may be in several organizations",
    "accounts_factorsecret": "a person's second factor, sealed",
    "accounts_user": "a person may belong to several organizations",
    "accounts_user_groups": "which group of staff somebody is in",
    "accounts_user_user_permissions": "unused, comes with Django's permissions",
    "account_emailaddress": "a person's addresses (allauth)",
    "account_emailconfirmation": "a person's addresses (allauth)",
    "auth_group": "Django",
    "auth_group_permissions": "Django",
    "auth_permission": "Django",
    "billing_creditpack": "the operator sells the same packs to all",
    "billing_plan": "the operator sells the same plans to all",
    "billing_planallowance": "what a plan includes",
    "billing_planprice": "what a plan costs",
    "billing_planrate": "what is paid beyond a plan's allowance",
    "billing_stripecatalogue": "which of Stripe's products and prices stand for the operator's plans",
    "billing_stripecursor": "up to when Stripe's list of events has been read",
    "billing_stripeevent": "events from Stripe, ids only; whose they are turns out when they are handled",
    "django_admin_log": "unused, comes with Django's admin",
    "django_content_type": "Django",
    "django_migrations": "Django",
    "core_featureswitch": "the operator's switches; one may be about an organization, and holds nothing of it",
    "core_mail": "mails to people, sealed until they are sent",
    "market_sponsor": "the operator's sponsored slots",
    "market_sponsorday": "how often a slot was shown and followed in a day, by nobody in particular",
    "licensing_verificationkey": "the public halves of the installation's signing keys",
    "mfa_authenticator": "a person's second factors (allauth)",
    "privacy_consent": "what a person has agreed to, for all organizations alike",
    "privacy_erasedperson": "the register of erasures: digests, which name nobody",
    "registry_modelalias": "the operator's models",
    "socialaccount_socialaccount": "a person's accounts at other services (allauth)",
    "socialaccount_socialapp": "unused: clients come from the environment (allauth)",
    "socialaccount_socialtoken": "unused: no token is kept (allauth)",
    "registry_modelversion": "the operator's models",
}
APPEND_ONLY = {
    "accounts_installationentry",
    "accounts_auditanchor",
    "accounts_auditentry",
    "accounts_auditverification",
    "billing_creditentry",
    "billing_ledgerentry",
    "core_event",
    "market_earning",
    "studio_brandvoiceversion",
    "studio_safetypolicy",
    "studio_templateapproval",
    "studio_templateversion",
    "support_articleversion",
    "support_dataset",
    "support_flowapproval",
    "support_flowversion",
    "privacy_erasedperson",
}
pytestmark = pytest.mark.django_db


def column(query: str, *parameters: object) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return {row[0] for row in cursor.fetchall()}


def all_tables() -> set[str]:
    return column(
        "SELECT relname FROM pg_class"
        " WHERE relkind IN ('r', 'p', 'f', 'm', 'v') AND relnamespace = 'public'::regnamespace"
    )


@pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model._meta.label)
def test_every_tenant_table_is_walled(model: type) -> None:
    assert_walled(model)


def test_every_other_table_has_been_reviewed() -> None:
    walled = {model._meta.db_table for model in tenant_models()}
    assert all_tables() - walled == set(SHARED_TABLES)


def test_no_table_with_an_organization_escapes() -> None:
    """Also tables that no model of ours knows, such as those for many-to-many fields and history triggers."""
    named = column(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name IN ('organization_id', 'tenant_id', 'org_id')"
    )
    assert named == {model._meta.db_table for model in tenant_models()} - {"accounts_organization"}


def test_no_shared_table_points_at_a_tenants_rows() -> None:
    tenants = {model._meta.db_table for model in tenant_models()}
    pointing = column(
        "SELECT conrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid::regclass::text = ANY(%s)",
        list(tenants),
    )
    assert pointing <= tenants


def test_every_model_is_in_the_database() -> None:
    assert {model._meta.db_table for model in apps.get_models()} <= all_tables()


def test_the_application_owns_nothing_and_may_create_nothing() -> None:
    owned = "SELECT relname FROM pg_class WHERE relowner = %s::regrole AND relnamespace = 'public'::regnamespace"
    assert column(owned, APPLICATION_ROLE) == set()
    assert column("SELECT has_schema_privilege(%s, 'public', 'CREATE')::text", APPLICATION_ROLE) == {"false"}


def test_past_entries_are_the_only_tables_that_only_grow() -> None:
    changeable = column(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND (has_table_privilege(%s, oid, 'UPDATE') OR has_table_privilege(%s, oid, 'DELETE'))",
        APPLICATION_ROLE,
        APPLICATION_ROLE,
    )
    assert all_tables() - changeable == APPEND_ONLY
    truncatable = "SELECT relname FROM pg_class WHERE relkind = 'r' AND has_table_privilege(%s, oid, 'TRUNCATE')"
    assert column(truncatable, APPLICATION_ROLE) == set()


def test_no_function_steps_around_the_wall() -> None:
    """SECURITY DEFINER would run as the owner; today there is none."""
    definers = "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
    assert column(definers) == set()
