"""Examples, training, measuring, promoting and going back; and what agents put right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core import jobs, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied, Unprocessable
from apps.core.jobs import Status
from apps.core.media import folder_of
from apps.core.tenancy.removal import removing
from apps.privacy import services as privacy
from apps.support.demo import reading
from apps.support.errors_bot import ExamplesMissing, StoriesFailed
from apps.support.models import Conversation, Dataset, DialogueModel, IntentExample, Method, TrainingRun
from apps.support.services import bot, contacts, flows, learning
from apps.support.services.learning import Given
from ml.dialogue.intents.model import IntentModel
from ml.dialogue.intents.training import HEAD, train
from ml.dialogue.types import Example
from tests.helpers import bots
from tests.helpers.people import Tenant, actor_of, audit_of
from workers import dialogue, intents
from workers import support as worker

pytestmark = pytest.mark.django_db(transaction=True)
FEW = ("card_lost", "opening_hours", "transfer_status", "pin_forgotten", "oos")


def taught(tenant: Tenant, *wanted: str) -> None:
    """Examples of the demo bank."""
    learning.add_examples(tenant.actor, [each for each in reading.utterances() if each.intent in (wanted or FEW)])


def trained(tenant: Tenant, **options: Any) -> DialogueModel:
    learning.request_training(tenant.actor, **options)
    worker.train()
    with tenancy.scope(tenant.id):
        found: DialogueModel = DialogueModel.objects.select_related("run").order_by("-number")[0]
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the few intents, trained once."""
    folder = tmp_path_factory.mktemp("model")
    given = [Example(each.text, each.intent) for each in reading.utterances() if each.intent in FEW]
    train(given, HEAD).save(folder)
    return folder


def made(tenant: Tenant, files: Path, accuracy: float = 0.9, stories: Any = None, **options: Any) -> DialogueModel:
    """A run as a worker ends it, with the model's files in the organization's folder."""
    learning.request_training(tenant.actor, **options)
    [run] = jobs.claim(TrainingRun, "by-hand", 1)
    path = f"dialogue/{run.pk}"
    shutil.copytree(files, folder_of(tenant.id) / path)
    digest = intents.digest_of(folder_of(tenant.id) / path)
    report = {"accuracy": accuracy, "stories": stories or {}}
    found = learning.finish_training(run, learning.Trained(path, digest, FEW[:-1], report, []))
    assert found is not None
    return found


def test_examples_are_masked_and_split_by_their_text_for_ever(org_a: Tenant) -> None:
    learning.add_examples(
        org_a.actor, [Given("block 4242 4242 4242 4242 now", "card_lost"), Given("hello", "greeting")]
    )
    with tenancy.scope(org_a.id):
        row = IntentExample.objects.get(intent="card_lost")
    assert row.text == "block [CARD_1] now"
    before = row.is_test
    learning.remove_example(org_a.actor, row.pk)
    learning.add_examples(org_a.actor, [Given("block 4242 4242 4242 4242 now", "other")])
    with tenancy.scope(org_a.id):
        assert IntentExample.objects.get(intent="other").is_test == before


def test_a_text_is_there_once_and_takes_the_intent_given_last(org_a: Tenant) -> None:
    assert learning.add_examples(org_a.actor, [Given("hi", "greeting"), Given("hi", "thanks")]) == 1
    assert learning.add_examples(org_a.actor, [Given("hi", "greeting")]) == 0
    with tenancy.scope(org_a.id):
        assert IntentExample.objects.get().intent == "greeting"


def test_bad_examples_are_refused(org_a: Tenant, org_b: Tenant) -> None:
    with pytest.raises(InvalidRequest):
        learning.add_examples(org_a.actor, [Given("hi", "no intent!")])
    with pytest.raises(Unprocessable, match="Row 2"):
        learning.read_csv("text,intent\nhello,\n")
    with pytest.raises(PermissionDenied):
        learning.add_examples(actor_of(org_a.member), [Given("hi", "greeting")])
    learning.add_examples(org_a.actor, [Given("hi", "greeting")])
    with tenancy.scope(org_a.id):
        mine = IntentExample.objects.get()
    with pytest.raises(NotFound):
        learning.change_example(org_b.actor, mine.pk, "thanks")


def test_nothing_is_trained_from_too_little(org_a: Tenant) -> None:
    learning.add_examples(org_a.actor, [Given("hi", "greeting")])
    with pytest.raises(ExamplesMissing):
        learning.request_training(org_a.actor)


