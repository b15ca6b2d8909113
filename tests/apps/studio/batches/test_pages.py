"""The pages of batches: who finds what on them, the files, and stopping one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.models import Role
from apps.core.jobs import Status
from apps.studio.models import Batch
from apps.studio.services import Outcome, bulk, files
from apps.studio.services import batches as services
from tests.apps.studio.bulk.conftest import write_all
from tests.helpers.counting import questions_of
from tests.helpers.people import Tenant, add_person
from workers import batches

SignIn = Callable[[Any], Client]
_BODY = {"model": "default", "max_tokens": 20}
WRITTEN = Outcome(Status.SUCCEEDED, "Tea.", "stop", 10, 5)
pytestmark = pytest.mark.usefixtures("model")


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def browser(org_a: Tenant, client_of: SignIn) -> Client:
    return client_of(org_a.member)


def asked(tenant: Tenant, *prompts: str, name: str = "requests.jsonl") -> Batch:
    """A batch of these prompts; one that is empty is a line that cannot be asked."""
    lines = [
        json.dumps(
            {"custom_id": f"n{n}", "method": "POST", "url": "/v1/completions", "body": _BODY | {"prompt": prompt}}
        )
        if prompt
        else "no request"
        for n, prompt in enumerate(prompts)
    ]
    file = files.upload_file(tenant.actor, SimpleUploadedFile(name, "\n".join(lines).encode()), "batch")
    return services.create_batch(tenant.actor, file.pk, "/v1/completions", "24h", {"team": "tea"})


def work() -> None:
    for _ in range(30):
        if not (bulk.drive("w") | batches.look("w") | bool(write_all(WRITTEN))):
            return


def test_a_batch_is_shown_from_its_file_to_its_answers(org_a: Tenant, browser: Client) -> None:
    assert "No batches yet" in browser.get("/batches/").text
    assert 'href="/batches/"' in browser.get("/bulk/").text
    batch = asked(org_a, "Tea.", "Milk.")
    address = f"/batches/{batch.public_id}/"
    assert address in browser.get("/batches/").text
    page = browser.get(address).text
    assert ("Being read" in page, "data-unfinished" in page, "not written yet" in page) == (True, True, True)
    work()
    page = browser.get(address).text
    assert ("Completed" in page, "data-unfinished" in page, "Cancel this batch" in page) == (True, False, False)
    assert ("requests.jsonl" in page, "team" in page, f"{address}error/" in page) == (True, True, False)
    link = browser.get(f"{address}output/")
    assert (link.status_code, link.headers["location"].startswith("/media/")) == (302, True)
    for file in ("error", "nonsense"):
        assert browser.get(f"{address}{file}/").status_code == 404


def test_what_is_wrong_with_a_file_is_told_line_by_line(org_a: Tenant, browser: Client) -> None:
    batch = asked(org_a, "Tea.", "")
    work()
    page = browser.get(f"/batches/{batch.public_id}/").text
    assert ("Nothing was asked." in page, '<td class="num" data-label="Line">2</td>' in page) == (True, True)


def test_a_batch_is_cancelled_once_and_by_who_may_write(org_a: Tenant, browser: Client, client_of: SignIn) -> None:
    batch = asked(org_a, "Tea.")
    address = f"/batches/{batch.public_id}/"
    auditor = client_of(add_person(org_a, "auditor", Role.AUDITOR))
    assert "Cancel this batch" not in auditor.get(address).text
    assert auditor.post(f"{address}cancel/").status_code == 403
    assert "Cancel this batch" in browser.get(address).text
    page = browser.post(f"{address}cancel/", follow=True).text
    assert ("Being cancelled" in page, "Cancel this batch" in page) == (True, False)
    work()
    page = browser.post(f"{address}cancel/", follow=True).text
    assert ("Cancelled" in page, "can no longer be cancelled" in page) == (True, True)


def test_another_organizations_batches_are_not_there(org_a: Tenant, org_b: Tenant, browser: Client) -> None:
    address = f"/batches/{asked(org_b, 'Tea.', name='theirs.jsonl').public_id}/"
    assert "theirs.jsonl" not in browser.get("/batches/").text
    assert browser.get(address).status_code == browser.get(f"{address}input/").status_code == 404
    assert browser.post(f"{address}cancel/").status_code == 404


def test_the_pages_ask_a_dozen_questions_however_much_there_is(org_a: Tenant, browser: Client) -> None:
    made = [asked(org_a, "Tea.", "Milk.") for _ in range(6)]
    work()
    for path in ("/batches/", f"/batches/{made[0].public_id}/"):
        browser.get(path)
        assert questions_of(browser, path) <= 12, path
