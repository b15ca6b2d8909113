"""Nothing is stored that nobody has declared: every table stands in a `privacy.py`, or here with its reason."""

import pytest
from django.apps import apps
from django.db import models

from apps.accounts.models import User
from apps.core.datakinds import DataKind, OnErasure, kinds
from apps.core.tenancy import TenantModel

# Tables of the operator and of libraries that hold nothing about a person or a customer.
NOTHING_ABOUT_ANYBODY = {
    "accounts.InstallationEntry",
    "auth.Group",
    "auth.Permission",
    "billing.CreditPack",
    "billing.Plan",
    "billing.PlanAllowance",
    "billing.PlanPrice",
    "billing.PlanRate",
    "billing.StripeCatalogue",
    "billing.StripeCursor",
    "billing.StripeEvent",
    "contenttypes.ContentType",
    "core.FeatureSwitch",
    "licensing.VerificationKey",
    "market.Sponsor",
    "market.SponsorDay",
    "registry.ModelAlias",
    "registry.ModelVersion",
    "socialaccount.SocialApp",
}


def test_every_table_is_declared() -> None:
    declared = {kind.model for kind in kinds()}
    found = {model._meta.label for model in apps.get_models()}
    missing = found - declared - NOTHING_ABOUT_ANYBODY
    assert not missing, f"add a DataKind for {sorted(missing)} to the app's privacy.py: what, why, how long, on erasure"
    assert not (declared | NOTHING_ABOUT_ANYBODY) - found, "declared, and not there"


@pytest.mark.parametrize("label", sorted(NOTHING_ABOUT_ANYBODY))
def test_what_is_left_out_belongs_to_nobody(label: str) -> None:
    model = apps.get_model(label)
    assert not issubclass(model, TenantModel)
    assert not [field for field in model._meta.get_fields() if names_person(field) and field.concrete]


def names_person(field: object) -> bool:
    return isinstance(field, models.ForeignKey) and issubclass(field.related_model, User)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_every_field_that_names_a_person_is_declared(kind: DataKind) -> None:
    named = {field.name for field in kind.table._meta.get_fields() if names_person(field)}
    assert named <= set(kind.people), f"{kind.model}: {named - set(kind.people)} name a person"
    assert (kind.erasure == OnErasure.NOTHING) == (not kind.about_people), f"{kind.model}: and on erasure?"
    named_only = {OnErasure.NOTHING, OnErasure.DELETE, OnErasure.DETACH}
    assert kind.erase or kind.erasure in named_only, f"{kind.model}: this takes code of its own"
    assert not kind.addresses or kind.erase or kind.erasure == OnErasure.DELETE, f"{kind.model}: an address stays"


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_no_secret_leaves_in_an_export(kind: DataKind) -> None:
    marks = ("password", "secret", "digest", "token", "session_key", "session_data", "salt", "seed_key")
    shown = [name for name in kind.columns() if any(mark in name.split("__")[-1] for mark in marks)]
    counted = {name for name in shown if name == "tokens" or name.endswith("_tokens")}
    assert set(shown) <= counted | {"content_digest", "oauth_token_url"}, f"{kind.model} exports {shown}"


@pytest.mark.parametrize("kind", [each for each in kinds() if each.retention.adjustable], ids=lambda kind: kind.name)
def test_a_term_has_bounds_and_a_default_within_them(kind: DataKind) -> None:
    term = kind.retention
    assert 0 <= term.least < term.most
    assert term.days is None or term.least <= term.days <= term.most
    assert kind.of_organizations, "a term is chosen by an organization"


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_how_long_is_always_said(kind: DataKind) -> None:
    assert kind.retention.adjustable or str(kind.retention.words)
    assert str(kind.what).endswith(".")
    assert str(kind.why).endswith(".")
