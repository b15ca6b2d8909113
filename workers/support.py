"""Work of the support desk on the queue `dialogue`: the bot, stories, training, and vectors of articles."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog
from celery.signals import worker_ready, worker_shutdown

from ml.dialogue.types import DialogueError, Example
from workers.celery import app
from workers.dialogue import Bot
from workers.learned import Learned, learn_ranking, learn_slots
from workers.learned import beside as of_model

if TYPE_CHECKING:
    from pathlib import Path

    from apps.support.models import DialogueModel, FlowVersion, StoryRun, TrainingRun
    from apps.support.services.articles.indexing import Waiting
    from apps.support.services.learning import Trained
    from ml.dialogue.stories import Outcome

QUEUE = "dialogue"
PASSAGES_AT_ONCE, PASSAGES_ALONE, EMBEDDING_SECONDS = 32, 4, 20.0
# One at a time in a process: a model in training takes a core and some hundred MB.
_training = threading.Lock()
log = structlog.get_logger(__name__)
_bot: Bot | None = None


class Stopped(Exception):
    """Somebody has stopped the run, or another worker has it."""


@worker_ready.connect
def start_with_worker(sender: Any, **_: Any) -> None:
    """A worker of this queue answers from its start, doorbell or not."""
    global _bot
    if QUEUE in sender.app.amqp.queues.consume_from:
        import torch

        from apps.core import env

        torch.set_num_threads(env.number("DIALOGUE_THREADS", 1))
        _bot = Bot()
        _bot.start()


@worker_shutdown.connect
def leave_in_order(**_: Any) -> None:
    if _bot is not None:
        _bot.stop()


@app.task(name="support.wake")
def wake() -> None:
    """The bot's doorbell."""
    if _bot is not None:
        _bot.ring()


def worker_name(what: str) -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{what}"


# ---------------------------------------------------------------- articles
@app.task(name="support.index")
def index() -> None:
    """Gives passages of articles their vectors, until none waits or nobody embeds; the rest is for the next look."""
    from apps.support.services import articles

    while waiting := articles.claim_passages(PASSAGES_AT_ONCE):
        # What cannot be embedded keeps nothing else back: after a batch that failed each is tried by itself.
        if not _embedded(waiting) and not any(_embedded([each]) for each in waiting[:PASSAGES_ALONE]):
            return


def _embedded(waiting: Sequence[Waiting]) -> bool:
    from django.conf import settings

    from apps.knowledge import asking
    from apps.knowledge.errors import EmbeddingUnavailable
    from apps.support.services import articles

    try:
        found = asking.ask([each.text for each in waiting], seconds=EMBEDDING_SECONDS)
    except EmbeddingUnavailable as error:
        log.warning("articles not embedded", reason=error.message, count=len(waiting))
        if len(waiting) == 1:
            articles.note_failure(waiting)
        return False
    articles.write_vectors(waiting, found.vectors, settings.EMBEDDING_NAME)
    return True


# ---------------------------------------------------------------- overdue turns
@app.task(name="support.call_people")
def call_people() -> None:
    """Calls a person where no bot has answered in time; on the default queue, for the bot's process may be gone.

    What it had claimed waits again first, as soon as its lease has lapsed.
    """
    from apps.support.services import bot

    for lost in bot.reap_turns():
        bot.give_up(lost, "worker_lost")
    for turn in bot.overdue_turns():
        bot.give_up(turn, "bot_down")


# ---------------------------------------------------------------- stories
@app.task(name="support.run_stories")
def run_stories() -> None:
    """Plays the stories that wait, until none does."""
    from apps.core import jobs
    from apps.support.models import StoryRun
    from apps.support.services import flows
    from workers.leases import Lease

    for lost in jobs.reap(StoryRun)[1]:
        flows.fail_run(lost, "worker_lost", "The worker was lost twice while it did this.")
    while claimed := jobs.claim(StoryRun, worker_name("stories"), 1):
        [run] = claimed
        with structlog.contextvars.bound_contextvars(request_id=run.request_id, job=str(run.pk)):
            try:
                with Lease(run):
                    flows.finish_run(run, play(run))
            except Exception:
                log.exception("stories failed")
                flows.fail_run(run, "stories_broken", "The stories could not be run.")


