"""The flow editor: steps, slots, answers and flows changed one at a time, each change a draft, what is refused kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from apps.accounts.models import Role
from apps.core import tenancy
from apps.core.errors import Conflict, NotFound
from apps.support.models import FlowVersion
from apps.support.services import flows
from apps.support.services.flows import editing
from tests.apps.support.test_flows import ready
from tests.helpers import bots
from tests.helpers.people import Tenant, add_person
from tests.helpers.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db
SLOT = {"kind": "choice", "ask": "en: Which card?\nzh: 哪张卡？", "choices": "debit: bank card, girocard\ncredit:"}
Send = Callable[..., Any]


@pytest.fixture
def send(org_a: Tenant, client_of: Callable[[Any], Client]) -> Send:
    """Sends a form of the editor for the newest version."""
    ready(org_a)
    browser = client_of(org_a.owner)

    def post(part: str, act: str, **values: str) -> Any:
        with tenancy.scope(org_a.id):
            number = FlowVersion.objects.latest("number").number
        return browser.post(f"/support/bot/flows/{number}/steps/", {"part": part, "act": act, **values})

    return post


def newest(tenant: Tenant) -> Any:
    with tenancy.scope(tenant.id):
        return editing.plain(FlowVersion.objects.latest("number").text)


def test_a_changed_step_is_written_back_and_the_rest_stays() -> None:
    file = editing.plain(bots.FLOWS)
    editing.set_step(file, "transfer/0", "say", "Transfers take two days.", {})
    editing.add_step(file, "transfer/0", "hand_over", "unsure")
    more = {"with": "card: {last_four}\nwhy: lost", "save": "reference: number"}
    editing.set_step(file, "block_card/2/then/0", "call", "block_card", more)
    checked = flows.check(editing.written(file), bots.STORIES)
    assert checked.flows.named("transfer").steps[0].text.say("en", {}) == "Transfers take two days."  # type: ignore[union-attr]
    assert len(checked.flows.named("transfer").steps) == 2
    assert editing.plain(editing.written(file))["answers"] == editing.plain(bots.FLOWS)["answers"]
    editing.move_step(file, "transfer/1", -1)
    editing.remove_step(file, "transfer/0")
    assert len(flows.check(editing.written(file)).flows.named("transfer").steps) == 1


def test_steps_are_changed_on_their_page_as_a_new_draft(org_a: Tenant, client_of: Callable[[Any], Client]) -> None:
    version = ready(org_a)
    browser = client_of(org_a.owner)
    page = browser.get(f"/support/bot/flows/{version.number}/steps/")
    assert page.status_code == 200 and b"Transfers take one working day." in page.content
    form = {"path": "transfer/0", "act": "save", "kind": "say", "value": "Transfers are instant."}
    assert browser.post(f"/support/bot/flows/{version.number}/steps/", form).status_code == 302
    with tenancy.scope(org_a.id):
        assert "Transfers are instant." in FlowVersion.objects.get(number=2).text
        assert "one working day" in FlowVersion.objects.get(number=1).text
    wrong = {"path": "transfer/0", "act": "save", "kind": "ask", "value": "nothing_like_it"}
    answer = browser.post(f"/support/bot/flows/{version.number}/steps/", wrong)
    assert answer.status_code == 422 and b"there is no slot" in answer.content


def test_a_text_keeps_its_languages_and_its_lines() -> None:
    file = editing.plain(bots.FLOWS)
    editing.add_step(file, "transfer/0", "say", "en: First line\nsecond line\nzh: 你好")
    editing.add_step(file, "transfer/0", "say", "atm: not a language\nen: nor here")
    said = [step["say"] for step in file["flows"]["transfer"]["steps"][1:]]
    assert said == ["atm: not a language\nen: nor here", {"en": "First line\nsecond line", "zh": "你好"}]
    steps = editing.shown(file, "zh-hans")[1].steps
    assert (steps[2].brief, steps[2].value) == ("你好", "en: First line\nsecond line\nzh: 你好")


def test_a_language_that_the_file_speaks_stays_one_and_other_words_before_colons_stay_words() -> None:
    file = editing.plain(bots.FLOWS)
    file["answers"]["greeting"] = {"en": "Hello", "mt": "Bongu"}
    editing.set_answer(file, "greeting", "en: Hello!\r\nmt: Bongu!")
    editing.set_answer(file, "opening_hours", "id: {number}\r\nask for it")
    editing.add_answer(file, "fees", "en: Nothing")
    assert file["answers"]["greeting"] == {"en": "Hello!", "mt": "Bongu!"}
    assert file["answers"]["opening_hours"] == "id: {number}\nask for it"
    assert file["answers"]["fees"] == {"en": "Nothing"}


def test_another_kind_of_step_loses_no_steps_and_says_no_condition() -> None:
    file = editing.plain(bots.FLOWS)
    editing.set_step(file, "transfer/0", "if", "amount > 3", {})
    assert file["flows"]["transfer"]["steps"] == [{"if": "amount > 3", "then": [{"hand_over": "unsure"}]}]
    with pytest.raises(Conflict):
        editing.set_step(file, "block_card/2", "say", "Hello", {})
    assert file["flows"]["block_card"]["steps"][2]["then"]
    editing.add_step(
        file, "transfer/0", "call", "block_card", {"with": "card: {last_four}", "save": "reference: number"}
    )
    call = {"call": "block_card", "with": {"card": "{last_four}"}, "save": {"reference": "number"}}
    assert file["flows"]["transfer"]["steps"][1] == call


def test_words_of_a_choice_that_stay_are_left_as_they_are() -> None:
    file = editing.plain(bots.FLOWS)
    editing.add_slot(file, "transfer", "which", SLOT)
    file["flows"]["transfer"]["slots"]["which"]["choices"] = {"gold": ["Visa, Gold"]}
    [slot] = editing.shown(file)[1].slots
    editing.set_slot(file, "transfer", "which", dict(slot.facts) | {"ask": "Which one?"})
    assert file["flows"]["transfer"]["slots"]["which"]["choices"] == {"gold": ["Visa, Gold"]}


def test_branches_that_a_step_may_have_are_begun(org_a: Tenant) -> None:
    ready(org_a)
    file = editing.plain(bots.FLOWS)
    shown = {step.path: step for step in editing.shown(file)[0].steps}
    assert shown["block_card/2"].missing == ("else",) and shown["block_card/2/then/0"].missing == ("failed",)
    editing.add_step(file, "block_card/2/else", "say", "All right.")
    editing.add_step(file, "block_card/2/then/0/failed", "hand_over", "card_system_down")
    flow = flows.check(editing.written(file)).flows.named("block_card")
    assert len(flow.steps) == len(flows.check(bots.FLOWS).flows.named("block_card").steps) + 4
    for path in ("block_card/0/else", "block_card/2/failed", "block_card/9/else", "nothing/0/else"):
        with pytest.raises(NotFound):
            editing.add_step(file, path, "say", "Hello")


def test_slots_answers_and_flows_are_added_changed_and_removed() -> None:
    file = editing.plain(bots.FLOWS)
    editing.add_slot(file, "transfer", "which", SLOT | {"minimum": "", "when": ""})
    editing.add_step(file, "transfer/0", "ask", "which")
    editing.add_flow(file, "loan", "en: Loans\nzh: 贷款", ["loan"])
    editing.add_slot(file, "loan", "amount", {"kind": "amount", "ask": "How much?", "minimum": "100", "maximum": "9.5"})
    editing.set_flow(file, "transfer", "Transfers", ["transfer_status", "transfer_late"])
    editing.set_answer(file, "opening_hours", "Always.")
    editing.add_answer(file, "greeting", "Hello!")
    found = flows.check(editing.written(file))
    which = found.flows.named("transfer").slots["which"]
    assert which.choices == {"debit": ("debit", "bank card", "girocard"), "credit": ("credit",)}
    assert which.ask.say("zh", {}) == "哪张卡？"
    assert found.flows.named("transfer").intents == ("transfer_status", "transfer_late")
    assert str(found.flows.named("loan").slots["amount"].minimum) == "100"
    assert found.flows.answers["opening_hours"].say("zh", {}) == "Always."
    for again in (
        lambda: editing.add_flow(file, "loan", "Loans", []),
        lambda: editing.add_slot(file, "loan", "amount", SLOT),
        lambda: editing.add_answer(file, "greeting", "Hi"),
    ):
        with pytest.raises(Conflict):
            again()
    editing.remove_step(file, "transfer/1")
    editing.remove_slot(file, "transfer", "which")
    editing.remove_flow(file, "loan")
    editing.remove_answer(file, "greeting")
    left = editing.plain(editing.written(file))
    assert "slots" not in left["flows"]["transfer"] and set(left["flows"]) == {"block_card", "transfer"}
    assert set(left["answers"]) == {"opening_hours"}


def test_the_page_changes_every_part(org_a: Tenant, send: Send) -> None:
    assert send("slot", "save", flow="transfer", name="which", **SLOT).status_code == 302
    assert send("slot", "save", flow="transfer", before="which", kind="text", ask="Which one?").status_code == 302
    assert newest(org_a)["flows"]["transfer"]["slots"] == {"which": {"kind": "text", "ask": "Which one?"}}
    assert send("flow", "save", name="loan", title="Loans", intents="loan, credit").status_code == 302
    assert newest(org_a)["flows"]["loan"]["intents"] == ["loan", "credit"]
    assert send("flow", "save", before="loan", title="Credit", intents="loan").status_code == 302
    assert send("answer", "save", intent="greeting", text="en: Hello!\nzh: 您好！").status_code == 302
    assert send("step", "else", path="block_card/2", kind="say", value="All right.").status_code == 302
    file = newest(org_a)
    assert file["answers"]["greeting"] == {"en": "Hello!", "zh": "您好！"}
    assert file["flows"]["loan"]["title"] == "Credit"
    assert file["flows"]["block_card"]["steps"][2]["else"] == [{"say": "All right."}]
    assert send("answer", "remove", before="greeting").status_code == 302
    assert send("flow", "remove", before="loan").status_code == 302
    assert send("slot", "remove", flow="transfer", before="which").status_code == 302
    assert "loan" not in newest(org_a)["flows"]
    with tenancy.scope(org_a.id):
        assert FlowVersion.objects.get(number=1).text == bots.FLOWS


def test_what_is_refused_is_told_and_what_was_typed_stays(org_a: Tenant, send: Send) -> None:
    refused = [
        (send("slot", "remove", flow="block_card", before="sure"), "there is no slot “sure”"),
        (send("slot", "save", flow="transfer", name="No Name", kind="text", ask="Typed with care"), "Typed with care"),
        (send("slot", "save", flow="transfer", name="sum", kind="amount", ask="Typed", minimum="x"), "not a number"),
        (send("flow", "save", name="transfer", title="Typed twice"), "Typed twice"),
        (send("flow", "save", name="loan", title=""), "A flow has a title"),
        (send("answer", "save", intent="transfer_status", text="Typed answer"), "Typed answer"),
        (send("answer", "save", intent="", text="Typed for nothing"), "Name the intent"),
        (send("step", "add", path="transfer/0", kind="ask", value="typed_slot"), "typed_slot"),
        (send("step", "add", path="transfer/0", kind="call", value="block_card", inputs="card typed"), "card typed"),
        (
            send("step", "save", path="transfer/0", kind="say", value="Typed late", newest="0"),
            "Meanwhile v1 was written",
        ),
    ]
    for answer, words in refused:
        assert answer.status_code == 422 and words in answer.content.decode(), words
        assert "Nothing was saved" in answer.content.decode()
    assert send("slot", "remove", flow="transfer", before="nothing").status_code == 404
    assert send("flow", "remove", before="nothing").status_code == 404
    with tenancy.scope(org_a.id):
        assert FlowVersion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_press_at_the_same_time_the_second_is_told_of_the_first(org_a: Tenant, send: Send) -> None:
    text = flows.get_version(org_a.actor, 1).text

    def press() -> Any:
        try:
            return send("step", "save", path="transfer/0", kind="say", value="Typed late", newest="1")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with tenancy.scope(org_a.id):
            flows.save_version(org_a.actor, text, note="First")
            pressed = pool.submit(press)
            wait_until_somebody_waits()
        answer = pressed.result(timeout=60)
    assert answer.status_code == 422 and "Meanwhile v2 was written" in answer.content.decode()
    # Who has been told goes on.
    assert 'name="newest" value="2"' in answer.content.decode()
    with tenancy.scope(org_a.id):
        assert FlowVersion.objects.count() == 2


def test_a_fault_in_the_form_hides_nothing_that_was_written_meanwhile(send: Send) -> None:
    page = send("answer", "save", intent="", text="Typed for nothing", newest="0").content.decode()
    assert "Name the intent" in page and 'name="newest" value="0"' in page


def test_outsiders_find_no_editor_and_who_may_only_read_changes_nothing(
    org_a: Tenant, org_b: Tenant, client_of: Callable[[Any], Client]
) -> None:
    at = f"/support/bot/flows/{ready(org_a).number}/steps/"
    form = {"part": "answer", "act": "save", "intent": "greeting", "text": "Hello"}
    assert client_of(org_b.owner).get(at).status_code == 404
    assert client_of(org_b.owner).post(at, form).status_code == 404
    viewer = client_of(add_person(org_a, "viewer", Role.AUDITOR))
    page = viewer.get(at)
    assert page.status_code in {200, 403} and b"Save step" not in page.content
    assert viewer.post(at, form).status_code == 403
    with tenancy.scope(org_a.id):
        assert FlowVersion.objects.count() == 1
