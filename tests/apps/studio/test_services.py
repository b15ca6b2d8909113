"""Asking for a generation: everything at once, or nothing at all; and reading only one's own."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from apps.accounts import services as accounts
from apps.accounts.access import Actor
from apps.billing.models import EntryKind, Plan, UsagePeriod
from apps.core import tenancy
from apps.core.errors import (
    ContextLengthExceeded,
    InsufficientQuota,
    InvalidRequest,
    MillraceError,
    ModelNotFound,
    NotFound,
    PermissionDenied,
    QueueFull,
)
from apps.core.jobs import Status
from apps.registry import services as registry
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.models import Generation
from apps.studio.requests import GenerationSpec
from apps.studio.services import admission
from ml.types import Message
from tests.helpers.people import Tenant, actor_of
from tests.helpers.plans import include
from tests.helpers.studio import ask, event_types, held, ledger, reread, spec, start, states
from tests.helpers.threads import together

# ---------------------------------------------------------------- asking


def test_a_request_is_a_row_a_hold_an_event_and_a_doorbell(
    org_a: Tenant, model: ModelVersion, capture_doorbells: list[str]
) -> None:
    generation = ask(org_a, max_tokens=20)
    assert (generation.status, generation.model, generation.model_name) == (Status.QUEUED, model, "default")
    assert generation.held_tokens == generation.prompt_tokens + 20
    assert ledger(org_a) == [(EntryKind.HOLD, generation.held_tokens)]
    assert event_types(org_a) == ["generation.queued"]
    assert capture_doorbells == ["generation.wake"]


def test_what_was_asked_is_what_the_engine_gets(org_a: Tenant, model: ModelVersion) -> None:
    asked = spec("你好 🎉", temperature=0.3, top_p=0.9, top_k=7, repetition_penalty=1.2, seed=-5, stop=("\n", "END"))
    generation = reread(org_a, studio.request_generation(org_a.actor, asked))
    request = generation.engine_request()
    assert request.messages == asked.messages
    assert request.sampling == replace(asked.sampling, max_tokens=20)
    assert request.prompt is None


def test_a_request_by_key_notes_the_key(org_a: Tenant, model: ModelVersion) -> None:
    generation = studio.request_generation(accounts.actor_of_key(org_a.api_key), spec())
    assert (generation.api_key_id, generation.created_by_id) == (org_a.api_key.pk, None)


def small_plan(tokens: int = 1_000_000, **limits: int) -> None:
    include(tokens)
    if limits:
        Plan.objects.filter(code="free").update(**limits)


@pytest.mark.parametrize(
    ("asked", "limits", "expected"),
    [
        (spec(""), {}, InvalidRequest),
        (replace(spec(), model="missing"), {}, ModelNotFound),
        (replace(spec(), model="x" * 10_000), {}, ModelNotFound),
        (spec(), {"tokens": 5}, InsufficientQuota),
        (spec(), {"max_queued": 0}, QueueFull),
    ],
    ids=["invalid", "unknown model", "absurd model", "no allowance", "full queue"],
)
def test_a_refused_request_leaves_nothing(
    org_a: Tenant,
    model: ModelVersion,
    capture_doorbells: list[str],
    asked: GenerationSpec,
    limits: dict[str, int],
    expected: type[MillraceError],
) -> None:
    before = Plan.objects.filter(code="free").values().get()
    small_plan(**limits) if limits else None
    try:
        with pytest.raises(expected):
            studio.request_generation(org_a.actor, asked)
    finally:
        small_plan(**{name: before[name] for name in ("max_queued",)})
    assert (states(org_a), ledger(org_a), held(org_a), event_types(org_a)) == ({}, [], 0, [])
    with tenancy.scope(org_a.id):
        assert not UsagePeriod.objects.filter(held_tokens__gt=0).exists()
    assert capture_doorbells == []


def test_a_caller_that_fails_later_takes_everything_back(
    org_a: Tenant, model: ModelVersion, capture_doorbells: list[str]
) -> None:
    with pytest.raises(RuntimeError), tenancy.scope(org_a.id):
        ask(org_a)
        raise RuntimeError
    assert (states(org_a), ledger(org_a), held(org_a), capture_doorbells) == ({}, [], 0, [])


def test_permission_is_checked_before_anything_else(org_a: Tenant, model: ModelVersion) -> None:
    reader = Actor(org_a.id, frozenset({"generations:read"}))
    for act in (
        lambda: studio.request_generation(reader, spec("")),
        lambda: studio.cancel_generation(reader, uuid4()),
        lambda: studio.get_generation(Actor(org_a.id, frozenset()), uuid4()),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_members_may_ask(org_a: Tenant, model: ModelVersion) -> None:
    generation = studio.request_generation(actor_of(org_a.member), spec())
    assert generation.created_by_id == org_a.member.pk


def test_a_full_queue_empties_as_work_starts(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    small_plan(max_queued=2)
    ask(org_a)
    ask(org_a)
    with pytest.raises(QueueFull) as refused:
        ask(org_a)
    assert refused.value.retry_after
    ask(org_b)
    start()
    start()
    ask(org_a)


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_do_not_overfill_the_queue(org_a: Tenant, model: ModelVersion) -> None:
    before = Plan.objects.get(code="free").max_queued
    small_plan(max_queued=5)
    try:
        results = together([lambda: ask(org_a)] * 12)
    finally:
        small_plan(max_queued=before)
    assert sorted({type(result) for result in results}, key=str) == [QueueFull, Generation]
    assert states(org_a) == {"queued": 5}
    assert held(org_a) == sum(result.held_tokens for result in results if isinstance(result, Generation))


def local_model(folder: Path, context: int, template: str | None = None) -> ModelVersion:
    """A model known by its files alone; with a `template` also by a tokenizer of whole words."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": context}))
    if template is not None:
        Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))
        (folder / "chat_template.jinja").write_text(template)
    return registry.register_model(registry.ModelDefinition("local", source=str(folder)))


