"""Dialogues turn by turn: forms, corrections, digressions, doubts and duties, as stories against flows."""

from datetime import date
from pathlib import Path

import pytest

from ml.dialogue.engine import Engine
from ml.dialogue.entities import find_entities
from ml.dialogue.flows import Condition, FlowError, parse_flows
from ml.dialogue.flows.conditions import ConditionError
from ml.dialogue.policy import Generate, LookUp, Settings, Turn, candidates
from ml.dialogue.ranking import LearnedRanking
from ml.dialogue.state import PersonActed, Returned, State, fold, from_json, to_json
from ml.dialogue.stories import Story, parse_stories, run_story, taught
from ml.dialogue.types import Ranked, Reading

HERE = Path(__file__).parent
TODAY = date(2026, 11, 26)
FLOWS = parse_flows((HERE / "flows.yaml").read_text(encoding="utf-8"), actions={"block_card", "transfer"})
STORIES = parse_stories((HERE / "stories.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_story_goes_as_it_is_written(story: Story) -> None:
    outcome = run_story(story, Engine(FLOWS), TODAY)
    assert not outcome.failures, "\n".join(map(str, outcome.failures))


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_stored_events_replayed_are_the_same_state(story: Story) -> None:
    """In one go, one by one from storage, and cut anywhere: a restart changes nothing."""
    events = run_story(story, Engine(FLOWS), TODAY).events
    stored = [from_json(to_json(event)) for event in events]
    assert tuple(stored) == events
    for cut in range(len(events) + 1):
        assert fold(stored[cut:], fold(events[:cut])) == fold(events)


def test_a_story_that_goes_otherwise_names_the_line() -> None:
    text = "- story: Wrong\n  turns:\n    - customer: Hello\n      expects:\n        - says: Good evening\n"
    (failure,) = run_story(parse_stories(text)[0], Engine(FLOWS), TODAY).failures
    assert failure.line == 5
    assert "Good evening" in failure.message


def said(text: str, *ranked: tuple[str, float]) -> Turn:
    return Turn(text, Reading(tuple(Ranked(*each) for each in ranked)), find_entities(text, TODAY))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I want to speak to a real person", "human"),
        ("agent", "human"),
        ("转人工", "human"),
        ("can you put me through to somebody", "human"),
        ("I think I have been scammed", "fraud"),
        ("there is an unauthorised transaction", "fraud"),
        ("我的卡被盗刷了", "fraud"),
        ("I would like to make a complaint", "complaint"),
        ("我要投诉你们", "complaint"),
    ],
)
def test_duties_hand_over_at_once_however_sure_the_model_is_of_something_else(text: str, reason: str) -> None:
    (_, *happened) = Engine(FLOWS).take(State(), said(text, ("make_transfer", 0.999)), TODAY)
    assert [event.reason for event in happened if hasattr(event, "reason")] == [reason]


@pytest.mark.parametrize("text", ["send money to somebody", "I lost my card", "how do I add a person to my account"])
def test_what_only_sounds_like_a_duty_is_none(text: str) -> None:
    happened = Engine(FLOWS).take(State(), said(text, ("make_transfer", 0.9)), TODAY)
    assert fold(happened).owner == "bot"


def test_an_intent_marked_as_a_duty_hands_over_at_any_confidence() -> None:
    engine = Engine(FLOWS, Settings(duties={"compromised_card": "fraud"}))
    state = fold(engine.take(State(), said("hm", ("compromised_card", 0.11), ("lost_card", 0.1)), TODAY))
    assert (state.owner, state.reason) == ("person", "fraud")


def test_nothing_is_said_once_a_person_has_acted_and_late_results_are_dropped() -> None:
    engine = Engine(FLOWS)
    state = fold(engine.take(State(), said("I lost the card ending in 4242", ("lost_card", 0.9)), TODAY))
    state = fold(engine.take(state, Turn("yes", Reading()), TODAY), state)
    assert state.called
    state = fold([PersonActed()], state)
    assert engine.go_on(state, Returned("block_card", True)) == []
    later = engine.take(state, said("hello", ("opening_hours", 0.99)), TODAY)
    assert [type(event).__name__ for event in later] == ["TurnTaken"]


