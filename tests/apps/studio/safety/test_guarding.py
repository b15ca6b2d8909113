"""Safety rules hold on every way in, before anything is written, and at every end, before anybody reads."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from apps.accounts.models import AuditEntry
from apps.core import streams, tenancy
from apps.core.jobs import Status
from apps.core.models import Event
from apps.registry.models import ModelVersion
from apps.studio import services as studio
from apps.studio.errors import ContentRefused
from apps.studio.models import Conversation, Generation, Turn
from apps.studio.services import Outcome, conversations, safety
from apps.studio.services.conversations import ChatSettings, Draft
from apps.studio.services.safety import guarding
from apps.studio.services.safety.rules import LengthRules, ListRules, PersonalRules, Rules
from ml.safety import Finding
from tests.apps.studio.test_pages import BRIEF
from tests.helpers.following import PIECES, TEXT, end, frames_of, say, told
from tests.helpers.live import live_server
from tests.helpers.people import Tenant
from tests.helpers.studio import ask, finish, reread, start, states

MASKING = Rules(personal=PersonalRules(("email", "card"), "mask", "mark"))
BLOCKING = Rules(lists=(ListRules("Names", ("project falcon",), "block", "block"),))
MAIL = "Write to ann@example.com about tea."

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rules(org_a: Tenant, model: ModelVersion) -> Any:
    def put(wanted: Rules) -> None:
        safety.change_policy(org_a.actor, wanted)

    return put


def ended(tenant: Tenant, text: str) -> Generation:
    """The next waiting generation, written by a worker as this text."""
    generation = start()
    assert finish(generation, Outcome(Status.SUCCEEDED, text, "stop", 10, 7))
    return reread(tenant, generation)


# ---------------------------------------------------------------- prompts
def test_nothing_is_written_of_what_is_refused_but_that_it_was(org_a: Tenant, rules: Any) -> None:
    rules(BLOCKING)
    with pytest.raises(ContentRefused) as refused:
        ask(org_a, "All about PROJECT  Fálcon, please.")
    assert (refused.value.code, refused.value.param) == ("content_refused", "messages.0")
    assert "Names" in refused.value.message
    assert states(org_a) == {}
    with tenancy.scope(org_a.id):
        assert Event.objects.get(type="safety.prompt_refused").data == {"rule": "terms", "name": "Names"}
        assert "alcon" not in json.dumps(AuditEntry.objects.get(action="safety.prompt_refused").detail)


def test_a_masked_prompt_is_masked_everywhere_in_the_row(org_a: Tenant, rules: Any) -> None:
    rules(MASKING)
    generation = reread(org_a, ask(org_a, MAIL))
    assert generation.messages[-1]["content"] == "Write to [EMAIL_1] about tea."
    with tenancy.scope(org_a.id):
        kept = json.dumps(list(Generation.objects.values()), default=str)
    assert "ann@example.com" not in kept
    [found] = generation.findings["prompt"]
    assert (found["rule"], found["name"], found["action"], found["place"]) == (
        "personal",
        "email",
        "mask",
        "messages.0",
    )


def test_without_rules_nothing_changes(org_a: Tenant, org_b: Tenant, rules: Any) -> None:
    safety.change_policy(org_b.actor, BLOCKING)
    generation = reread(org_a, ask(org_a, MAIL + " project falcon"))
    assert generation.messages[-1]["content"].startswith(MAIL)
    assert (generation.findings, generation.safety_policy_id, generation.held_back) == (None, None, False)


def test_the_page_says_which_rule_refused(org_a: Tenant, rules: Any, client_of: Any) -> None:
    rules(BLOCKING)
    answer = client_of(org_a.owner).post("/studio/", BRIEF | {"kind": "prompt", "prompt": "project falcon"})
    assert answer.status_code == 422
    assert "safety rules refuse this text" in answer.content.decode()
    assert states(org_a) == {}


def test_rest_and_openai_refuse_in_their_own_shapes(org_a: Tenant, rules: Any) -> None:
    rules(BLOCKING)
    client, body = Client(), {"model": "default", "messages": [{"role": "user", "content": "project falcon"}]}
    for path in ("/api/v1/generations", "/v1/chat/completions"):
        answer = client.post(path, json.dumps(body), content_type="application/json", headers=org_a.bearer)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "content_refused", "messages.0"), path
        assert error["type"] == "invalid_request_error"
    raw = {"model": "default", "prompt": "project falcon"}
    answer = client.post("/v1/completions", json.dumps(raw), content_type="application/json", headers=org_a.bearer)
    assert answer.json()["error"]["code"] == "content_refused"
    assert states(org_a) == {}


def test_openais_own_client_raises_its_own_error(org_a: Tenant, rules: Any) -> None:
    rules(BLOCKING)
    with (
        live_server() as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=org_a.key, max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(model="default", messages=[{"role": "user", "content": "project falcon"}])
    assert refused.value.code == "content_refused"


def test_a_conversation_keeps_what_was_masked(org_a: Tenant, rules: Any) -> None:
    rules(MASKING)
    conversation = conversations.create_conversation(org_a.actor, ChatSettings())
    question = conversations.prepare_message(org_a.actor, conversation.pk, Draft(MAIL))
    conversations.accept_question(org_a.actor, question)
    with tenancy.scope(org_a.id):
        kept = json.dumps([list(table.objects.values()) for table in (Turn, Generation, Conversation)], default=str)
    assert "ann@example.com" not in kept and "[EMAIL_1]" in kept


def test_what_is_done_again_comes_under_todays_rules(org_a: Tenant, rules: Any) -> None:
    ask(org_a, "project falcon")
    failed = start()
    assert finish(failed, Outcome(Status.FAILED, "", "error", error_code="engine_failed", error_message="x"))
    rules(BLOCKING)
    with pytest.raises(ContentRefused):
        studio.repeat_generation(org_a.actor, failed.pk)


def test_a_prompt_that_is_too_long_is_refused(org_a: Tenant, rules: Any) -> None:
    rules(Rules(length=LengthRules(prompt=20)))
    ask(org_a, "x" * 20)
    with pytest.raises(ContentRefused, match="length"):
        ask(org_a, "x" * 21)


# ---------------------------------------------------------------- outputs
def test_a_withheld_output_is_in_no_row_and_is_charged(org_a: Tenant, rules: Any) -> None:
    rules(BLOCKING)
    ask(org_a)
    generation = ended(org_a, "Once upon a time project falcon flew.")
    assert (generation.text, generation.finish_reason, generation.status) == ("", "content_filter", "succeeded")
    assert generation.completion_tokens == 7
    [found] = generation.findings["output"]
    assert (found["rule"], found["name"], found["action"]) == ("terms", "Names", "block")
    with tenancy.scope(org_a.id):
        assert Event.objects.get(type="safety.output_withheld").data["rules"] == "terms"


def test_an_output_that_cannot_be_checked_is_withheld_and_settled(
    org_a: Tenant, rules: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules(BLOCKING)
    ask(org_a)

    def broken(*_: Any) -> list[Finding]:
        raise RuntimeError("broken")

    monkeypatch.setattr(guarding, "check", broken)
    generation = ended(org_a, "harmless")
    assert (generation.text, generation.finish_reason) == ("", "content_filter")
    assert generation.findings["output"][0]["rule"] == "unchecked"


def test_marks_leave_the_text_and_masks_change_it(org_a: Tenant, rules: Any) -> None:
    rules(Rules(personal=PersonalRules(("email",), "off", "mark")))
    ask(org_a)
    marked = ended(org_a, MAIL)
    [found] = marked.findings["output"]
    assert (marked.text, MAIL[found["start"] : found["end"]]) == (MAIL, "ann@example.com")
    assert not marked.held_back
    rules(Rules(personal=PersonalRules(("email",), "off", "mask")))
    ask(org_a)
    masked = ended(org_a, MAIL)
    assert (masked.text, masked.held_back) == ("Write to [EMAIL_1] about tea.", True)


def test_placeholders_are_put_back_only_where_that_is_wanted(org_a: Tenant, rules: Any) -> None:
    rules(MASKING)
    ask(org_a, MAIL)
    assert ended(org_a, "Dear [EMAIL_1],").text == "Dear [EMAIL_1],"
    rules(Rules(personal=PersonalRules(("email",), "mask", "off", restore=True)))
    waiting = ask(org_a, MAIL)
    assert "ann@example.com" not in reread(org_a, waiting).originals
    done = ended(org_a, "Dear [EMAIL_1], [EMAIL_2]")
    assert (done.text, done.originals) == ("Dear ann@example.com, [EMAIL_2]", "")


def test_a_text_is_judged_by_the_rules_it_began_with(org_a: Tenant, rules: Any) -> None:
    ask(org_a)
    rules(BLOCKING)
    assert ended(org_a, "project falcon").text == "project falcon"


# ---------------------------------------------------------------- readers
@pytest.mark.usefixtures("quick_looks")
async def test_nobody_reads_a_word_before_it_is_checked(org_a: Tenant, model: ModelVersion, redis: Any) -> None:
    await sync_to_async(safety.change_policy)(org_a.actor, BLOCKING)
    await sync_to_async(ask)(org_a)
    running = await sync_to_async(start)()
    await sync_to_async(streams.take_over)(redis, running.pk, 1)
    await sync_to_async(say)(redis, running, ["project ", "falcon", " flies"])
    await sync_to_async(end)(redis, running, "project falcon flies")
    for after in ("", "1-1", "1-2"):
        frames = await frames_of(org_a, running, after)
        assert "falcon" not in json.dumps(frames), after
        assert (told(frames), frames[-1]["type"]) == ("", "done")
        assert frames[-1]["generation"]["finish_reason"] == "content_filter"


@pytest.mark.usefixtures("quick_looks")
async def test_a_text_that_passes_comes_whole_and_once(org_a: Tenant, model: ModelVersion, redis: Any) -> None:
    await sync_to_async(safety.change_policy)(org_a.actor, BLOCKING)
    await sync_to_async(ask)(org_a)
    running = await sync_to_async(start)()
    await sync_to_async(streams.take_over)(redis, running.pk, 1)
    await sync_to_async(say)(redis, running, PIECES)
    await sync_to_async(end)(redis, running, TEXT)
    whole = await frames_of(org_a, running)
    assert [frame["text"] for frame in whole if frame["type"] == "delta"] == [TEXT]
    for frame in whole:
        if "id" in frame:
            assert told(await frames_of(org_a, running, frame["id"]), TEXT) == TEXT


# ---------------------------------------------------------------- who may
def test_only_who_may_changes_the_rules(org_a: Tenant, org_b: Tenant, rules: Any, client_of: Any) -> None:
    rules(BLOCKING)
    rules(BLOCKING)
    with tenancy.scope(org_a.id):
        assert safety.current_policy().number == 1  # type: ignore[union-attr]
        assert AuditEntry.objects.filter(action="safety.policy_changed").count() == 1
    assert client_of(org_a.member).get("/settings/safety/").status_code == 403
    with tenancy.scope(org_b.id):
        assert safety.current_policy() is None
