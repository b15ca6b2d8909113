"""Slots are marked in examples, learned, measured, and then fill what flows ask for; stories teach what comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.support.models import Dataset, DialogueModel, IntentExample, TrainingRun
from apps.support.services import flows, learning
from apps.support.services.learning.freezing import frozen
from ml.dialogue.types import Ranked, Reading
from tests.helpers import bots
from tests.helpers.people import Tenant
from workers import intents, learned
from workers import support as worker

pytestmark = pytest.mark.django_db
NAMES = ["Anna", "Boris", "Carla", "Dmitri", "Elena", "Farid", "Greta", "Hassan", "Ines", "Jonas", "Karin", "Lars"]
PAYEES = """
flows:
  transfer:
    title: Transfer
    intents: [make_transfer]
    slots:
      payee: {kind: text, ask: "To whom?"}
    steps:
      - ask: payee
      - say: "To {payee}."
"""


def example(tenant: Tenant, text: str, intent: str = "make_transfer") -> IntentExample:
    learning.add_examples(tenant.actor, [learning.Given(text, intent)])
    with tenancy.scope(tenant.id):
        found: IntentExample = IntentExample.objects.get(text=text)
    return found


def mark_all(tenant: Tenant) -> None:
    for name in NAMES:
        row = example(tenant, f"please send it to {name} today")
        learning.mark_slots(tenant.actor, row.pk, f"please send it to [{name}](payee) today")


def test_marks_are_whole_words_of_the_text_as_it_is(org_a: Tenant) -> None:
    row = example(org_a, "send it to Anna Berg")
    made = learning.mark_slots(org_a.actor, row.pk, "send it to [Anna Berg](payee)")
    assert made.slots == [["payee", 11, 20]]
    assert learning.notation_of(made) == "send it to [Anna Berg](payee)"
    for wrong in ("send it to [Ann](payee)a Berg", "send [that](payee) to Anna Berg"):
        with pytest.raises(InvalidRequest):
            learning.mark_slots(org_a.actor, row.pk, wrong)
    with pytest.raises(InvalidRequest):
        learning.change_example(org_a.actor, row.pk, "make_transfer", slots=[("payee", 0, 4), ("other", 2, 7)])
    assert learning.change_example(org_a.actor, row.pk, "make_transfer", slots=[]).slots == []


def test_a_data_set_holds_the_marks_and_is_another_one_with_them(org_a: Tenant) -> None:
    for n in range(24):
        example(org_a, f"opening hours {n}", "hours")
        example(org_a, f"send {n}")
    with tenancy.scope(org_a.id):
        plain = frozen(org_a.id)
    assert all(len(row) == 4 for row in plain.rows)
    mark_all(org_a)
    with tenancy.scope(org_a.id):
        marked = frozen(org_a.id)
        assert Dataset.objects.count() == 2
    assert sum(len(row) == 5 for row in marked.rows) == len(NAMES)


def test_what_was_learned_fills_slots_of_its_name_also_unasked(
    org_a: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    rows = [[str(n), f"please send it to {name} today", "make_transfer", n % 4 == 0, [["payee", 18, 18 + len(name)]]]
            for n, name in enumerate(NAMES)]  # fmt: skip
    tagger, scored = learned.learn_slots(rows)
    assert tagger is not None and scored["recall"] == 1.0 and scored["wanted"] == 3
    assert learned.learn_slots(rows[:3]) == (None, {})
    beside = learned.Learned(tagger)
    assert beside.slots == ["payee"]
    inbox = bots.open_bot(org_a)
    version = flows.save_version(org_a.actor, PAYEES)
    example(org_a, "transfer")
    flows.approve(org_a.actor, version.number)
    flows.go_live(org_a.actor, version.number)
    monkeypatch.setattr(learned, "beside", lambda _: beside)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "please send it to Zoe today")
    assert bots.answer_one(Reading((Ranked("make_transfer", 0.95),))) == "replied"
    assert bots.said(org_a, conversation)[-1] == "To Zoe."


def test_files_of_a_model_are_under_its_hash_and_read_back(
    org_a: Tenant, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = tmp_path
    rows = [[str(n), f"send it to {name}", "make_transfer", False, [["payee", 11, 11 + len(name)]]]
            for n, name in enumerate(NAMES)]  # fmt: skip
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "intents.json").write_text("{}")
    before = intents.digest_of(folder)
    learned.Learned(learned.learn_slots(rows)[0]).save(folder)
    assert intents.digest_of(folder) != before
    with tenancy.scope(org_a.id):
        dataset = Dataset.objects.create(
            organization_id=org_a.id, number=1, sha256="0" * 64, rows=[], train_count=1, test_count=1
        )
        run = TrainingRun.objects.create(organization_id=org_a.id, dataset=dataset, status="succeeded")
        row = DialogueModel.objects.create(
            organization_id=org_a.id, number=1, run=run, path="x", sha256="0" * 64, slots=["payee"]
        )
    # Files that are not those that were trained are not read.
    assert learned.beside(row) == learned.Learned()
    monkeypatch.setattr(intents, "loaded", lambda _: None)
    monkeypatch.setattr(learned, "_folder", lambda _: folder)
    found = learned.beside(row)
    assert found.tagger is not None and [each.text for each in found.tagger.find("send it to Zoe")] == ["Zoe"]


def test_stories_teach_what_comes_first_and_a_ranking_that_breaks_one_is_not_kept(org_a: Tenant) -> None:
    bots.open_bot(org_a)
    stories = bots.STORIES
    version = flows.save_version(org_a.actor, bots.FLOWS, stories)
    with tenancy.scope(org_a.id):
        current = flows.settings_of(org_a.id)
    ranking, choices = learned.learn_ranking(version, current, lambda _: Reading(), None)
    assert (ranking is not None) == (choices > 0)
    played = worker.told_of_stories(version, None, current, beside=learned.Learned(None, ranking))
    assert [each["problems"] for each in played] == [[]]
    assert learned.learn_ranking(None, current, lambda _: Reading(), None) == (None, 0)
