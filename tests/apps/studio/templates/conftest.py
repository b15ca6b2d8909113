"""A template as a member writes one, and people who may do more or less with it."""

from __future__ import annotations

import pytest

from apps.accounts.access import Actor
from apps.studio.models import TemplateVersion
from apps.studio.services import templates
from tests.helpers.people import Tenant, acting
from tests.helpers.templates import FACTS


@pytest.fixture
def member(org_a: Tenant) -> Actor:
    return acting(org_a, org_a.member)


@pytest.fixture
def admin(org_a: Tenant) -> Actor:
    return acting(org_a, org_a.admin)


@pytest.fixture
def copy(member: Actor) -> TemplateVersion:
    """The first version of the template `copy`, written by a member."""
    return templates.create(member, "Copy", FACTS)
