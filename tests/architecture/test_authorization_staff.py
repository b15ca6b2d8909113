"""The staff console's part of authorization.yaml: every page and act, by everybody who may turn up."""

from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from apps.core.tenancy import Across, across_tenants
from apps.staff.abilities import GROUP_ABILITIES, OPERATOR, SUPPORT
from apps.staff.site import site
from apps.staff.urls import admin as _registered  # noqa: F401 - importing it registers the pages
from tests.architecture.conftest import World, undone
from tests.helpers.authorization import addresses, table
from tests.helpers.staff import browser_of, make_staff

STAFF: dict[str, str] = table()["staff"]
REACHED = {200, 302, 409, 422}
NO_GROUP = ""


def test_groups_hold_what_the_file_says() -> None:
    assert {group: sorted(held) for group, held in GROUP_ABILITIES.items()} == {
        group: sorted(held) for group, held in table()["abilities"].items()
    }


def test_every_bulk_act_is_in_the_file() -> None:
    found = {model._meta.label: set(admin.actions or []) for model, admin in site._registry.items()}
    assert {label: acts for label, acts in found.items() if acts} == {
        label: set(acts) for label, acts in table()["bulk"].items()
    }


def path_of(name: str, world: World) -> str:
    [(places, _path)] = [
        (set(pattern.pattern.converters), path) for known, path, pattern in addresses() if known == f"staff:{name}"
    ]
    ids: dict[str, Any] = {"app_label": "accounts", "name": "maintenance_notice"}
    if "object_id" in places:
        with across_tenants(Across.OPERATE):
            ids["object_id"] = apps.get_model(*name.split("_")[:2])._default_manager.order_by("pk").first().pk
    return reverse(f"staff:{name}", kwargs={place: ids[place] for place in places})


@pytest.fixture(scope="module")
def browsers(world: World, django_db_blocker: Any) -> dict[str, Client]:
    """Who comes, with what they bring; the groups last."""
    with django_db_blocker.unblock():
        operator = make_staff("operator", OPERATOR)
        return {
            "nobody": Client(),
            "a customer": browser_of(world.a.tenant.owner),
            "staff from elsewhere": browser_of(operator, address="203.0.113.9"),
            "staff without a second factor": browser_of(operator, second_factor=False),
            NO_GROUP: browser_of(make_staff("new", NO_GROUP)),
            SUPPORT: browser_of(make_staff("support", SUPPORT)),
            OPERATOR: browser_of(operator),
        }


def wanted(who: str, line: str, method: str) -> set[str]:
    """The outcomes that the file allows."""
    ability, _, but = line.partition(", ")
    if who in {"a customer", "staff from elsewhere"}:
        return {"404"}
    if who in {"nobody", "staff without a second factor"}:
        return {"led away"}
    if ability != "staff" and ability not in table()["abilities"].get(who, []):
        return {"404" if but == "else 404" else "403"}
    return {"403", "405"} if but == "GET only" and method == "post" else {"reached"}


def outcome(answer: Any) -> str:
    """Where staff is led to its second factor, and strangers to the sign-in page."""
    if answer.status_code == 302 and answer.url.startswith(("/accounts/login/", "/accounts/2fa/")):
        return "led away"
    return "reached" if answer.status_code in REACHED else str(answer.status_code)


@pytest.mark.parametrize("name", sorted(STAFF))
def test_everybody_at_the_staff_console(name: str, world: World, browsers: dict[str, Client]) -> None:
    wrong = []
    path = path_of(name, world)
    for who, browser in browsers.items():
        for method in ("get", "post"):
            cookies = browser.cookies.copy()
            with undone():
                found = outcome(getattr(browser, method)(path))
            browser.cookies = cookies
            if found not in wanted(who, STAFF[name], method):
                wrong.append(f"{method} by {who or 'staff without a group'}: {found}")
    assert not wrong, "\n".join(wrong)
