"""How many rows a worker claims at a time, and of which models."""

from __future__ import annotations

from uuid import UUID

from workers.generation.claimer import CLAIM_AT_ONCE, shares

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def test_models_with_ample_room_are_claimed_for_together() -> None:
    assert shares({A: CLAIM_AT_ONCE, B: CLAIM_AT_ONCE + 5}) == [(CLAIM_AT_ONCE, [A, B])]


def test_a_model_with_little_room_holds_up_no_other() -> None:
    assert shares({A: 1, B: CLAIM_AT_ONCE, C: 3}) == [(CLAIM_AT_ONCE, [B]), (1, [A]), (3, [C])]


def test_without_room_nothing_is_claimed() -> None:
    assert shares({}) == []