def test_an_action_under_way_is_not_begun_again_by_what_is_said_meanwhile() -> None:
    engine = Engine(FLOWS)
    state = fold(engine.take(State(), said("I lost the card ending in 4242", ("lost_card", 0.9)), TODAY))
    state = fold(engine.take(state, Turn("yes", Reading()), TODAY), state)
    assert state.called
    meanwhile = engine.take(state, said("transfer 50 euros", ("make_transfer", 0.99)), TODAY)
    state = fold(meanwhile, state)
    assert [type(event).__name__ for event in meanwhile] == ["TurnTaken", "Said"]
    after = engine.go_on(state, Returned("block_card", True, {"number": "R-1"}))
    assert fold(after, state).stack == ()
    assert any("R-1" in getattr(event, "text", "") for event in after)
    assert engine.go_on(fold(after, state), Returned("block_card", True, {"number": "R-1"})) == []


def test_a_ranking_learned_from_stories_prefers_what_they_show_and_adds_nothing() -> None:
    settings = Settings(generates=True)
    text = "".join(
        f"- story: S{number}\n  turns:\n    - customer: {question}\n      outside: true\n"
        f"      expects: [{{seeks: {how}}}]\n"
        for number, (question, how) in enumerate(
            [("rates?", "look_up"), ("fees?", "look_up"), ("tell me all about how you came to be a bank", "generate")]
            * 3
        )
    )
    engine = Engine(FLOWS, settings)
    choices = [choice for story in parse_stories(text) for choice in taught(story, engine, TODAY)]
    assert len(choices) == 9
    learned = LearnedRanking(LearnedRanking.learn(choices).weights())
    engine = Engine(FLOWS, settings, learned)
    assert all(not run_story(story, engine, TODAY).failures for story in parse_stories(text))
    turn = Turn("cards?", Reading((), 1.0, True))
    found = learned.order(State(), turn, candidates(State(), turn, FLOWS, settings, TODAY))
    assert isinstance(found[0], LookUp)
    assert {type(each) for each in found} >= {LookUp, Generate}


WRONG = """
flows:
  Block:
    intents: [lost_card, lost_crd]
    slots:
      amount: {kind: amont, ask: "How much?"}
      day: {kind: date}
    steps:
      - ask: amout
      - if: amount >
        then:
          - say: "{nothing} is set"
      - call: blok_card
      - shout: hello
"""


def test_every_fault_of_a_flow_is_told_with_its_line_at_once() -> None:
    with pytest.raises(FlowError) as raised:
        parse_flows(WRONG, actions={"block_card"}, intents={"lost_card"})
    assert {problem.line for problem in raised.value.problems} == {3, 4, 6, 7, 9, 10, 12, 13, 14}
    assert "is “amount” meant" in str(raised.value)
    assert "is “block_card” meant" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [("flows: [", 1), ("a: 1\na: 2", 2), ("x: &a {y: 1}\nz: *a", 1), ("", 1), ("flows:\n  f: {steps: {}}", 2)],
)
def test_what_is_no_file_of_flows_is_said(text: str, line: int) -> None:
    with pytest.raises(FlowError) as raised:
        parse_flows(text)
    assert raised.value.problems[0].line >= line


@pytest.mark.parametrize(
    ("condition", "values", "holds"),
    [
        ("amount > 1000 and sure", {"amount": "1500", "sure": "yes"}, True),
        ("amount > 1000", {}, False),
        ("amount == none", {}, True),
        ('reason in ["lost", "stolen"]', {"reason": "lost"}, True),
        ("not sure", {"sure": "no"}, True),
        ("1 < amount <= 2.5", {"amount": "2.5"}, True),
        ('account == "0042"', {"account": "0042"}, True),
    ],
)
def test_conditions_compare_slots(condition: str, values: dict[str, str], holds: bool) -> None:
    assert Condition.parse(condition).holds(values) is holds


@pytest.mark.parametrize("condition", ["__import__('os')", "a.b", "f(1)", "a[0]", "lambda: 1", "1 + 1", "(a := 1)"])
def test_conditions_hold_no_program(condition: str) -> None:
    with pytest.raises(ConditionError):
        Condition.parse(condition)
