"""Hints leave by a thread of their own: nobody waits for them, none is sent twice, and none brings the thread down."""

import threading

import pytest

from apps.core.bells import MOST_WAITING, Ringer

PATIENCE = 20


def test_a_hint_that_hangs_holds_up_nobody() -> None:
    ringer, hanging, release, done = Ringer(), threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        assert release.wait(PATIENCE)

    ringer.send("first", hang)
    assert hanging.wait(PATIENCE)
    # Returns although the one before still hangs.
    ringer.send("second", done.set)
    assert not done.is_set()
    release.set()
    assert done.wait(PATIENCE)


def test_a_hint_that_waits_already_is_sent_once() -> None:
    ringer, release, done = Ringer(), threading.Event(), threading.Event()
    sent: list[int] = []
    ringer.send("hold", lambda: assert_released(release))
    for number in range(50):
        ringer.send("bell", lambda number=number: sent.append(number))
    ringer.send("last", done.set)
    release.set()
    assert done.wait(PATIENCE)
    assert len(sent) == 1


def assert_released(release: threading.Event) -> None:
    assert release.wait(PATIENCE)


def test_a_hint_that_fails_is_logged_and_the_next_one_leaves(caplog: pytest.LogCaptureFixture) -> None:
    ringer, done = Ringer(), threading.Event()

    def fail() -> None:
        raise RuntimeError("no")

    ringer.send("bad", fail)
    ringer.send("good", done.set)
    assert done.wait(PATIENCE)
    assert [record.message for record in caplog.records] == ["hint bad not sent"]


def test_a_broker_that_never_answers_fills_no_memory() -> None:
    ringer, release, done = Ringer(), threading.Event(), threading.Event()
    sent: list[int] = []
    ringer.send("hold", lambda: assert_released(release))
    for number in range(MOST_WAITING + 50):
        ringer.send(f"cancel:{number}", lambda number=number: sent.append(number))
    ringer.send("last", done.set)
    release.set()
    assert done.wait(PATIENCE)
    assert len(sent) <= MOST_WAITING
    assert sent[-1] == MOST_WAITING + 49
