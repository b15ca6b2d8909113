"""Reports equal a recomputation from raw messages, with the bot's time apart."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import InvalidRequest, PermissionDenied
from apps.support.finding import FINDERS
from apps.support.models import Conversation, Message, Rating, SlaTimer
from apps.support.reporting import Counted, Told, summed, work_of
from apps.support.services import conversations, housekeeping, inboxes, merging, messages, ratings, reports, setup
from apps.support.services import desk as desk_settings
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import acting

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A clock that the test turns."""
    state = {"now": timezone.now() - timedelta(days=3)}
    monkeypatch.setattr(timezone, "now", lambda: state["now"])

    def turn(seconds: int) -> None:
        state["now"] += timedelta(seconds=seconds)

    yield turn


def test_a_report_equals_what_raw_messages_tell(bot_desk: Desk, clock: Any) -> None:
    desk, rand = bot_desk, random.Random(7)
    promise = setup.create(
        desk.tenant.actor, "sla", {"name": "S", "first_reply": 600, "resolution": 3_000, "in_hours": False}
    )
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"sla": promise.pk, "csat_enabled": True})
    ann = desk.agent("ann", online=False)
    ada = desk.visitor(name="Ada")
    start = timezone.now()
    begun: list[Conversation] = []
    for number in range(24):
        clock(60)
        conversation = desk.begin(ada, f"Question {number}")
        begun.append(conversation)
        _live(desk, ann, conversation, rand, clock)
    merging.merge(ann, begun[-1].pk, begun[-2].pk)
    clock(60)
    found = reports.report(ann, start, timezone.now())
    assert asdict(found) == asdict(recomputed(desk))
    assert_parts_make_the_whole(ann, start, found)
    # The case is worth something only where there is something of everything.
    assert found.first_reply.count > 3
    assert found.resolution.count > 3
    assert found.resolved_by_bot > 1
    assert found.rating_mean is not None
    assert found.promises_kept > 1
    assert found.promises_missed > 1
    assert found.bot.mean


def assert_parts_make_the_whole(ann: Any, start: Any, whole: Any) -> None:
    for by in reports.GROUPS:
        parts = reports.overview(ann, start, timezone.now(), by, unit="hour")
        assert parts.whole == whole
        for figure in ("conversations", "resolved", "incoming", "outgoing", "resolved_by_bot", "promises_missed"):
            assert sum(getattr(each, figure) for each in parts.groups.values()) == getattr(whole, figure), figure
        assert sum(parts.begun.values()) == whole.conversations
        assert min(parts.begun) <= start
    # Ann's, and what nobody took.
    assert len(reports.overview(ann, start, timezone.now(), "agent").groups) == 2


def test_a_page_and_a_file_say_whose_they_are(desk: Desk, client_of: Any) -> None:
    desk.begin()
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"name": "=cmd()"})
    client = client_of(desk.tenant.owner)
    page = client.get("/desk/reports/?days=30&by=inbox&inbox=nonsense").content.decode()
    assert "=cmd()" in page
    assert "figure-drawing" in page
    answer = client.get("/desk/reports.csv?days=1&by=inbox")
    assert "attachment" in answer["content-disposition"]
    head, row, total = answer.content.decode("utf-8-sig").splitlines()
    assert head.startswith("inbox,conversations,resolved,incoming_messages")
    assert row.startswith("'=cmd(),1,0,1,0,")
    assert total == "," + row.partition(",")[2]
    assert client_of(desk.tenant.member).get("/desk/reports.csv").status_code in {403, 404}


def _live(desk: Desk, ann: Any, conversation: Conversation, rand: random.Random, clock: Any) -> None:
    """One conversation's life: with the bot, handed over, answered, resolved, rated, opened again."""
    clock(rand.randint(5, 300))
    desk.bot_says(conversation, "May I help?")
    if rand.random() < 0.6:
        clock(rand.randint(5, 300))
        desk.hand_over(conversation)
        clock(rand.randint(100, 1_500))
        if rand.random() < 0.8:
            messages.reply(ann, conversation.pk, Draft("Here I am"))
            clock(rand.randint(100, 4_000))
    if rand.random() < 0.8:
        conversations.set_status(ann, conversation.pk, "resolved")
        clock(30)
        if rand.random() < 0.6:
            with tenancy.scope(desk.tenant.id):
                row = Conversation.objects.select_related("contact").get(pk=conversation.pk)
                if Rating.objects.filter(conversation=row).exists():
                    ratings.rate(row, row.contact, rand.randint(1, 5), "Fine")
        if rand.random() < 0.3:
            clock(rand.randint(100, 1_000))
            desk.says(conversation, "One more thing")