def play(run: StoryRun) -> list[dict[str, Any]]:
    """Every story of a version: its name, its line, and what failed with lines."""
    from apps.core import tenancy
    from apps.support.models import DialogueModel, FlowVersion
    from apps.support.services.flows import settings_of

    with tenancy.scope(run.organization_id):
        version = FlowVersion.objects.get(pk=run.version_id)
        settings = settings_of(run.organization_id)
        model = DialogueModel.objects.filter(pk=run.model_id).first() if run.model_id else None
    return told_of_stories(version, model, settings, run if run.calls else None)


def told_of_stories(
    version: FlowVersion,
    model: DialogueModel | Any | None,
    settings: Any,
    calling: StoryRun | None = None,
    beside: Learned | None = None,
) -> list[dict[str, Any]]:
    """`model` is a row, or a model that was just trained and reads by itself, with what was learned `beside` it."""
    from django.utils import timezone

    from apps.support.services import flows
    from ml.dialogue.engine import Engine
    from ml.dialogue.policy import Settings
    from ml.dialogue.stories import ActionFailed, run_story
    from workers import intents

    read_one = None
    if model is not None:
        reader = model if hasattr(model, "read") else intents.loaded(model)
        beside = beside or (Learned() if hasattr(model, "read") else of_model(model))
        read_one = lambda text: reader.read([text])[0]  # noqa: E731
    calls = iter(range(1_000_000))

    def act(name: str, inputs: Mapping[str, str]) -> Mapping[str, str]:
        assert calling is not None  # noqa: S101 - it is given only where calls are wanted
        about = {"test": True, "conversation": None, "contact": None}
        id = f"msg_story_{calling.pk.hex}_{calling.attempt}_{next(calls)}"
        answer = flows.call_action(calling.organization_id, name, inputs, about, id)
        if not answer.succeeded:
            raise ActionFailed(answer.error)
        return answer.outputs

    checked = flows.check(version.text, version.stories)
    beside = beside or Learned()
    policy = Settings(settings.accept, settings.margin, duties=settings.duties)
    engine = Engine(checked.flows, policy, beside.ranking, tagger=beside.tagger)
    acts = act if calling else None
    return _told(run_story(story, engine, timezone.localdate(), read_one, acts) for story in checked.stories)


def _told(played: Iterable[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "story": each.story.name,
            "line": each.story.line,
            "problems": [{"line": problem.line, "message": problem.message[:500]} for problem in each.failures],
        }
        for each in played
    ]


# ---------------------------------------------------------------- training
@app.task(name="support.train")
def train() -> None:
    """Trains the models that wait, one at a time, until none does."""
    from apps.core import jobs
    from apps.support.models import TrainingRun
    from apps.support.services import learning

    if not _training.acquire(blocking=False):
        return
    try:
        for lost in jobs.reap(TrainingRun)[1]:
            learning.fail_training(lost, "worker_lost", "The worker was lost twice while it did this.")
        while claimed := jobs.claim(TrainingRun, worker_name("training"), 1):
            with structlog.contextvars.bound_contextvars(request_id=claimed[0].request_id, job=str(claimed[0].pk)):
                train_one(claimed[0])
    finally:
        _training.release()


def train_one(run: TrainingRun) -> None:
    """Under the lease; stopped where somebody asks, and failed visibly where it cannot be done."""
    from django.db import InterfaceError, OperationalError, connection

    from apps.core.media import folder_of
    from apps.support.services import learning
    from workers.leases import Lease, LeaseLost

    path = f"dialogue/{run.pk}-{run.attempt}"
    folder = folder_of(run.organization_id) / path
    made = None
    try:
        with Lease(run) as lease:
            made = learning.finish_training(run, trained(run, path, folder, lease.keep))
    except Stopped:
        learning.fail_training(run, "cancelled", "It was stopped.")
    except LeaseLost:
        log.warning("training run belongs to somebody else now")
    except DialogueError as error:
        learning.fail_training(run, "not_learned", str(error))
    except (OperationalError, InterfaceError):
        # With the database away nothing can be said: the lease lapses, and the reaper returns the row.
        log.exception("training broken off")
        connection.close()
    except Exception:
        log.exception("training failed")
        learning.fail_training(run, "training_failed", "The model could not be trained.")
    finally:
        if made is None:
            shutil.rmtree(folder, ignore_errors=True)


