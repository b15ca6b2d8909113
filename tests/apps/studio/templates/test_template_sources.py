"""Pages that fill in a template: fetched by a worker behind the guards, told when ready, and never by whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.access import Actor
from apps.core import outbound, tenancy
from apps.core.errors import OutboundFailed, OutboundRefused
from apps.core.outbound import Response
from apps.studio.errors import SourceFailed, SourceNotReady
from apps.studio.models import PageText
from apps.studio.services import pages, templates
from tests.helpers.people import Tenant
from workers import pages as worker

URL = "https://news.example/today"
HTML = (
    b"<html><head><title>Today</title></head>"
    b"<body><h1>Rates</h1><p>They {{ rise }}.</p><script>x()</script></body></html>"
)
VARIABLES = [{"name": "sources", "type": "url", "many": True, "required": True}]
PROMPT = "{% for source in sources %}\n[{{ loop.index }}] {{ source.name }}\n{{ source.text }}\n{% endfor %}"


@pytest.fixture
def digest(member: Actor) -> str:
    return templates.create(member, "Digest", templates.TemplateFacts(prompt=PROMPT, variables=VARIABLES)).template.slug


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The public internet, as answers by address; what is asked is counted."""
    answers: dict[str, Any] = {URL: Response(200, {"content-type": "text/html; charset=utf-8"}, HTML)}

    def fetch(method: str, url: str, **options: Any) -> Response:
        answers.setdefault("asked", []).append(url)
        answer = answers.get(url, OutboundFailed("The host's name cannot be resolved."))
        if isinstance(answer, Exception):
            raise answer
        found: Response = answer
        return found

    monkeypatch.setattr(outbound, "fetch", fetch)
    return answers


@pytest.mark.django_db(transaction=True)
def test_a_page_is_fetched_by_a_worker_and_goes_in_as_text(
    org_a: Tenant, member: Actor, digest: str, web: dict[str, Any], capture_doorbells: list[str]
) -> None:
    with pytest.raises(SourceNotReady):
        templates.render(member, "digest@draft", {"sources": [URL]})
    assert "asked" not in web and pages.WAKE in capture_doorbells
    with pytest.raises(SourceNotReady):
        templates.render(member, "digest@draft", {"sources": f"{URL}\n"})
    with tenancy.scope(org_a.id):
        assert PageText.objects.count() == 1
    worker.wake()
    rendered = templates.render(member, "digest@draft", {"sources": [URL]})
    assert rendered.messages[0].content == f"[1] {URL}\nToday\n\n# Rates\n\nThey {{{{ rise }}}}."
    assert web["asked"] == [URL]


@pytest.mark.django_db(transaction=True)
def test_a_redirection_is_followed_step_by_step(member: Actor, digest: str, web: dict[str, Any]) -> None:
    web["https://news.example/old"] = Response(302, {"location": "/today"}, b"")
    with pytest.raises(SourceNotReady):
        templates.render(member, "digest@draft", {"sources": ["https://news.example/old"]})
    worker.wake()
    assert (
        "They"
        in templates.render(member, "digest@draft", {"sources": ["https://news.example/old"]}).messages[0].content
    )
    assert web["asked"] == ["https://news.example/old", URL]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Response(404, {}, b""), "status 404"),
        (Response(200, {"content-type": "image/png"}, b"x"), "unknown type"),
        (OutboundRefused("The host is not on the public internet."), "not on the public internet"),
        (RuntimeError("boom"), "could not be read"),
    ],
)
def test_what_cannot_be_had_says_why(member: Actor, digest: str, web: dict[str, Any], answer: Any, words: str) -> None:
    web[URL] = answer
    with pytest.raises(SourceNotReady):
        templates.render(member, "digest@draft", {"sources": [URL]})
    worker.wake()
    with pytest.raises(SourceFailed, match=words):
        templates.render(member, "digest@draft", {"sources": [URL]})


@pytest.mark.parametrize("url", ["http://news.example/", "https://user@news.example/", "file:///etc/passwd", "news"])
def test_addresses_that_nobody_may_ask_are_refused_at_once(org_a: Tenant, member: Actor, digest: str, url: str) -> None:
    with pytest.raises(OutboundRefused):
        templates.render(member, "digest@draft", {"sources": [url]})
    with tenancy.scope(org_a.id):
        assert not PageText.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_another_organizations_page_is_fetched_again(
    org_a: Tenant, org_b: Tenant, member: Actor, digest: str, web: dict[str, Any]
) -> None:
    with pytest.raises(SourceNotReady):
        pages.texts_of(member, [URL])
    worker.wake()
    with pytest.raises(SourceNotReady):
        pages.texts_of(org_b.actor, [URL])


@pytest.mark.django_db(transaction=True)
def test_the_form_asks_its_script_to_try_again(
    org_a: Tenant, client_of: Callable[[Any], Client], digest: str, model: Any, web: dict[str, Any]
) -> None:
    client = client_of(org_a.member)
    filled = {"v_sources": URL, "voice": "own", "model": "default", "max_tokens": "60", "temperature": "0.8",
              "top_p": "0.95"}  # fmt: skip
    answer = client.post("/templates/digest/", filled, headers={"accept": "application/json"})
    assert answer.status_code == 409 and answer.json()["retry"] is True
    worker.wake()
    answer = client.post("/templates/digest/", filled, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.json()
    page = client.get(answer.json()["url"]).content.decode()
    assert f">\n{URL}</textarea>" in page
