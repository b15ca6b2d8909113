"""What may stand in the query of a list: what its schema declares, each once."""

from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

from apps.core import queries
from tests.helpers.people import Tenant, bearer_with

AT = "/api/v1/support/conversations"


@pytest.fixture(scope="module")
def reading() -> dict[str, Any]:
    """Every reading operation of the product's own API, by its path."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]  # type: ignore[no-untyped-call]
    return {path: each["get"] for path, each in paths.items() if "get" in each and queries.is_ours(path)}


def test_what_is_taken_is_what_the_schema_says(reading: dict[str, Any]) -> None:
    for path, operation in reading.items():
        declared = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
        place = path.replace("{", "").replace("}", "")
        view = resolve(place).func.view_class()  # type: ignore[attr-defined]
        view.request, view.kwargs = None, {}
        known = queries._declared(view)
        if queries.is_strict(operation["operationId"], declared):
            assert known == declared, path
            assert "400" in operation["responses"], path
        else:
            assert known is None, path


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "param", "code"),
    [("statuss=open", "statuss", "unknown_parameter"), ("status=open&status=snoozed", "status", "invalid_request")],
)
def test_a_parameter_that_is_unknown_or_there_twice_is_named(org_a: Tenant, query: str, param: str, code: str) -> None:
    headers = bearer_with(org_a, "support:read")
    answer = Client().get(f"{AT}?{query}", headers=headers)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert "assignee, contact, cursor, inbox" in error["message"]
    assert Client().get(f"{AT}?status=open&limit=5", headers=headers).status_code == 200
    assert Client().get(f"{AT}?{query}").status_code == 401


@pytest.mark.django_db
def test_a_list_without_parameters_takes_none_and_what_is_no_list_does_not_look(org_a: Tenant) -> None:
    headers = bearer_with(org_a, "support:read")
    assert Client().get("/api/v1/support/inboxes?page=2", headers=headers).status_code == 400
    assert Client().get("/api/v1/support/desk?page=2", headers=headers).status_code == 200


@pytest.mark.django_db
def test_compatible_apis_ignore_what_they_do_not_know_as_their_originals_do(org_a: Tenant) -> None:
    assert Client().get("/v1/models?page=2", headers=bearer_with(org_a, "models:read")).status_code == 200
