"""The pages of runs, votes and opinions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from apps.core import tenancy
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.registry.services import ModelDefinition, register_model
from apps.studio.models import Favourite, Feedback, Run, RunVote, Variant
from apps.studio.services import Outcome
from tests.helpers.counting import questions_of
from tests.helpers.people import Tenant
from tests.helpers.plans import include
from tests.helpers.studio import add_rows, ask, finish, start, states

SignIn = Callable[[Any], Client]
JSON = {"accept": "application/json"}
FORM = {
    "kind": "prompt",
    "prompt": "Write a line about tea.",
    "model": "default",
    "max_tokens": "40",
    "temperature": "0.8",
    "top_p": "0.95",
    "top_k": "0",
    "repetition_penalty": "1",
    "seed": "7",
    "differ": "seeds",
    "count": "3",
    "temperatures": "0.2, 0.9",
}
pytestmark = pytest.mark.usefixtures("model")


@pytest.fixture
def owner(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.owner)


def write_all(count: int) -> None:
    for number in range(count):
        assert finish(start(), Outcome(Status.SUCCEEDED, f"Text {number}.", "stop", 10, 5))


def run_of(owner: Client, **change: str) -> str:
    made = owner.post("/runs/new/", FORM | change)
    assert made.status_code == 302, made.context["form"].errors
    address: str = made.url
    return address


def downloaded(client: Client) -> bytes:
    answer: Any = client.get("/runs/evaluation-data.jsonl")

    async def whole() -> bytes:
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(whole)()


def variants(tenant: Tenant) -> list[Variant]:
    with tenancy.scope(tenant.id):
        return list(Variant.objects.select_related("model").order_by("-run_id", "position"))


def test_variants_stand_side_by_side_with_their_seeds(owner: Client, org_a: Tenant) -> None:
    address = run_of(owner)
    page = owner.get(address).text
    assert [f">{seed}</dd>" in page for seed in (7, 8, 9, 10)] == [True, True, True, False]
    assert page.count('aria-busy="true"') == 3
    write_all(3)
    page = owner.get(address).text
    assert ("Text 0." in page, "Text 2." in page, "Repeat exactly" in page) == (True, True, True)
    assert page.count("Save as document") == 3
    assert address in owner.get("/runs/").text


def test_a_refusal_is_told_in_the_form_and_holds_nothing(owner: Client, org_a: Tenant) -> None:
    for change, field in (
        ({"differ": "models"}, "second_model"),
        ({"differ": "temperatures", "temperatures": "warm"}, "temperatures"),
        ({"differ": "temperatures", "temperatures": "0.5"}, "temperatures"),
        ({"count": "9"}, "count"),
        ({"prompt": ""}, "prompt"),
    ):
        page = owner.post("/runs/new/", FORM | change)
        assert (page.status_code, list(page.context["form"].errors)) == (422, [field])
    include(100)
    assert "allowance" in owner.post("/runs/new/", FORM).text
    assert states(org_a) == {}


def test_where_there_is_one_model_the_form_says_that_two_cannot_be_compared(owner: Client) -> None:
    assert "There is only one model here." in owner.get("/runs/new/").text
    register_model(ModelDefinition(name="rival", source="ml/house/text"))
    assert "There is only one model here." not in owner.get("/runs/new/").text


def test_a_refusal_opens_what_is_about_sampling_only_where_that_is_not_as_usual(owner: Client) -> None:
    sent = {field.html_name: field.value() or "" for field in owner.get("/runs/new/").context["form"]} | {"top_k": "0"}
    page = owner.post("/runs/new/", sent | {"differ": "models", "prompt": "Tea."})
    assert page.status_code == 422 and not page.context["form"].advanced_is_open
    page = owner.post("/runs/new/", sent | {"differ": "models", "prompt": "Tea.", "top_k": "5"})
    assert page.context["form"].advanced_is_open


def test_models_are_not_named_before_the_vote(owner: Client, org_a: Tenant) -> None:
    register_model(ModelDefinition(name="rival", source="ml/house/text"))
    address = run_of(owner, differ="models", second_model="rival")
    assert "Which is better?" in owner.get(address).text
    write_all(2)
    page = owner.get(address).text
    assert ("rival" in page, "house-text-1" in page, "hidden until you vote" in page) == (False, False, True)
    assert "Save as document" not in page
    winner = variants(org_a)[0]
    owner.post(f"{address}vote/", {"verdict": str(winner.pk), "reasons": ["accurate"], "comment": "Short."})
    page = owner.get(address).text
    assert page.count("Save as document") == 2
    assert ("rival" in page, "You have voted" in page, winner.model.name in page) == (True, True, True)
    again = owner.post(f"{address}vote/", {"verdict": "tie"}, headers=JSON)
    assert (again.status_code, "already" in again.json()["message"]) == (409, True)
    results = owner.get("/runs/results/").text
    assert ("Few votes" in results, "No difference beyond chance" in results) == (True, True)
    assert [json.loads(line)["winner"] for line in downloaded(owner).splitlines()] == [0]


def test_further_runs_from_a_variant(owner: Client, org_a: Tenant) -> None:
    run_of(owner, count="1")
    write_all(1)
    [variant] = variants(org_a)
    assert owner.get(f"/runs/new/?variant={variant.pk}").context["form"]["prompt"].value() == FORM["prompt"]
    owner.post("/runs/new/", FORM | {"parent": str(variant.pk), "prompt": "Write about milk.", "count": "1"})
    repeated = owner.post(f"/runs/variants/{variant.pk}/repeat/")
    again = owner.post(f"/runs/variants/{variant.pk}/again/")
    with tenancy.scope(org_a.id):
        assert sorted(Run.objects.values_list("step", flat=True)) == ["again", "branch", "first", "repeat"]
    write_all(5)
    assert "Versions of this request" in owner.get(again.url).text
    assert "to the letter" in owner.get(repeated.url).text or "Not the same text" in owner.get(repeated.url).text
    assert owner.post(f"/runs/variants/{variant.pk}/nonsense/").status_code == 404


def test_stopping_a_run_stops_all_of_it(owner: Client, org_a: Tenant) -> None:
    address = run_of(owner)
    owner.post(f"{address}stop/")
    assert states(org_a) == {"cancelled": 3}


def test_thumbs_and_stars_are_kept_and_the_history_finds_them(owner: Client, org_a: Tenant) -> None:
    text, other = ask(org_a, "Tea, please."), ask(org_a, "Milk, please.")
    finish(start())
    finish(start())
    owner.post(f"/studio/{text.pk}/favourite/", {"favourite": "1"})
    rated = owner.post(f"/studio/{text.pk}/feedback/", {"rating": "-1", "reasons": "too_long", "comment": "Long."})
    assert rated.url == f"/studio/{text.pk}/"
    with tenancy.scope(org_a.id):
        row = Feedback.objects.get()
        assert (row.rating, row.reasons, row.comment, Favourite.objects.count()) == (-1, ["too_long"], "Long.", 1)
    page = owner.get(f"/studio/{text.pk}/").text
    assert page.count('aria-pressed="true"') == 2
    history = owner.get("/history/?status=favourites").text
    assert ("Tea, please." in history, "Milk, please." in history) == (True, False)
    taken = owner.post(f"/studio/{text.pk}/feedback/", {"rating": "0"}, headers=JSON)
    assert taken.json() == {"ok": True}
    assert owner.post(f"/studio/{text.pk}/feedback/", {"rating": "5"}, headers=JSON).status_code == 400
    away = owner.post(f"/studio/{other.pk}/favourite/", {"favourite": "1", "next": "https://evil.example/"})
    assert away.url == f"/studio/{other.pk}/"


@pytest.mark.parametrize("path", ["/runs/", "/runs/new/", "/runs/results/", f"/runs/{UUID(int=7)}/"])
def test_strangers_sign_in_and_outsiders_find_nothing(
    client: Client, outsider: Any, client_of: SignIn, path: str
) -> None:
    assert client.get(path).url == f"/accounts/login/?next={path}"
    assert client_of(outsider).get(path).status_code == 404


def test_another_organization_finds_none_of_it(owner: Client, org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    address = run_of(owner, count="1")
    [variant] = variants(org_a)
    other = client_of(org_b.owner)
    assert other.get(address).status_code == 404
    for path in (
        f"{address}vote/",
        f"{address}stop/",
        f"/runs/variants/{variant.pk}/again/",
        f"/studio/{variant.generation_id}/feedback/",
        f"/studio/{variant.generation_id}/favourite/",
    ):
        assert other.post(path, {"verdict": "tie", "rating": "1", "favourite": "1"}).status_code == 404
    assert other.get(f"/runs/new/?variant={variant.pk}").status_code == 404
    assert downloaded(other) == b""


@pytest.mark.parametrize("many", [3, 300])
def test_pages_ask_a_dozen_questions_however_much_there_is(
    owner: Client, org_a: Tenant, model: ModelVersion, many: int
) -> None:
    address = run_of(owner, count="8")
    write_all(8)
    texts = add_rows(org_a, model, many, status=Status.SUCCEEDED)
    with tenancy.scope(org_a.id):
        first = Run.objects.get()
        variant = first.variants.order_by("position").first()
        rows = [Run(organization_id=org_a.id, kind="seeds", root=first.pk, parent=variant, title="x") for _ in texts]
        Run.objects.bulk_create(rows)
        Variant.objects.bulk_create(
            Variant(organization_id=org_a.id, run=row, position=0, generation=text, model=model)
            for row, text in zip(rows, texts, strict=True)
        )
        RunVote.objects.create(organization_id=org_a.id, run=first, verdict="tie")
    for path in (address, "/runs/", "/runs/new/", "/runs/results/", f"/studio/{texts[0].pk}/"):
        owner.get(path)
        assert questions_of(owner, path) <= 12, path
