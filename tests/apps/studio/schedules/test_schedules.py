"""Schedules: each time once, from which sources, to whom, and what becomes of failures."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Membership
from apps.core import outbound, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, OutboundFailed
from apps.studio.models import (
    Generation,
    Occurrence,
    OccurrenceState,
    Recipient,
    RecipientState,
    Schedule,
)
from apps.studio.services import schedules
from apps.studio.services.schedules.recipients import link_of
from tests.apps.studio.schedules.conftest import FAILED, PLAN, carry_out, due, fresh, occurrences, sent, values_of
from tests.helpers.people import Tenant, acting, audit_of, events_of
from tests.helpers.studio import ledger

RSS = b"<rss><channel><item><title>Tea is warm</title></item><item><title>Cups</title></item></channel></rss>"


def answer(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> list[str]:
    """What each address answers, and which were asked."""
    asked: list[str] = []

    def fetch(method: str, url: str, **_: Any) -> outbound.Response:
        asked.append(url)
        found = answers[url]
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, outbound.Response) else outbound.Response(200, {}, found)

    monkeypatch.setattr(outbound, "fetch", fetch)
    return asked


# ---------------------------------------------------------------- each time once


def test_a_time_is_carried_out_and_the_next_is_set(org_a: Tenant, schedule: Schedule) -> None:
    assert schedule.next_at is not None and schedule.next_at > timezone.now()
    was = due(schedule, seconds=5).next_at
    [written] = carry_out()
    [row] = occurrences(schedule)
    assert (row.due_at, row.state, row.generation_id, row.skipped) == (was, OccurrenceState.DONE, written.pk, 0)
    assert written.messages[0]["content"] == f"A digest of {datetime.now(UTC).date()}."
    assert (written.origin, written.created_by_id) == ("schedule", org_a.owner.pk)
    assert fresh(schedule).next_at == schedule.next_at
    assert [kind for kind, _ in ledger(org_a)] == ["hold", "settle"]
    assert carry_out() == []
    assert {"schedule.due", "schedule.done"} <= set(events_of(org_a))


def test_after_downtime_only_the_latest_time_is_made_up_for(schedule: Schedule) -> None:
    was = due(schedule, days=3.5).next_at
    assert was is not None
    carry_out()
    [row] = occurrences(schedule)
    assert row.due_at > timezone.now() - timedelta(days=1)
    assert row.skipped in {3, 4}
    assert len(occurrences(schedule)) == 1


def test_two_schedulers_at_once_plan_a_time_once(transactional_db: None, schedule: Schedule) -> None:
    due(schedule, seconds=5)
    begin = threading.Barrier(4)
    planned: list[int] = []

    def plan() -> None:
        begin.wait()
        planned.append(schedules.plan_due())
        connections.close_all()

    threads = [threading.Thread(target=plan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(planned) == 1
    assert len(occurrences(schedule)) == 1


def test_a_worker_that_is_lost_is_followed_by_another_and_nothing_is_sent_twice(
    org_a: Tenant, schedule: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.add_recipient(org_a.actor, schedule.pk, org_a.member.email)
    due(schedule, seconds=5)
    schedules.plan_due()
    from apps.studio.services.schedules import occurrences as service

    def lost(urls: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(service, "read_all", lost)
        schedules.look("lost")
    assert not schedules.look("other"), "its lease is not over"
    with tenancy.scope(org_a.id):
        Occurrence.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    [_written] = carry_out()
    assert len(sent()) == 1
    with tenancy.scope(org_a.id):
        assert Generation.objects.count() == 1


def test_pausing_resuming_and_running_once_more(org_a: Tenant, schedule: Schedule) -> None:
    schedules.pause_schedule(org_a.actor, schedule.pk)
    assert carry_out() == []
    schedules.run_now(org_a.actor, schedule.pk)
    with pytest.raises(Conflict):
        schedules.run_now(org_a.actor, schedule.pk)
    assert len(carry_out()) == 1
    assert [row.by_hand for row in occurrences(schedule)] == [True]
    assert schedules.resume_schedule(org_a.actor, schedule.pk).next_at == schedule.next_at
    for act in ("created", "paused", "run", "resumed"):
        assert len(audit_of(org_a, f"schedule.{act}")) == 1, act


def test_whoever_leaves_takes_the_right_to_ask_along(org_a: Tenant, model: Any) -> None:
    schedule = schedules.create_schedule(acting(org_a, org_a.member), PLAN)
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.member).delete()
    due(schedule, seconds=5)
    carry_out()
    [row] = occurrences(schedule)
    assert (row.state, row.error_code) == (OccurrenceState.FAILED, "permission_denied")


# ---------------------------------------------------------------- sources


def test_sources_go_into_the_prompt(org_a: Tenant, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = ("https://a.example/rss", "https://b.example/", "https://c.example/")
    moved = outbound.Response(301, {"location": "/feed"}, b"")
    page = outbound.Response(200, {"content-type": "text/html"}, b"<p>Kettles sing.</p>")
    gone = OutboundFailed("The other side cannot be reached.")
    asked = answer(monkeypatch, {urls[0]: moved, "https://a.example/feed": RSS, urls[1]: page, urls[2]: gone})
    plan = schedules.Plan(name="News", at=time(8), prompt="Sum up:\n{{ sources }}", sources=urls, max_tokens=20)
    schedule = schedules.create_schedule(org_a.actor, plan)
    due(schedule, seconds=5)
    [written] = carry_out()
    assert written.messages[0]["content"] == "Sum up:\n[1] Tea is warm\n[2] Kettles sing.\n[3] Cups"
    assert asked == [urls[0], "https://a.example/feed", urls[1], urls[2]]
    [row] = occurrences(schedule)
    assert [each["items"] for each in row.read] == [2, 1, 0]
    assert row.read[2]["problem"] == "The other side cannot be reached."


def test_long_sources_are_cut_to_the_models_context(org_a: Tenant, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = b"<rss>" + b"".join(b"<item><title>%d %s</title></item>" % (n, b"tea " * 60) for n in range(20)) + b"</rss>"
    answer(monkeypatch, {"https://a.example/": feed})
    plan = schedules.Plan(name="News", at=time(8), prompt="Sum up.", sources=("https://a.example/",), max_tokens=50)
    due(schedules.create_schedule(org_a.actor, plan), seconds=5)
    [written] = carry_out()
    assert written.max_tokens == 50
    assert "[1] 0 tea" in written.messages[0]["content"]


def test_without_any_source_the_time_fails(org_a: Tenant, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, {"https://a.example/": OutboundFailed("Gone.")})
    plan = schedules.Plan(name="News", at=time(8), prompt="Sum up.", sources=("https://a.example/",))
    schedule = schedules.create_schedule(org_a.actor, plan)
    due(schedule, seconds=5)
    assert carry_out() == []
    assert occurrences(schedule)[0].error_code == "sources_unreadable"


@pytest.mark.parametrize("url", ["http://a.example/", "file:///etc/passwd", "https://user@a.example/", "nothing"])
def test_only_addresses_that_may_be_asked_are_taken(org_a: Tenant, model: Any, url: str) -> None:
    with pytest.raises(InvalidRequest):
        schedules.create_schedule(org_a.actor, schedules.Plan(name="x", at=time(8), prompt="x", sources=(url,)))


def test_the_networks_own_addresses_are_refused_when_they_are_asked(org_a: Tenant, model: Any) -> None:
    plan = schedules.Plan(name="x", at=time(8), prompt="x", sources=("https://127.0.0.1/",))
    schedule = schedules.create_schedule(org_a.actor, plan)
    due(schedule, seconds=5)
    carry_out()
    assert "not on the public internet" in occurrences(schedule)[0].error_message


# ---------------------------------------------------------------- recipients


def test_members_get_it_at_once_and_others_when_they_have_said_yes(org_a: Tenant, schedule: Schedule) -> None:
    schedules.add_recipient(org_a.actor, schedule.pk, org_a.member.email)
    other = schedules.add_recipient(org_a.actor, schedule.pk, "Reader@Elsewhere.example")
    [question] = sent()
    assert question.to == ["reader@elsewhere.example"]
    link = next(word for word in question.body.split() if word.startswith("http"))
    # The time of writing is a part of it.
    assert link.partition(":1")[0] == link_of(other).partition(":1")[0]
    due(schedule, seconds=5)
    carry_out()
    assert [mail.to for mail in sent()] == [[org_a.member.email]]
    path = link.partition("//")[2].partition("/")[2]
    reader = Client()
    assert reader.get(f"/{path}").status_code == 200
    due(schedule, seconds=5)
    carry_out()
    assert len(sent()) == 1, "looking is not saying yes"
    assert reader.post(f"/{path}", {"want": "yes"}).status_code == 200
    due(schedule, seconds=4)
    carry_out()
    mails = sent()
    assert {mail.to[0] for mail in mails} == {org_a.member.email, "reader@elsewhere.example"}
    [theirs] = [mail for mail in mails if mail.to == ["reader@elsewhere.example"]]
    their_link = theirs.extra_headers["List-Unsubscribe"].strip("<>")
    assert their_link in theirs.body
    html = theirs.alternatives[0][0]
    assert 'href="javascript' not in html
    assert "<b>bold</b>" not in html
    # A mail program's one click.
    path = their_link.partition("//")[2].partition("/")[2]
    assert Client(enforce_csrf_checks=True).post(f"/{path}", {"List-Unsubscribe": "One-Click"}).status_code == 200
    due(schedule, seconds=3)
    carry_out()
    assert [mail.to for mail in sent()] == [[org_a.member.email]]


def test_who_has_unsubscribed_is_not_added_again(org_a: Tenant, schedule: Schedule) -> None:
    other = schedules.add_recipient(org_a.actor, schedule.pk, "reader@elsewhere.example")
    schedules.decide(link_of(other).rstrip("/").rpartition("/")[2], wanted=False)
    with pytest.raises(Conflict):
        schedules.add_recipient(org_a.actor, schedule.pk, "reader@elsewhere.example")
    with pytest.raises(Conflict):
        schedules.remove_recipient(org_a.actor, schedule.pk, other.pk)
    with tenancy.scope(org_a.id):
        assert Recipient.objects.get().state == RecipientState.UNSUBSCRIBED


@pytest.mark.parametrize("token", ["x", "WyJhIiwiYiJd:1:x"])
def test_a_forged_link_opens_nothing(db: None, token: str) -> None:
    assert Client().get(f"/schedules/mail/{token}/").status_code == 404
    assert Client().post(f"/schedules/mail/{token}/").status_code == 404


def test_whoever_has_left_gets_no_more_of_it(org_a: Tenant, schedule: Schedule) -> None:
    """Neither a member who was added as one, nor one who had said yes before they became one."""
    schedules.add_recipient(org_a.actor, schedule.pk, org_a.member.email)
    with tenancy.scope(org_a.id):
        membership = Membership.objects.get(user=org_a.admin)
        Membership.objects.filter(user=org_a.admin).delete()
    earlier = schedules.add_recipient(org_a.actor, schedule.pk, org_a.admin.email)
    schedules.decide(link_of(earlier).rstrip("/").rpartition("/")[2], wanted=True)
    with tenancy.scope(org_a.id):
        membership.save(force_insert=True)
    due(schedule, seconds=5)
    carry_out()
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user__in=[org_a.admin, org_a.member]).delete()
    assert [mail.to for mail in sent() if mail.subject.startswith("Morning")] == [], "also of what is on its way"
    due(schedule, seconds=4)
    carry_out()
    assert sent() == []
    assert [row.mailed for row in occurrences(schedule)] == [2, 0]


# ---------------------------------------------------------------- failures and others


def test_failures_are_shown_and_told_after_the_third(org_a: Tenant, schedule: Schedule) -> None:
    schedules.add_recipient(org_a.actor, schedule.pk, org_a.member.email)
    for number in range(1, 5):
        due(schedule, seconds=5 - number / 2)
        carry_out(FAILED)
        assert (fresh(schedule).failures, fresh(schedule).last_error) == (number, "The model failed.")
        told = sent()
        assert [mail.to for mail in told] == ([[org_a.owner.email]] if number == 3 else [])
    due(schedule, seconds=1)
    carry_out()
    assert (fresh(schedule).failures, fresh(schedule).last_error) == (0, "")


def test_others_neither_see_nor_touch_a_schedule(org_a: Tenant, org_b: Tenant, schedule: Schedule) -> None:
    for act in (
        schedules.get_schedule,
        schedules.pause_schedule,
        schedules.resume_schedule,
        schedules.run_now,
        schedules.delete_schedule,
    ):
        with pytest.raises(NotFound):
            act(org_b.actor, schedule.pk)
    with pytest.raises(NotFound):
        schedules.add_recipient(org_b.actor, schedule.pk, "a@b.example")
    assert not occurrences(schedule)


def test_the_pages_from_setting_one_to_deleting_it(org_a: Tenant, model: Any, client_of: Any, outsider: Any) -> None:
    browser = client_of(org_a.member)
    form = {
        "name": "Morning",
        "prompt": "News.",
        "frequency": "weekly",
        "weekday": "0",
        "day": "1",
        "at": "08:00",
        "zone": "Europe/Berlin",
        "model": "default",
        "max_tokens": "20",
    }
    path = browser.post("/schedules/new/", form)["location"]
    assert "Every Monday" in browser.get(path).content.decode()
    assert browser.post(path, {"email": "reader@elsewhere.example"}).status_code == 302
    assert "has to confirm" in browser.get(path).content.decode()
    assert browser.post(f"{path}edit/", form | {"at": "09:00"}).status_code == 302
    assert "09:00" in browser.get("/schedules/").content.decode()
    for act in ("pause", "resume", "run"):
        assert browser.post(f"{path}{act}/").status_code == 302
    carry_out()
    assert browser.get(path).status_code == 200
    assert client_of(outsider).get(path).status_code == 404
    assert browser.post(f"{path}delete/")["location"] == "/schedules/"
    assert browser.get(path).status_code == 404


def test_the_form_keeps_what_only_programs_set(org_a: Tenant, model: Any, client_of: Any) -> None:
    plan = replace(PLAN, prompt="News of {{ town }}.", variables={"town": "Ulm"})
    schedule = schedules.create_schedule(org_a.actor, plan)
    browser = client_of(org_a.member)
    path = f"/schedules/{schedule.pk}/edit/"
    form = browser.get(path).context["form"]
    values = values_of(form) | {"at": "09:00"}
    assert browser.post(path, values).status_code == 302
    assert (fresh(schedule).at, fresh(schedule).variables) == (time(9), {"town": "Ulm"})


def test_schedules_over_rest(org_a: Tenant, org_b: Tenant, model: Any) -> None:
    body = {"name": "News", "prompt": "Sum up.", "at": "08:00", "frequency": "weekdays", "recipients": ["a@b.example"]}
    client = Client()
    kinds: Any = {"content_type": "application/json", "headers": org_a.bearer}
    made = client.post("/api/v1/schedules", body, **kinds).json()
    assert (made["at"], made["recipients"]) == ("08:00", [{"email": "a@b.example", "state": "pending"}])
    path = f"/api/v1/schedules/{made['id']}"
    assert client.put(path, body | {"at": "09:15"}, **kinds).json()["at"] == "09:15"
    assert client.post(f"{path}/pause", **kinds).json()["next_at"] is None
    assert client.post(f"{path}/run", **kinds).status_code == 202
    carry_out()
    [row] = client.get(f"{path}/occurrences", **kinds).json()["data"]
    assert (row["state"], row["by_hand"]) == ("done", True)
    assert client.get(path, headers=org_b.bearer).status_code == 404
    assert client.get("/api/v1/schedules", headers=org_b.bearer).json()["data"] == []
    wrong = client.post("/api/v1/schedules", body | {"zone": "Mars/Olympus"}, **kinds)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (404, "zone")
    assert client.delete(path, **kinds).status_code == 204
