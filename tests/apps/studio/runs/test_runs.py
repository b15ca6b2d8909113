"""Runs: what their variants ask for, that they are accepted together or not at all, and the tree of versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.core import tenancy
from apps.core.errors import Conflict, InsufficientQuota, InvalidRequest, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.registry.services import ModelDefinition, move_alias, register_model
from apps.studio import throttle
from apps.studio.models import Generation, Run, RunKind, RunStep
from apps.studio.services import Outcome, runs
from apps.studio.services.runs import RunRequest
from tests.helpers.people import Tenant
from tests.helpers.plans import include
from tests.helpers.studio import finish, held, ledger, spec, start

pytestmark = pytest.mark.usefixtures("model")


def ask(tenant: Tenant, **request: Any) -> Run:
    return throttle.request_run(tenant.actor, RunRequest(**{"spec": spec()} | request))


def second_model() -> str:
    register_model(ModelDefinition(name="rival", source="ml/house/text"))
    return "rival"


def compare(tenant: Tenant) -> Run:
    return ask(tenant, kind=RunKind.MODELS, models=("default", second_model()))


def texts(tenant: Tenant, run: Run) -> list[Generation]:
    view = runs.get_run(tenant.actor, run.pk)
    return [text.variant.generation for text in view.texts if text.variant.generation is not None]


def write_all(count: int, text: str = "Tea.") -> None:
    for _ in range(count):
        assert finish(start(), Outcome(Status.SUCCEEDED, text, "stop", 10, 5))


def test_variants_have_neighbouring_seeds_or_their_own_temperatures(org_a: Tenant) -> None:
    by_seed = texts(org_a, ask(org_a, count=4))
    assert [(text.seed, text.temperature) for text in by_seed] == [(1, 0.8), (2, 0.8), (3, 0.8), (4, 0.8)]
    assert {text.origin for text in by_seed} == {"run"}
    by_heat = texts(org_a, ask(org_a, kind=RunKind.TEMPERATURES, temperatures=(0.0, 0.7, 1.5)))
    assert [(text.seed, text.temperature) for text in by_heat] == [(1, 0.0), (1, 0.7), (1, 1.5)]


def test_of_two_models_chance_decides_which_is_on_the_left(org_a: Tenant) -> None:
    rival, seen = second_model(), set()
    request = RunRequest(spec(), RunKind.MODELS, models=("default", rival))
    for _ in range(60):
        seen.add(tuple(each.model for each in runs.specs_of(request)))
    assert seen == {("default", rival), (rival, "default")}
    both = texts(org_a, compare(org_a))
    assert {text.model.name for text in both} == {"house-text-1", "rival"}
    assert len({text.seed for text in both}) == 1


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"count": 0}, "count"),
        ({"count": 9}, "count"),
        ({"kind": "temperatures", "temperatures": (0.5,)}, "temperatures"),
        ({"kind": "temperatures", "temperatures": (0.5, 0.5)}, "temperatures"),
        ({"kind": "temperatures", "temperatures": (0.5, 3.0)}, "temperature"),
        ({"kind": "models", "models": ("default",)}, "models"),
        ({"kind": "models", "models": ("default", "house-text-1")}, "models"),
        ({"kind": "models", "models": ("default", "none")}, "model"),
        ({"kind": "x"}, "kind"),
        ({"spec": spec(seed=2**63 - 2)}, "seed"),
    ],
)
def test_what_makes_no_sense_is_refused_and_holds_nothing(org_a: Tenant, wrong: dict[str, Any], param: str) -> None:
    with pytest.raises((InvalidRequest, NotFound)) as refusal:
        ask(org_a, **wrong)
    assert refusal.value.param == param
    assert (held(org_a), _counts(org_a)) == (0, (0, 0))


def _counts(tenant: Tenant) -> tuple[int, int]:
    with tenancy.scope(tenant.id):
        return Run.objects.count(), Generation.objects.count()


def test_all_variants_are_held_or_none(org_a: Tenant) -> None:
    ask(org_a, count=1)
    one = held(org_a)
    # Of 20 tokens each there is room for two more, and not for three.
    include(65)
    with pytest.raises(InsufficientQuota):
        ask(org_a, count=3)
    assert (held(org_a), _counts(org_a)) == (one, (1, 1))
    ask(org_a, count=2)
    assert (held(org_a), _counts(org_a)) == (3 * one, (2, 3))
    assert [kind for kind, _ in ledger(org_a)] == ["hold"] * 3


def test_written_again_changed_and_repeated_make_a_tree(org_a: Tenant) -> None:
    first = ask(org_a, count=2)
    write_all(2)
    variant = runs.get_run(org_a.actor, first.pk).texts[1].variant
    again = throttle.request_run(org_a.actor, runs.written_again(org_a.actor, variant.pk, 2))
    branch = ask(org_a, spec=spec("Write a line about coffee."), count=1, parent=variant.pk, step=RunStep.BRANCH)
    below = runs.get_run(org_a.actor, again.pk).texts[0].variant
    deeper = throttle.request_run(org_a.actor, runs.written_again(org_a.actor, below.pk, 1))
    nodes = [(node.run.pk, node.depth) for node in runs.get_run(org_a.actor, first.pk).tree]
    assert nodes == [(first.pk, 0), (again.pk, 1), (deeper.pk, 2), (branch.pk, 1)]
    assert (again.step, branch.step, deeper.root) == (RunStep.AGAIN, RunStep.BRANCH, first.pk)
    assert {text.seed for text in texts(org_a, again)} & {1, 2} == set()


def test_repeated_exactly_asks_for_the_same_version_with_the_same_seed(org_a: Tenant) -> None:
    first = ask(org_a, count=2)
    write_all(2, "Tea.")
    # Wherever the alias points by now, the version that wrote the text writes it again.
    move_alias("default", second_model())
    variant = runs.get_run(org_a.actor, first.pk).texts[1].variant
    repeat = throttle.request_run(org_a.actor, runs.repeated_exactly(org_a.actor, variant.pk))
    assert runs.get_run(org_a.actor, repeat.pk).texts[0].same is None
    [text] = texts(org_a, repeat)
    original = texts(org_a, first)[1]
    names = ("seed", "temperature", "top_p", "messages", "max_tokens", "model_id")
    assert [getattr(text, name) for name in names] == [getattr(original, name) for name in names]
    assert text.model_name == "house-text-1"
    write_all(1, "Tea.")
    assert runs.get_run(org_a.actor, repeat.pk).texts[0].same is True
    throttle.request_run(org_a.actor, runs.repeated_exactly(org_a.actor, variant.pk))
    write_all(1, "Coffee.")
    newest = runs.list_runs(org_a.actor).rows[0]
    assert runs.get_run(org_a.actor, newest.pk).texts[0].same is False


def test_nothing_is_written_from_a_text_that_is_gone(org_a: Tenant) -> None:
    run = ask(org_a, count=1)
    write_all(1)
    with tenancy.scope(org_a.id):
        Generation.objects.all().delete()
    view = runs.get_run(org_a.actor, run.pk)
    assert view.texts[0].variant.generation is None
    with pytest.raises(Conflict):
        runs.written_again(org_a.actor, view.texts[0].variant.pk)


def test_only_who_may_write_asks_and_others_find_nothing(org_a: Tenant, org_b: Tenant) -> None:
    run = ask(org_a, count=1)
    reader = replace(org_a.actor, permissions=frozenset({"generations:read"}))
    with pytest.raises(PermissionDenied):
        throttle.request_run(reader, RunRequest(spec()))
    variant = runs.get_run(reader, run.pk).texts[0].variant
    for act in (
        lambda: runs.get_run(org_b.actor, run.pk),
        lambda: runs.written_again(org_b.actor, variant.pk),
        lambda: runs.repeated_exactly(org_b.actor, variant.pk),
        lambda: ask(org_b, parent=variant.pk),
        lambda: runs.vote(org_b.actor, run.pk, "tie"),
    ):
        with pytest.raises(NotFound):
            act()
    assert runs.list_runs(org_b.actor).rows == []