def trained(run: TrainingRun, path: str, folder: Path, keep: Any) -> Trained:
    """A model from the run's data set, measured on its frozen test split and by the stories of the live flows."""
    from apps.core import tenancy
    from apps.support.models import Dataset, Method
    from apps.support.services import learning
    from apps.support.services.flows import settings_of
    from ml.dialogue.intents import measuring, training
    from workers.intents import digest_of

    def tell(stage: str, share: float) -> None:
        keep()
        if not learning.note_progress(run, stage, share):
            raise Stopped

    with tenancy.scope(run.organization_id):
        rows = Dataset.objects.get(pk=run.dataset_id).rows
        settings = settings_of(run.organization_id)
    learned = [(id, Example(text, intent)) for id, text, intent, is_test, *_ in rows if not is_test]
    tested = [Example(text, intent) for _, text, intent, is_test, *_ in rows if is_test]
    examples = [example for _, example in learned]
    plan = training.HEAD if run.method == Method.HEAD else None
    model = training.train(examples, plan, told=Paced(tell))
    tell("measure", 0.0)
    measured = measuring.measured(model, tested)
    tell("stories", 0.0)
    beside, told = _learned_beside(rows, model, settings)
    stories = _stories(settings, model, beside)
    tell("doubt", 0.0)
    doubted = measuring.doubted(examples, told=lambda share: tell("doubt", share))[:200]
    doubts = [_doubt(learned[suspect.place], suggested, suspect.doubt) for suspect, suggested in doubted]
    model.save(folder)
    beside.save(folder)
    report = _report(measured, stories) | told
    return learning.Trained(
        path, digest_of(folder), model.labels, report, doubts, beside.slots, beside.ranking is not None
    )


def _doubt(example: tuple[Any, Example], suggested: str, doubt: float) -> dict[str, Any]:
    id, said = example
    return {"id": id, "text": said.text, "intent": said.label, "suggested": suggested, "doubt": round(doubt, 4)}


def _learned_beside(rows: Sequence[Any], model: Any, settings: Any) -> tuple[Learned, dict[str, Any]]:
    """Slots and ranking, and what the report says of them."""
    tagger, scored = learn_slots(rows)
    ranking, choices = learn_ranking(settings.flows, settings, lambda text: model.read([text])[0], tagger)
    told = {"slots": scored, "ranking": {"choices": choices, "kept": ranking is not None}}
    return Learned(tagger, ranking), told


def _stories(settings: Any, model: Any, beside: Learned) -> dict[str, Any]:
    """What comes of the stories of the live flows with the model that was just trained."""
    if settings.flows is None or not settings.flows.stories.strip():
        return {}
    results = told_of_stories(settings.flows, model, settings, beside=beside)
    failed = [each for each in results if each["problems"]]
    passed = len(results) - len(failed)
    return {"flows": settings.flows.number, "passed": passed, "failed": len(failed), "results": failed[:50]}


class Paced:
    """Tells of progress at most twice a second: each word is a write."""

    def __init__(self, tell: Any) -> None:
        self._tell, self._last, self._stage = tell, 0.0, ""

    def __call__(self, stage: str, share: float) -> None:
        if stage != self._stage or time.monotonic() - self._last > 0.5:
            self._stage, self._last = stage, time.monotonic()
            self._tell(stage, share)


def _report(measured: Any, stories: dict[str, Any]) -> dict[str, Any]:
    return {
        "questions": measured.questions,
        "accuracy": measured.accuracy,
        "calibration_error": measured.calibration_error,
        "kept": measured.kept,
        "wrong": measured.wrong,
        "outside_answered": measured.outside_answered,
        "curve": [asdict(point) for point in measured.curve],
        "recall": {intent: [share, count] for intent, (share, count) in measured.recall.items()},
        "confusions": [list(each) for each in measured.confusions],
        "stories": stories,
    }
