"""What a model of the bot learns beside intents: slots from marks in examples, and from stories what comes first.

Both are small and lie as JSON beside the model's other files, under the same hash.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from ml.dialogue.entities.tagger import Annotated, Mark, Tagger, score_of
from ml.dialogue.ranking import LearnedRanking
from ml.dialogue.types import DialogueError

if TYPE_CHECKING:
    from uuid import UUID

    from apps.support.models import DialogueModel, FlowVersion

SLOTS, RANKING = "slots.json", "ranking.json"
FILES = (RANKING, SLOTS)
# Fewer marked examples teach nothing but themselves.
LEAST_MARKED = 5
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Learned:
    """A tagger and a ranking, where there are any, and what was measured of them."""

    tagger: Tagger | None = None
    ranking: LearnedRanking | None = None
    report: dict[str, Any] | None = None

    @property
    def slots(self) -> list[str]:
        return sorted({tag[2:] for tag in self.tagger.tags if len(tag) > 1}) if self.tagger else []

    def save(self, folder: Path) -> None:
        if self.tagger:
            parts = {"tags": self.tagger.tags, "weights": self.tagger.weights()}
            (folder / SLOTS).write_text(json.dumps(parts, ensure_ascii=False), encoding="utf-8")
        if self.ranking:
            (folder / RANKING).write_text(json.dumps(self.ranking.weights()), encoding="utf-8")


def learn_slots(rows: Sequence[Sequence[Any]]) -> tuple[Tagger | None, dict[str, Any]]:
    """From the rows of a data set, `[id, text, intent, is_test, slots]`; measured on those that are never learned from.

    An example without marks is learned from as one in which nothing is to be found, where its intent has marked ones.
    """
    marking = {row[2] for row in rows if len(row) > 4}
    given = [(_annotated(row), bool(row[3])) for row in rows if row[2] in marking]
    learned = [each for each, is_test in given if not is_test]
    if sum(bool(each.marks) for each in learned) < LEAST_MARKED:
        return None, {}
    tagger = Tagger.train(learned)
    tested = [each for each, is_test in given if is_test]
    return tagger, asdict(score_of(tagger, tested)) | {"marked": sum(bool(each.marks) for each, _ in given)}


def _annotated(row: Sequence[Any]) -> Annotated:
    return Annotated(row[1], tuple(Mark(*mark) for mark in (row[4] if len(row) > 4 else ())))


def learn_ranking(
    version: FlowVersion | None, settings: Any, read: Any, tagger: Tagger | None
) -> tuple[LearnedRanking | None, int]:
    """From the choices that stories of the live flows make; one with which a story fails is not kept."""
    from django.utils import timezone

    from ml.dialogue.engine import Engine
    from ml.dialogue.flows import parse_flows
    from ml.dialogue.policy import Settings
    from ml.dialogue.stories import parse_stories, run_story, taught

    if version is None or not version.stories.strip():
        return None, 0
    today = timezone.localdate()
    policy = Settings(accept=settings.accept, margin=settings.margin, duties=settings.duties)
    flows, stories = parse_flows(version.text), parse_stories(version.stories)
    plain = Engine(flows, policy, tagger=tagger)
    choices = [choice for story in stories for choice in taught(story, plain, today, read)]
    if not choices:
        return None, 0
    ranking = LearnedRanking.learn(choices)
    ranked = Engine(flows, policy, ranking, tagger=tagger)
    for story in stories:
        failed_before = run_story(story, plain, today, read=read).failures
        if not failed_before and run_story(story, ranked, today, read=read).failures:
            log.warning("ranking not kept", story=story.name)
            return None, len(choices)
    return ranking, len(choices)


def beside(row: DialogueModel | None) -> Learned:
    """What was learned beside a model's intents; nothing for one whose files cannot be read."""
    from workers import intents

    if row is None or not (row.slots or row.ranks):
        return Learned()
    try:
        # Reading the model checks the hash of all its files.
        intents.loaded(row)
        return _loaded(row.pk, _folder(row))
    except (DialogueError, OSError, ValueError) as error:
        log.error("what was learned is not loaded", model=str(row.pk), reason=str(error))
        return Learned()


def _folder(row: DialogueModel) -> Path:
    from apps.core.media import folder_of

    return Path(folder_of(row.organization_id) / row.path)


@lru_cache(maxsize=64)
def _loaded(id: UUID, folder: Path) -> Learned:
    """A model never changes, so that its id says what it is."""
    tagger, ranking = None, None
    if (folder / SLOTS).is_file():
        parts = json.loads((folder / SLOTS).read_text(encoding="utf-8"))
        tagger = Tagger(parts["tags"], parts["weights"])
    if (folder / RANKING).is_file():
        ranking = LearnedRanking(json.loads((folder / RANKING).read_text(encoding="utf-8")))
    return Learned(tagger, ranking)
