"""Votes, thumbs and favourites: counted once, told apart by person, and exported as data without names."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from apps.core import tenancy
from apps.core.datakinds import Erasing, Texts
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.registry.services import ModelDefinition, register_model
from apps.studio import throttle
from apps.studio.chat_privacy import erase_feedback, erase_votes
from apps.studio.models import Favourite, Feedback, Generation, Run, RunKind, RunVote, Variant
from apps.studio.services import Outcome, feedback, get_generation, runs
from apps.studio.services.runs import RunRequest
from tests.helpers.people import Tenant, acting
from tests.helpers.studio import ask, finish, spec, start

pytestmark = pytest.mark.usefixtures("model")


def compare(tenant: Tenant) -> Run:
    register_model(ModelDefinition(name="rival", source="ml/house/text"))
    request = RunRequest(spec(), RunKind.MODELS, models=("default", "rival"))
    return throttle.request_run(tenant.actor, request)


def write_both() -> None:
    for text in ("Tea.", "Coffee."):
        assert finish(start(), Outcome(Status.SUCCEEDED, text, "stop", 10, 5))


def variant_of(tenant: Tenant, run: Run, model: str) -> Variant:
    found = [text.variant for text in runs.get_run(tenant.actor, run.pk).texts]
    return next(variant for variant in found if variant.model.name == model)


def test_models_are_hidden_from_a_person_until_they_have_voted(org_a: Tenant) -> None:
    run = compare(org_a)
    with pytest.raises(Conflict, match="finished"):
        runs.vote(org_a.actor, run.pk, "tie")
    write_both()
    member = acting(org_a, org_a.member)
    assert runs.get_run(org_a.actor, run.pk).hidden
    for act in (runs.written_again, runs.repeated_exactly):
        with pytest.raises(Conflict, match="Vote first"):
            act(org_a.actor, variant_of(org_a, run, "rival").pk)
    runs.vote(org_a.actor, run.pk, "tie")
    assert (runs.get_run(org_a.actor, run.pk).hidden, runs.get_run(member, run.pk).hidden) == (False, True)


def test_a_vote_counts_once_and_stays(org_a: Tenant) -> None:
    run = compare(org_a)
    write_both()
    winner = variant_of(org_a, run, "rival")
    runs.vote(org_a.actor, run.pk, "better", winner.pk, ["well_written"], "Clear.")
    with pytest.raises(Conflict, match="already"):
        runs.vote(org_a.actor, run.pk, "tie")
    key = replace(org_a.actor, user_id=None, api_key_id=org_a.api_key.pk)
    runs.vote(key, run.pk, "neither")
    with pytest.raises(Conflict):
        runs.vote(key, run.pk, "neither")
    with tenancy.scope(org_a.id):
        assert RunVote.objects.count() == 2


@pytest.mark.parametrize(
    ("verdict", "names_winner", "reasons"),
    [("better", False, []), ("tie", True, []), ("worse", False, []), ("tie", False, ["pretty"])],
)
def test_a_vote_that_makes_no_sense_is_refused(
    org_a: Tenant, verdict: str, names_winner: bool, reasons: list[str]
) -> None:
    run = compare(org_a)
    write_both()
    winner = variant_of(org_a, run, "rival").pk if names_winner else None
    with pytest.raises(InvalidRequest):
        runs.vote(org_a.actor, run.pk, verdict, winner, reasons)


def test_only_two_models_are_voted_on_and_only_their_own_texts_win(org_a: Tenant) -> None:
    seeds = throttle.request_run(org_a.actor, RunRequest(spec(), count=1))
    assert finish(start(), Outcome(Status.SUCCEEDED, "x", "stop", 10, 5))
    with pytest.raises(Conflict):
        runs.vote(org_a.actor, seeds.pk, "tie")
    run = compare(org_a)
    write_both()
    other = runs.get_run(org_a.actor, seeds.pk).texts[0].variant
    with pytest.raises(NotFound):
        runs.vote(org_a.actor, run.pk, "better", other.pk)


def test_results_count_by_model_and_not_by_place(org_a: Tenant, org_b: Tenant) -> None:
    for _ in range(3):
        run = compare(org_a)
        write_both()
        runs.vote(org_a.actor, run.pk, "better", variant_of(org_a, run, "rival").pk)
    tied = compare(org_a)
    write_both()
    runs.vote(org_a.actor, tied.pk, "tie")
    runs.vote(acting(org_a, org_a.member), tied.pk, "neither")
    found = runs.results(org_a.actor)
    [pair] = found.pairs
    assert (pair.tally.first, pair.tally.second) == ("house-text-1", "rival")
    assert (pair.tally.first_wins, pair.tally.second_wins, pair.tally.ties, pair.tally.neither) == (0, 3, 1, 1)
    assert pair.rate is not None
    assert (pair.rate.value, pair.few) == (0.125, True)
    assert [name for name, _ in found.models] == ["rival", "house-text-1"]
    assert runs.results(org_b.actor).pairs == []


def test_votes_outlive_the_texts_that_retention_removes(org_a: Tenant) -> None:
    run = compare(org_a)
    write_both()
    runs.vote(org_a.actor, run.pk, "better", variant_of(org_a, run, "rival").pk)
    with tenancy.scope(org_a.id):
        Generation.objects.all().delete()
    assert runs.results(org_a.actor).pairs[0].tally.second_wins == 1
    assert runs.records(org_a.actor) == []


def test_a_thumb_is_one_for_each_person_and_can_be_changed_and_taken_back(org_a: Tenant) -> None:
    text = ask(org_a)
    feedback.give_feedback(org_a.actor, text.pk, 1, ["accurate"], " Good. ")
    feedback.give_feedback(org_a.actor, text.pk, -1, ["too_long"])
    feedback.give_feedback(acting(org_a, org_a.member), text.pk, 1)
    own = feedback.opinion(org_a.actor, text.pk)
    assert own is not None
    assert (own.rating, own.reasons, own.comment) == (-1, ["too_long"], "")
    feedback.withdraw_feedback(org_a.actor, text.pk)
    with tenancy.scope(org_a.id):
        assert [row.rating for row in Feedback.objects.all()] == [1]
    for rating, reasons in ((0, []), (1, ["pretty"])):
        with pytest.raises(InvalidRequest):
            feedback.give_feedback(org_a.actor, text.pk, rating, reasons)


def test_favourites_are_a_persons_own(org_a: Tenant) -> None:
    text = ask(org_a)
    for _ in range(2):
        feedback.set_favourite(org_a.actor, text.pk, True)
    member = acting(org_a, org_a.member)
    seen = [get_generation(actor, text.pk, opinions=True) for actor in (org_a.actor, member)]
    assert [feedback.opinion_of(row)["favourite"] for row in seen] == [True, False]
    feedback.set_favourite(org_a.actor, text.pk, False)
    with tenancy.scope(org_a.id):
        assert not Favourite.objects.exists()
    with pytest.raises(InvalidRequest):
        feedback.set_favourite(replace(org_a.actor, user_id=None), text.pk, True)


def test_opinions_on_others_texts_find_nothing(org_a: Tenant, org_b: Tenant) -> None:
    text = ask(org_a)
    for act in (
        lambda: feedback.give_feedback(org_b.actor, text.pk, 1),
        lambda: feedback.withdraw_feedback(org_b.actor, text.pk),
        lambda: feedback.set_favourite(org_b.actor, text.pk, True),
    ):
        with pytest.raises(NotFound):
            act()
    reader = replace(org_a.actor, permissions=frozenset({"generations:read"}))
    with pytest.raises(PermissionDenied):
        feedback.give_feedback(reader, text.pk, 1)


def test_the_data_set_holds_votes_and_thumbs_and_no_names(org_a: Tenant, org_b: Tenant) -> None:
    run = compare(org_a)
    write_both()
    winner = variant_of(org_a, run, "rival")
    runs.vote(org_a.actor, run.pk, "better", winner.pk, ["well_written"], "Clear.")
    text = ask(org_a, "Write about milk.")
    assert finish(start(), Outcome(Status.SUCCEEDED, "Milk.", "stop", 10, 5))
    feedback.give_feedback(org_a.actor, text.pk, -1, ["too_short"])
    found = runs.records(org_a.actor)
    vote, thumb = found
    assert (vote["kind"], vote["verdict"], vote["winner"]) == ("preference", "better", winner.position)
    assert vote["messages"] == [{"role": "user", "content": "Write a line about tea."}]
    assert {output["model"] for output in vote["outputs"]} == {"house-text-1", "rival"}
    assert vote["outputs"][0]["parameters"]["seed"] == 1
    assert (thumb["kind"], thumb["rating"], thumb["outputs"][0]["text"]) == ("rating", -1, "Milk.")
    assert org_a.owner.email not in json.dumps(found)
    assert str(org_a.owner.pk) not in json.dumps(found)
    assert [record["kind"] for record in runs.records(org_a.actor, "rating")] == ["rating"]
    assert runs.records(org_b.actor) == []


def test_records_come_in_batches_without_loss(org_a: Tenant) -> None:
    for _ in range(5):
        feedback.give_feedback(org_a.actor, ask(org_a).pk, 1)
    seen: list[str] = []
    after = None
    while batch := runs.records(org_a.actor, after=after, limit=2):
        seen += [record["id"] for record in batch]
        after = batch[-1]["id"]
    assert (len(seen), len(set(seen))) == (5, 5)


@pytest.mark.parametrize(("texts", "left"), [(Texts.KEEP, "Clear."), (Texts.ERASE, "")])
def test_erasing_a_person_keeps_the_counts_without_the_name(org_a: Tenant, texts: Texts, left: str) -> None:
    run = compare(org_a)
    write_both()
    runs.vote(org_a.actor, run.pk, "tie", comment="Clear.")
    feedback.give_feedback(org_a.actor, ask(org_a).pk, 1, comment="Clear.")
    erasing = Erasing(org_a.owner.pk, org_a.id, "somebody", texts, False)
    assert (erase_votes(erasing), erase_feedback(erasing)) == (1, 1)
    with tenancy.scope(org_a.id):
        vote, thumb = RunVote.objects.get(), Feedback.objects.get()
    assert (vote.created_by_id, vote.comment, thumb.created_by_id, thumb.comment) == (None, left, None, left)
