"""A turn of a dialogue: the policy's decision carried out as events. Actions are asked for and never done here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from ml.dialogue import policy
from ml.dialogue.entities import find_entities
from ml.dialogue.entities.tagger import Tagger
from ml.dialogue.flows.model import (
    TO_A_PERSON,
    Ask,
    Call,
    Flow,
    Flows,
    HandOver,
    Jump,
    JumpUnless,
    Say,
    Text,
)
from ml.dialogue.phrases import PHRASES
from ml.dialogue.policy import Decision, Ranking, Settings, Turn
from ml.dialogue.slots import MARKED
from ml.dialogue.state import (
    Asked,
    Called,
    Clarified,
    Event,
    FlowEnded,
    FlowStarted,
    HandedOver,
    Moved,
    Returned,
    Said,
    SlotCorrected,
    SlotFilled,
    Sought,
    State,
    TurnTaken,
    apply,
)
from ml.dialogue.types import Entity

ACTION_FAILED = "action_failed"


class Engine:
    """One version of flows and settings; it keeps no state, and may be shared by threads."""

    def __init__(
        self,
        flows: Flows,
        settings: Settings | None = None,
        ranking: Ranking | None = None,
        phrases: Mapping[str, Text] | None = None,
        tagger: Tagger | None = None,
    ) -> None:
        self.flows = flows
        self.settings = settings or Settings()
        self.ranking = ranking
        self.tagger = tagger
        self._phrases = {**PHRASES, **(phrases or {})}

    def take(self, state: State, turn: Turn, today: date, language: str = "en") -> list[Event]:
        """What happens when a customer has said something; nothing at all if a person has the conversation."""
        decision = policy.decide(state, turn, self.flows, self.settings, today, self.ranking)
        return self.enact(state, turn, decision, language)

    def entities(self, text: str, today: date) -> tuple[Entity, ...]:
        """What patterns tell, and what a tagger has learned to be slots, as entities of the kind `slot:NAME`."""
        marked = self.tagger.find(text) if self.tagger else ()
        return (*find_entities(text, today), *(replace(each, kind=MARKED + each.kind) for each in marked))

    def enact(self, state: State, turn: Turn, decision: Decision, language: str = "en") -> list[Event]:
        """The events of a decision."""
        run = _Run(self, state, language)
        best = turn.reading.best
        run.add(TurnTaken(turn.text, best.intent, best.probability))
        run.carry_out(decision)
        return run.events

    def go_on(self, state: State, returned: Returned, language: str = "en") -> list[Event]:
        """What happens when an action has returned; one that nobody waits for changes nothing."""
        if state.owner == "person" or state.called is None or state.called.action != returned.action:
            return []
        run = _Run(self, state, language)
        run.go_on(returned)
        return run.events

    def phrase(self, name: str, language: str, **values: str) -> str:
        return self._phrases[name].say(language, values)


class _Run:
    """Events as they come to be, and the state behind them."""

    def __init__(self, engine: Engine, state: State, language: str) -> None:
        self._engine, self._language = engine, language
        self.state = state
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        self.events.append(event)
        self.state = apply(self.state, event)

    def carry_out(self, decision: Decision) -> None:
        match decision:
            case policy.Silent():
                return
            case policy.Busy():
                self._say("busy")
            case policy.HandOver():
                self._hand_over(decision.reason)
            case policy.Start():
                self._start(decision)
            case policy.Fill():
                for slot, value in decision.values:
                    self.add(SlotFilled(slot, value))
                self._walk()
            case policy.Correct():
                self._correct(decision)
            case policy.Ask():
                self._ask_again(decision)
            case policy.Cancel():
                self.add(FlowEnded("cancelled"))
                self._say("cancelled")
                self._resume()
            case policy.Disambiguate():
                self._disambiguate(decision.options)
            case policy.Reply():
                self.add(Said(self._engine.flows.answers[decision.intent].say(self._language, {})))
                self._resume()
            case policy.LookUp() | policy.Generate():
                how = "look_up" if isinstance(decision, policy.LookUp) else "generate"
                self.add(Sought(how, decision.query))
                self._resume()

    def go_on(self, returned: Returned) -> None:
        """The call's outputs become slots by the names that the flow gives them."""
        flow, frame = self._flow(), self.state.frame
        step = flow.steps[frame.position] if frame else None
        assert isinstance(step, Call)  # noqa: S101 - a state that waits for an action stands at its call
        outputs = {
            name: returned.outputs[source] for name, source in step.outputs.items() if source in returned.outputs
        }
        self.add(Returned(returned.action, returned.succeeded, outputs))
        position = frame.position if frame else 0
        if returned.succeeded:
            self.add(Moved(position + 1))
        elif step.failed == TO_A_PERSON:
            self._hand_over(ACTION_FAILED)
            return
        else:
            self.add(Moved(step.failed))
        self._walk()

    def _start(self, decision: policy.Start) -> None:
        self.add(FlowStarted(decision.flow, self._engine.flows.version))
        for slot, value in decision.values:
            self.add(SlotFilled(slot, value))
        self._walk()

    def _correct(self, decision: policy.Correct) -> None:
        frame = self.state.frame
        position = next(self._flow().asks(decision.slot), frame.position if frame else 0)
        self.add(SlotCorrected(decision.slot, decision.value, position))
        self._say("corrected", value=decision.value)
        self._walk()

    def _ask_again(self, decision: policy.Ask) -> None:
        slot = self._flow().slots[decision.slot]
        if decision.invalid and slot.invalid:
            self.add(Said(slot.invalid.say(self._language, self._values())))
        else:
            self._say("again")
        self._ask(decision.slot, self.state.attempt + 1)

    def _ask(self, slot: str, attempt: int = 1) -> None:
        self.add(Said(self._flow().slots[slot].ask.say(self._language, self._values())))
        self.add(Asked(slot, attempt))

    def _disambiguate(self, options: tuple[str, str]) -> None:
        titles = [self._title(intent) for intent in options]
        listed = "\n".join(f"{number}. {title}" for number, title in enumerate(titles, 1))
        self.add(Said(f"{self._engine.phrase('which', self._language)}\n{listed}"))
        self.add(Clarified(options))

    def _title(self, intent: str) -> str:
        flow = self._engine.flows.for_intent(intent)
        return flow.title.say(self._language, {}) if flow else intent.replace("_", " ").capitalize()

    def _hand_over(self, reason: str) -> None:
        self._say("handed_over")
        self.add(HandedOver(reason))

    def _say(self, phrase: str, **values: str) -> None:
        self.add(Said(self._engine.phrase(phrase, self._language, **values)))

    def _flow(self) -> Flow:
        frame = self.state.frame
        return self._engine.flows.named(frame.flow if frame else "")

    def _values(self) -> Mapping[str, str]:
        return self.state.frame.values if self.state.frame else {}

    def _resume(self) -> None:
        """The flow that was left for something else goes on: the same question again."""
        if not self.state.frame:
            return
        if self.state.asked:
            self._ask(self.state.asked, self.state.attempt)
            return
        self._say("back", title=self._flow().title.say(self._language, {}))
        self._walk()

    def _walk(self) -> None:
        """Steps up to the next question, call or end. Jumps only lead forward, so that it ends."""
        while frame := self.state.frame:
            flow = self._flow()
            if frame.position >= len(flow.steps):
                self.add(FlowEnded())
                self._resume()
                return
            match flow.steps[frame.position]:
                case Ask(slot):
                    if slot not in frame.values:
                        self._ask(slot)
                        return
                    self.add(Moved(frame.position + 1))
                case Say(text):
                    said = text.say(self._language, frame.values)
                    key = f"{frame.position}:{said}"
                    if key not in frame.said:
                        self.add(Said(said, key))
                    self.add(Moved(frame.position + 1))
                case Call(action, inputs):
                    filled = {name: Text({"en": each}).say("en", frame.values) for name, each in inputs.items()}
                    self.add(Called(action, filled))
                    return
                case JumpUnless(condition, target):
                    self.add(Moved(frame.position + 1 if condition.holds(frame.values) else target))
                case Jump(target):
                    self.add(Moved(target))
                case HandOver(reason):
                    self._hand_over(reason)
                    return