def test_a_model_is_trained_measured_and_read_with_and_what_is_doubtful_is_named(org_a: Tenant) -> None:
    taught(org_a)
    wrong = "please block my stolen card at once"
    learning.add_examples(org_a.actor, [Given(wrong, "opening_hours")])
    with tenancy.scope(org_a.id):
        IntentExample.objects.filter(text=wrong).update(is_test=False)
    model = trained(org_a)
    assert [each["suggested"] for each in model.run.doubts if each["text"] == wrong] == ["card_lost"]
    report = model.run.report
    assert model.run.status == Status.SUCCEEDED
    assert set(model.intents) == set(FEW) - {"oos"}
    assert report["accuracy"] > 0.7 and len(report["curve"]) == 51 and report["outside_answered"] is not None
    with tenancy.scope(org_a.id):
        dataset = Dataset.objects.get()
    assert report["questions"] == dataset.test_count
    [found] = intents.read(model, ["somebody has stolen my card"])
    assert found.best.intent == "card_lost"


def test_the_same_examples_are_the_same_data_set(org_a: Tenant) -> None:
    taught(org_a)
    first = learning.request_training(org_a.actor)
    learning.cancel_training(org_a.actor, first.pk)
    second = learning.request_training(org_a.actor)
    assert first.dataset_id == second.dataset_id
    learning.cancel_training(org_a.actor, second.pk)
    learning.add_examples(org_a.actor, [Given("one more way to say it", "card_lost")])
    assert learning.request_training(org_a.actor).dataset_id != first.dataset_id


def test_one_run_at_a_time_and_a_stop_that_stops(org_a: Tenant) -> None:
    taught(org_a)
    run = learning.request_training(org_a.actor)
    with pytest.raises(Conflict):
        learning.request_training(org_a.actor)
    [claimed] = jobs.claim(TrainingRun, "by-hand", 1)
    learning.cancel_training(org_a.actor, run.pk)
    worker.train_one(claimed)
    with tenancy.scope(org_a.id):
        run.refresh_from_db()
        assert run.status == Status.CANCELLED and not DialogueModel.objects.exists()


def test_the_bot_reads_with_the_model_that_is_live(org_a: Tenant, files: Path) -> None:
    taught(org_a)
    inbox = bots.open_bot(org_a, bots.FLOWS.replace("lost_card", "card_lost"))
    model = made(org_a, files)
    learning.promote(org_a.actor, model.number)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "at what time do you open?")
    [(turn, prepared, read)] = dialogue.read_together(bot.claim_turns("by-hand", 5))
    assert dialogue.carry_out(turn, prepared, read) == "replied"
    assert bots.said(org_a, conversation) == ["We are open from nine to five."]
    record = bots.last_record(org_a, conversation)
    assert record.model is not None and record.model.number == model.number
    assert record.best is not None and record.best[0] == "opening_hours"


def test_a_model_goes_live_by_itself_where_that_was_asked_and_it_is_no_worse(org_a: Tenant, files: Path) -> None:
    taught(org_a)
    model = made(org_a, files, promotes=True)
    made(org_a, files, accuracy=0.8, promotes=True)
    with tenancy.scope(org_a.id):
        assert flows.settings_of(org_a.id).model_id == model.pk
    with pytest.raises(PermissionDenied):
        learning.request_training(actor_of(org_a.member), promotes=True)


def test_a_model_with_which_a_story_fails_is_not_promoted(org_a: Tenant, files: Path) -> None:
    taught(org_a)
    flows.save_action(org_a.actor, flows.ActionDraft("block_card", "https://bank.example/"))
    text = bots.FLOWS.replace("lost_card", "card_lost")
    version = flows.save_version(org_a.actor, text, bots.STORIES.replace("lost_card", "card_lost"))
    flows.approve(org_a.actor, version.number)
    flows.request_run(org_a.actor, version.number)
    worker.run_stories()
    flows.go_live(org_a.actor, version.number)
    failing = made(org_a, files, stories={"flows": version.number, "passed": 0, "failed": 1}, promotes=True)
    with pytest.raises(StoriesFailed):
        learning.promote(org_a.actor, failing.number)
    with tenancy.scope(org_a.id):
        assert flows.settings_of(org_a.id).model_id is None
    flows.request_run(org_a.actor, version.number, model=failing.number)
    worker.run_stories()
    assert learning.promote(org_a.actor, failing.number).pk == failing.pk