def recomputed(desk: Desk) -> Any:
    """From messages alone, but for promises and ratings, which no message holds."""
    with tenancy.scope(desk.tenant.id):
        work, counted = [], []
        rows = Conversation.objects.filter(merged_into=None)
        for conversation in rows:
            history = Message.objects.filter(conversation=conversation, moved_from=None).order_by("sequence")
            told = [Told(row.created_at, row.kind, row.author, row.details.get("changes", {})) for row in history]
            work.append(work_of(told, timezone.now()))
            kinds = list(Message.objects.filter(conversation=conversation).values_list("kind", flat=True))
            counted.append(Counted(incoming=kinds.count("incoming"), outgoing=kinds.count("outgoing")))
        rated = Message.objects.filter(kind="activity", details__why="rated", conversation__in=rows)
        counted += [Counted(scores=(row.details["score"],)) for row in rated]
        for timer in SlaTimer.objects.filter(conversation__in=rows):
            missed = timer.breached_at is not None or (timer.met_at is not None and timer.met_at > timer.due_at)
            counted.append(Counted(missed=int(missed), kept=int(not missed and timer.met_at is not None)))
    return summed(work, counted)


def test_a_report_takes_permission_and_a_bounded_time(desk: Desk, other_desk: Desk) -> None:
    now = timezone.now()
    desk.begin()
    with pytest.raises(PermissionDenied):
        reports.report(acting(desk.tenant, desk.tenant.member), now - timedelta(days=1), now)
    for since, until in ((now, now), (now - timedelta(days=500), now)):
        with pytest.raises(InvalidRequest):
            reports.report(desk.tenant.actor, since, until)
    later = now + timedelta(minutes=1)
    assert reports.report(desk.tenant.actor, now - timedelta(days=1), later).conversations == 1
    assert reports.report(other_desk.tenant.actor, now - timedelta(days=1), later).conversations == 0


def test_a_rating_is_asked_for_once_there_was_an_answer_and_can_be_changed(desk: Desk) -> None:
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"csat_enabled": True})
    ann = desk.agent("ann")
    silent = desk.begin()
    conversations.set_status(ann, silent.pk, "resolved")
    conversation = desk.begin()
    messages.reply(ann, conversation.pk, Draft("Done"))
    conversations.set_status(ann, conversation.pk, "resolved")
    assert desk.history(conversation)[-1].content_type == "input_csat"
    with tenancy.scope(desk.tenant.id):
        assert list(Rating.objects.values_list("conversation_id", flat=True)) == [conversation.pk]
        row = Conversation.objects.select_related("contact").get(pk=conversation.pk)
        ratings.rate(row, row.contact, 2)
        ratings.rate(row, row.contact, 5, "My card is 4111 1111 1111 1111")
        found = Rating.objects.get()
        assert (found.score, found.comment) == (5, "My card is [CARD_1]")
        with pytest.raises(InvalidRequest):
            ratings.rate(row, row.contact, 6)


def test_what_nobody_has_written_in_for_long_is_resolved(desk: Desk) -> None:
    desk_settings.change_settings(desk.tenant.actor, {"resolve_after_days": 3})
    answered, waiting = desk.begin(), desk.begin()
    messages.reply(desk.agent("ann", online=False), answered.pk, Draft("Does it work now?"))
    with tenancy.scope(desk.tenant.id):
        Conversation.objects.update(active_at=timezone.now() - timedelta(days=4))
    housekeeping.clean_up()
    assert desk.again(answered).status == "resolved"
    # Where the contact waits, nothing resolves itself.
    assert desk.again(waiting).status == "open"


def test_the_palette_finds_contacts_and_conversations(desk: Desk, other_desk: Desk) -> None:
    conversation = desk.begin(desk.visitor(name="Ada Lovelace"))
    other_desk.begin(other_desk.visitor(name="Ada Elsewhere"))
    conversations_of, contacts_of = FINDERS
    with tenancy.scope(desk.tenant.id):
        assert [each.label for each in contacts_of.find(desk.tenant.actor, ["ada"])] == ["Ada Lovelace"]
        found = list(conversations_of.find(desk.tenant.actor, [f"#{conversation.number}"]))
    assert [each.label for each in found] == [f"#{conversation.number}"]