def test_a_prompt_beyond_the_context_is_refused(org_a: Tenant, tmp_path: Path) -> None:
    local_model(tmp_path / "m", context=64)
    # Without a tokenizer only bytes are known: what may still fit is left to the worker, which can count.
    assert admission._max_tokens(registry.resolve("local"), spec("x" * 200), 216, exact=False) > 0
    with pytest.raises(ContextLengthExceeded) as refused:
        studio.request_generation(org_a.actor, replace(spec("x" * 600), model="local"))
    assert (refused.value.status, refused.value.param) == (400, "messages")
    assert states(org_a) == {}


def test_the_answer_is_bound_by_the_room_that_is_left(org_a: Tenant, tmp_path: Path) -> None:
    local_model(tmp_path / "m", context=64, template="{{ messages[0].content }}")
    generation = studio.request_generation(org_a.actor, replace(spec("x" * 20, max_tokens=10_000), model="local"))
    assert generation.prompt_tokens + generation.max_tokens == 64


def test_messages_that_the_template_refuses_are_the_callers_fault(org_a: Tenant, tmp_path: Path) -> None:
    local_model(tmp_path / "m", context=64, template="{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InvalidRequest, match="alternate") as refused:
        studio.request_generation(org_a.actor, replace(spec(), model="local"))
    assert refused.value.param == "messages"


def test_a_moved_alias_leaves_accepted_work_where_it_was(org_a: Tenant, model: ModelVersion) -> None:
    generation = ask(org_a)
    registry.register_model(registry.ModelDefinition("other", remote_url="http://gpu.example/v1"))
    registry.move_alias("default", "other")
    assert reread(org_a, generation).model == model


# ---------------------------------------------------------------- reading


def test_another_organizations_generation_is_not_there(org_a: Tenant, org_b: Tenant, model: ModelVersion) -> None:
    theirs = ask(org_b).pk
    answers = set()
    for act in (studio.get_generation, studio.cancel_generation):
        for id in (theirs, uuid4()):
            with pytest.raises(NotFound) as refused:
                act(org_a.actor, id)
            answers.add(json.dumps(refused.value.body()))
    assert len(answers) == 1
    assert states(org_b) == {"queued": 1}


def test_a_prompt_completion_is_no_chat(org_a: Tenant, model: ModelVersion) -> None:
    generation = studio.request_generation(org_a.actor, GenerationSpec(prompt="Once upon", max_tokens=5))
    request = generation.engine_request()
    assert (request.prompt, request.messages, generation.kind) == ("Once upon", (), "completion")


def test_several_turns_keep_their_order(org_a: Tenant, model: ModelVersion) -> None:
    turns = (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Hello."),
        Message("user", "?"),
    )
    generation = studio.request_generation(org_a.actor, replace(spec(), messages=turns))
    assert reread(org_a, generation).engine_request().messages == turns