def test_stories_without_a_reading_are_read_by_the_model_that_is_trained(org_a: Tenant, files: Path) -> None:
    """What the report says of stories is what that model makes of them."""
    story = "- story: Hours\n  turns:\n    - customer: when do you open\n      expects: [{says: nine to five}]\n"
    version = flows.save_version(org_a.actor, bots.FLOWS, story + story.replace("when do you open", "my card is gone"))
    with tenancy.scope(org_a.id):
        in_force = flows.settings_of(org_a.id)
    told = worker.told_of_stories(version, IntentModel.load(files), in_force)
    assert [bool(each["problems"]) for each in told] == [False, True]


def test_an_older_model_comes_back(org_a: Tenant, files: Path) -> None:
    taught(org_a)
    first, second = made(org_a, files), made(org_a, files)
    for number in (second.number, first.number):
        learning.promote(org_a.actor, number)
    with tenancy.scope(org_a.id):
        assert flows.settings_of(org_a.id).model_id == first.pk


def test_a_model_whose_files_were_changed_does_not_read(org_a: Tenant, files: Path) -> None:
    taught(org_a)
    model = made(org_a, files)
    with (folder_of(org_a.id) / model.path / "intents.json").open("a") as file:
        file.write(" ")
    [found] = intents.read(model, ["my card was stolen"])
    assert found.ranked == ()


def test_an_agent_marks_what_was_meant_and_the_next_data_set_has_it(org_a: Tenant) -> None:
    taught(org_a)
    inbox = bots.open_bot(org_a, bots.FLOWS.replace("lost_card", "card_lost"))
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "plastic is missing from my wallet")
    bots.answer_one(bots.reading("opening_hours", 0.7))
    record = bots.last_record(org_a, conversation)
    row = learning.mark_intent(org_a.actor, record.pk, "card_lost")
    assert (row.text, row.intent, row.source) == ("plastic is missing from my wallet", "card_lost", "agent")
    assert bots.last_record(org_a, conversation).corrected == "card_lost"
    run = learning.request_training(org_a.actor)
    with tenancy.scope(org_a.id):
        rows = Dataset.objects.get(pk=run.dataset_id).rows
    assert [row.text, "card_lost"] in [each[1:3] for each in rows]


