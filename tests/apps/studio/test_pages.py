"""The studio's pages: who may see what, what the form asks of the service, and how answers are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from apps.core import tenancy
from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant
from tests.helpers.plans import include
from tests.helpers.studio import add_rows, ask, finish, reread, start

BRIEF = {
    "kind": "brief",
    "content_type": "email",
    "product": "Harbor Kettle",
    "audience": "students",
    "tone": "warm",
    "key_points": "boils fast\n\n  stays warm ",
    "model": "default",
    "max_tokens": "40",
    "temperature": "0.8",
    "top_p": "0.95",
    "top_k": "0",
    "repetition_penalty": "1",
    "seed": "",
    "stop": "END\n",
}
JSON = {"accept": "application/json"}
SignIn = Callable[[Any], Client]


@pytest.fixture
def owner_a(org_a: Tenant, model: Any, client_of: SignIn) -> Client:
    return client_of(org_a.owner)


def _newest(tenant: Tenant) -> Generation:
    with tenancy.scope(tenant.id):
        found: Generation = Generation.objects.for_pages()[0]
        return found


@pytest.mark.parametrize("path", ["/dashboard/", "/studio/", "/history/", "/keys/", f"/studio/{UUID(int=7)}/"])
def test_a_stranger_is_sent_to_sign_in(db: None, client: Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.url) == (302, f"/accounts/login/?next={path}")


@pytest.mark.parametrize("path", ["/dashboard/", "/studio/", "/history/", "/keys/"])
def test_an_outsider_finds_nothing(outsider: Any, client_of: SignIn, path: str) -> None:
    assert client_of(outsider).get(path).status_code == 404


def test_another_organizations_generation_is_not_there(
    org_a: Tenant, org_b: Tenant, model: Any, client_of: SignIn
) -> None:
    generation, client = ask(org_a), client_of(org_b.owner)
    for id in (generation.pk, uuid4()):
        assert client.get(f"/studio/{id}/").status_code == 404
        assert client.post(f"/studio/{id}/cancel/").status_code == 404
        assert client.post(f"/studio/{id}/regenerate/").status_code == 404
    assert reread(org_a, generation).status == Status.QUEUED
    assert "Write a line about tea" not in client.get("/history/").text


def test_a_brief_becomes_a_generation_and_its_page(owner_a: Client, org_a: Tenant) -> None:
    response = owner_a.post("/studio/", BRIEF)
    generation = _newest(org_a)
    assert (response.status_code, response.url) == (302, f"/studio/{generation.pk}/")
    assert generation.brief is not None
    assert generation.brief["key_points"] == ["boils fast", "stays warm"]
    assert generation.messages[0]["content"].startswith("Write a marketing email for Harbor Kettle.")
    assert (generation.max_tokens, generation.stop, generation.created_by_id) == (40, ["END"], org_a.owner.pk)


def test_a_script_gets_the_address_as_json(owner_a: Client, org_a: Tenant) -> None:
    response = owner_a.post("/studio/", BRIEF | {"kind": "prompt", "prompt": "Say hello."}, headers=JSON)
    generation = _newest(org_a)
    assert response.json() == {"id": str(generation.pk), "url": f"/studio/{generation.pk}/"}
    assert (generation.brief, generation.messages) == (None, [{"role": "user", "content": "Say hello."}])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"product": " "}, "product"),
        ({"kind": "prompt", "prompt": ""}, "prompt"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": "9"}, "temperature"),
        ({"max_tokens": "-1"}, "max_tokens"),
        ({"model": "no-such-model"}, "model"),
        ({"key_points": "\n".join("point" for _ in range(9))}, "key_points"),
        ({"stop": "a\nb\nc\nd\ne"}, "stop"),
        ({"kind": "prompt", "prompt": "word " * 19_000}, "prompt"),
        ({"kind": "prompt", "prompt": "nul \0 byte"}, "prompt"),
    ],
)
def test_a_wrong_value_is_told_at_its_field(owner_a: Client, change: dict[str, str], field: str) -> None:
    response = owner_a.post("/studio/", BRIEF | change, headers=JSON)
    assert response.status_code == 422, response.text
    assert list(response.json()["errors"]) == [field]
    page = owner_a.post("/studio/", BRIEF | change)
    assert (page.status_code, page.context["form"].errors.keys()) == (422, {field})


def test_a_spent_allowance_is_explained(owner_a: Client, org_a: Tenant) -> None:
    include(1)
    response = owner_a.post("/studio/", BRIEF, headers=JSON)
    assert response.status_code == 422
    assert "allowance" in response.json()["message"]
    assert "allowance" in owner_a.post("/studio/", BRIEF).text


def test_a_models_words_are_text_and_never_markup(owner_a: Client, org_a: Tenant) -> None:
    ask(org_a, text="<img src=x onerror=alert(1)>")
    generation = start()
    finish(generation, Outcome(Status.SUCCEEDED, "<script>alert(1)</script>", "stop", 10, 5))
    page = owner_a.get(f"/studio/{generation.pk}/").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_a_running_generation_comes_empty_and_names_its_stream(owner_a: Client, org_a: Tenant) -> None:
    generation = ask(org_a)
    page = owner_a.get(f"/studio/{generation.pk}/").text
    assert f'data-socket="/ws/generations/{generation.pk}/"' in page
    assert 'aria-busy="true"' in page
    assert 'data-part="text"></div>' in page


def test_regenerating_asks_the_same_with_another_seed(owner_a: Client, org_a: Tenant) -> None:
    owner_a.post("/studio/", BRIEF | {"seed": "7"})
    first = _newest(org_a)
    assert owner_a.post(f"/studio/{first.pk}/regenerate/").status_code == 302
    second = _newest(org_a)
    assert second.pk != first.pk
    assert (second.brief, second.messages, second.stop) == (first.brief, first.messages, first.stop)
    assert (first.seed, second.seed != 7) == (7, True)


def test_stopping_what_waits_ends_it_at_once(owner_a: Client, org_a: Tenant) -> None:
    generation = ask(org_a)
    owner_a.post(f"/studio/{generation.pk}/cancel/", follow=True)
    assert reread(org_a, generation).status == Status.CANCELLED


def test_a_refusal_of_regenerate_is_told(owner_a: Client, org_a: Tenant) -> None:
    generation = ask(org_a)
    include(1)
    response = owner_a.post(f"/studio/{generation.pk}/regenerate/", headers=JSON)
    assert (response.status_code, "allowance" in response.json()["message"]) == (429, True)
    assert owner_a.post(f"/studio/{generation.pk}/regenerate/").status_code == 429


def test_history_goes_back_and_forth_without_loss(owner_a: Client, org_a: Tenant, model: ModelVersion) -> None:
    rows = add_rows(org_a, model, 60, status=Status.SUCCEEDED)
    first = owner_a.get("/history/").context["page"]
    second = owner_a.get(f"/history/?before={first.older}").context["page"]
    third = owner_a.get(f"/history/?before={second.older}").context["page"]
    back = owner_a.get(f"/history/?after={third.newer}").context["page"]
    seen = [row.pk for page in (first, second, third) for row in page.rows]
    assert (len(seen), set(seen)) == (60, {row.pk for row in rows})
    assert [row.pk for row in back.rows] == [row.pk for row in second.rows]
    assert (first.newer, third.older) == (None, None)


def test_history_filters_by_status(owner_a: Client, org_a: Tenant, model: ModelVersion) -> None:
    add_rows(org_a, model, 2, status=Status.FAILED)
    add_rows(org_a, model, 3, status=Status.QUEUED)
    sizes = {
        name: len(owner_a.get(f"/history/?status={name}").context["entries"]) for name in ("failed", "active", "x")
    }
    assert sizes == {"failed": 2, "active": 3, "x": 5}


def test_the_dashboard_counts_what_was_used(owner_a: Client, org_a: Tenant) -> None:
    assert "None used of" in owner_a.get("/dashboard/").text
    ask(org_a)
    finish(start())
    page = owner_a.get("/dashboard/")
    assert page.context["usage"].used == 15
    assert page.context["chart"].table.rows[0][1] == "15"


def test_a_member_may_write_and_stop(org_a: Tenant, model: Any, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    assert client.post("/studio/", BRIEF).status_code == 302
    assert client.post(f"/studio/{_newest(org_a).pk}/cancel/").status_code == 302


def test_pages_speak_chinese(owner_a: Client) -> None:
    owner_a.cookies["millrace_language"] = "zh-hans"
    for path in ("/", "/dashboard/", "/studio/", "/history/", "/keys/"):
        page = owner_a.get(path).text
        assert '<html lang="zh-hans">' in page, path
        assert "API 参考" in page, path


def test_the_service_and_the_form_agree_on_the_brief(owner_a: Client, org_a: Tenant) -> None:
    owner_a.post("/studio/", BRIEF)
    generation = studio.get_generation(org_a.actor, _newest(org_a).pk)
    form = owner_a.get(f"/studio/{generation.pk}/").context["form"]
    assert {name: str(form[name].value()) for name in ("product", "tone", "content_type", "max_tokens")} == {
        "product": "Harbor Kettle",
        "tone": "warm",
        "content_type": "email",
        "max_tokens": "40",
    }
