"""An engine in a process of its own: the same answers, errors with their codes, and an end with its parent."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ml.engine import ModelSpec
from ml.engine.apart import ApartEngine
from ml.engine.apart.parent import EngineLost
from ml.engine.engine import LocalEngine
from ml.types import EngineError, SamplingParams, StepOutput
from tests.ml.engine.driving import drive, raw
from tests.stack import wait_for

# Loads an engine, says which process it runs in, and waits to be killed.
PARENT = """
import sys, time
from ml.engine import ModelSpec
from ml.engine.apart import ApartEngine

engine = ApartEngine.load(ModelSpec(source=sys.argv[1]))
print(engine._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def spec(tiny_model: Callable[..., Path]) -> ModelSpec:
    return ModelSpec(source=str(tiny_model("llama", "byte")), max_running=4)


@pytest.fixture(scope="module")
def apart(spec: ModelSpec) -> Iterator[ApartEngine]:
    engine = ApartEngine.load(spec)
    yield engine
    engine.close()
    assert engine._process.poll() is not None


def test_it_writes_what_an_engine_of_this_process_writes(
    apart: ApartEngine, engine_for: Callable[..., LocalEngine]
) -> None:
    requests = [raw(f"r{index}", text, max_tokens=12 + index) for index, text in enumerate(["tea", "a boat", "snow"])]
    here, there = drive(engine_for(), requests), drive(apart, requests)
    assert {id: answer.text for id, answer in there.items()} == {id: answer.text for id, answer in here.items()}
    assert {id: answer.last for id, answer in there.items()} == {id: answer.last for id, answer in here.items()}


def test_its_figures_are_those_of_the_engine(apart: ApartEngine) -> None:
    apart.submit(raw("figures", "tea", max_tokens=8))
    written = 0
    while apart.stats().running or apart.stats().generated_tokens < 8 or written < 8:
        written += sum(len(output.token_ids) for output in apart.step(1))
    assert apart.stats().max_running == 4


def test_what_cannot_be_served_says_why_and_harms_nobody(apart: ApartEngine) -> None:
    with pytest.raises(EngineError) as failure:
        apart.submit(raw("long", "word " * 10_000))
    assert failure.value.code == "context_length_exceeded" and "prompt" in str(failure.value)
    apart.submit(raw("twice", "tea", max_tokens=200))
    with pytest.raises(EngineError, match="already being served"):
        apart.submit(raw("twice", "tea"))
    apart.cancel("twice")
    assert _until_end(apart)[-1].finish_reason == "cancelled"
    assert len(drive(apart, [raw("next", "tea", max_tokens=4)])["next"].token_ids) <= 4


def test_a_model_that_cannot_be_loaded_is_said_to_be_so(tmp_path: Path) -> None:
    before = set(psutil.Process().children())
    with pytest.raises(EngineError) as failure:
        ApartEngine.load(ModelSpec(source=str(tmp_path / "nothing")))
    assert failure.value.code == "model_unavailable"
    assert set(psutil.Process().children()) <= before


def test_its_log_is_its_parents(spec: ModelSpec, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        ApartEngine.load(spec).close()
    found = [record for record in caplog.records if record.name == "ml.engine.loader"]
    assert found and found[0].getMessage().startswith("loaded ") and found[0].process != os.getpid()


def test_a_process_that_is_lost_is_an_error_of_the_machine(spec: ModelSpec) -> None:
    engine = ApartEngine.load(spec)
    engine._process.send_signal(signal.SIGTERM)  # meant for the worker, which ends it in good order
    engine._process.send_signal(signal.SIGINT)
    engine.submit(raw("r", "tea", max_tokens=200))
    while not engine.stats().running:
        assert not [output for output in engine.step(1) if output.finish_reason]
    engine._process.kill()
    with pytest.raises(EngineLost):
        _until_end(engine)
    with pytest.raises(EngineLost):
        engine.submit(raw("later", "tea"))
    with pytest.raises(EngineLost):
        engine.cancel("r")
    assert engine.stats().max_running == 4
    engine.close()


def test_one_that_answers_no_more_is_ended(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.engine.apart.parent.ANSWER_SECONDS", 0.5)
    engine = ApartEngine.load(spec)
    engine._process.send_signal(signal.SIGSTOP)
    engine.cancel("nothing")
    assert engine.stats().max_running == 4
    with pytest.raises(EngineLost):
        engine.submit(raw("r", "tea"))
    with pytest.raises(EngineLost):
        _until_end(engine)
    engine.close()


def test_it_ends_with_a_parent_that_is_killed(spec: ModelSpec) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, spec.source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 60, "the engine's end")


def test_requests_of_several_threads_do_not_mix(apart: ApartEngine) -> None:
    failures: list[str] = []

    def submit(number: int) -> None:
        for again in range(8):
            # Every second one is too long, so that answers differ.
            text = "word " * 10_000 if again % 2 else "tea"
            try:
                apart.submit(raw(f"{number}:{again}", text, max_tokens=2))
                failures.extend([f"{number}:{again} was taken"] * (again % 2))
            except EngineError:
                failures.extend([f"{number}:{again} was refused"] * (1 - again % 2))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    ended = 0
    while ended < 16:
        ended += sum(bool(output.finish_reason) for output in apart.step(1))
    for thread in threads:
        thread.join()
    assert not failures


def _until_end(engine: ApartEngine) -> list[StepOutput]:
    outputs: list[StepOutput] = []
    while not outputs or not outputs[-1].finish_reason:
        outputs += engine.step(1)
    return outputs


def test_the_sampling_of_a_request_arrives_whole(apart: ApartEngine, engine_for: Callable[..., LocalEngine]) -> None:
    request = raw("s", "tea", max_tokens=20, temperature=0.9, top_p=0.8, top_k=9, seed=7, repetition_penalty=1.2)
    assert request.sampling != SamplingParams(max_tokens=20)
    assert drive(apart, [request])["s"].text == drive(engine_for(), [request])["s"].text