def test_what_was_learned_from_a_contact_goes_with_them(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    talks = [bots.visit(org_a, inbox) for _ in range(2)]
    for conversation, words in zip(talks, ("plastic is missing", "my wallet is gone"), strict=True):
        bots.write(org_a, conversation, words)
        bots.answer_one(bots.reading("opening_hours", 0.7))
        learning.mark_intent(org_a.actor, bots.last_record(org_a, conversation).pk, "card_lost")
    contacts.erase(org_a.actor, talks[0].contact_id)
    with tenancy.scope(org_a.id):
        assert list(IntentExample.objects.values_list("text", flat=True)) == ["my wallet is gone"]


def marked(tenant: Tenant, inbox: Any, words: str) -> Conversation:
    """A conversation whose words an agent has made an example."""
    conversation = bots.visit(tenant, inbox)
    bots.write(tenant, conversation, words)
    bots.answer_one(bots.reading("opening_hours", 0.7))
    learning.mark_intent(tenant.actor, bots.last_record(tenant, conversation).pk, "card_lost")
    return conversation


@pytest.mark.parametrize("origins", [True, False], ids=["noted", "of before"])
def test_rows_of_data_sets_go_with_the_contact_and_models_say_so(org_a: Tenant, files: Path, origins: bool) -> None:
    taught(org_a)
    inbox = bots.open_bot(org_a, bots.FLOWS.replace("lost_card", "card_lost"))
    gone, stays = (marked(org_a, inbox, words) for words in ("my plastic vanished", "where is my plastic"))
    model = made(org_a, files)
    with tenancy.scope(org_a.id):
        if not origins:
            found = Dataset.objects.get()
            with removing(org_a.id):
                Dataset.objects.all()._raw_delete("default")
            found.origins = None
            found.save(force_insert=True)
        before = Dataset.objects.get()
        ids = {row[1]: row[0] for row in before.rows}
        doubts = [{"id": ids[text], "text": text} for text in ("my plastic vanished", "where is my plastic")]
        TrainingRun.objects.update(doubts=doubts)
    if origins:
        with tenancy.scope(org_a.id):
            # Whoever removes an example by hand leaves what was frozen of it.
            IntentExample.objects.filter(text="my plastic vanished").delete()
    contacts.erase(org_a.actor, gone.contact_id)
    with tenancy.scope(org_a.id):
        after, run = Dataset.objects.get(), TrainingRun.objects.get()
        texts = [row[1] for row in after.rows]
        assert "my plastic vanished" not in texts
        assert "where is my plastic" in texts
        assert (after.pk, after.number, after.erased, len(after.rows)) == (
            before.pk, before.number, 1, len(before.rows) - 1,
        )  # fmt: skip
        assert after.sha256 != before.sha256
        assert after.train_count + after.test_count == len(after.rows)
        assert [each["text"] for each in run.doubts] == ["where is my plastic"]
        assert learning.model_numbered(model.number).run.dataset.erased == 1
    [entry] = audit_of(org_a, "dataset.shortened")
    assert (entry.detail["models"], entry.detail["sha256"]) == (f"m{model.number}", before.sha256)
    assert "plastic vanished" not in str([each.detail for each in audit_of(org_a, "example.marked")])
    page = bots_page(org_a, "dialogue-models")
    assert "1 example erased since" in page
    # What is frozen anew is another data set, not the shortened one.
    again = learning.request_training(org_a.actor)
    assert again.dataset_id != after.pk
    assert stays.pk


def bots_page(tenant: Tenant, name: str) -> str:
    client = Client()
    client.force_login(tenant.owner)
    return client.get(reverse(name)).content.decode()


def test_what_is_over_in_time_leaves_data_sets_too(org_a: Tenant) -> None:
    taught(org_a)
    inbox = bots.open_bot(org_a, bots.FLOWS.replace("lost_card", "card_lost"))
    conversation = marked(org_a, inbox, "my plastic vanished")
    learning.request_training(org_a.actor)
    with tenancy.scope(org_a.id):
        Conversation.objects.filter(pk=conversation.pk).update(
            status="resolved", bot_owns=False, resolved_at=timezone.now() - timedelta(days=40)
        )
    privacy.set_term(org_a.actor, "support_conversations", 30)
    privacy.apply(60)
    with tenancy.scope(org_a.id):
        assert not Conversation.objects.filter(pk=conversation.pk).exists()
        assert not IntentExample.objects.filter(text="my plastic vanished").exists()
        assert "my plastic vanished" not in json.dumps(Dataset.objects.get().rows)


def test_a_training_that_ends_after_an_erasure_doubts_nothing_of_it(org_a: Tenant, files: Path) -> None:
    taught(org_a)
    inbox = bots.open_bot(org_a, bots.FLOWS.replace("lost_card", "card_lost"))
    conversation = marked(org_a, inbox, "my plastic vanished")
    learning.request_training(org_a.actor)
    [run] = jobs.claim(TrainingRun, "by-hand", 1)
    with tenancy.scope(org_a.id):
        id = str(IntentExample.objects.get(text="my plastic vanished").pk)
    contacts.erase(org_a.actor, conversation.contact_id)
    doubt = {"id": id, "text": "my plastic vanished", "intent": "card_lost", "suggested": "oos", "doubt": 0.9}
    learning.finish_training(run, learning.Trained("dialogue/x", "0" * 64, ["card_lost"], {}, [doubt]))
    with tenancy.scope(org_a.id):
        assert TrainingRun.objects.get().doubts == []


def test_marks_of_another_organization_are_refused(org_a: Tenant, org_b: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    bots.answer_one(bots.reading("opening_hours"))
    with pytest.raises(NotFound):
        learning.mark_intent(org_b.actor, bots.last_record(org_a, conversation).pk, "card_lost")


def test_the_pages_show_progress_curve_and_doubts(org_a: Tenant, client_of: Callable[[Any], Client]) -> None:
    taught(org_a)
    browser = client_of(org_a.owner)
    asked = browser.post("/support/bot/models/", {"method": Method.HEAD.value})
    assert asked.status_code == 302
    assert b"data-unfinished" in browser.get(asked["location"]).content
    worker.train()
    page = browser.get(asked["location"]).content
    assert b"<polyline" in page and b"data-unfinished" not in page
    assert browser.post("/support/bot/models/1/promote/").status_code == 302
    for path in ("bot/", "bot/models/", "bot/examples/", "bot/turns/", "bot/flows/", "bot/actions/"):
        assert browser.get(f"/support/{path}").status_code == 200, path
        assert client_of(org_a.member).get(f"/support/{path}").status_code == 403, path
