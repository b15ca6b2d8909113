"""Where a reader of a stream stands, and whether the next entry follows on what it has: pure, without Redis.

Within an attempt sequence numbers have no gaps, and an entry with tokens says how many came before it. So a reader
notices what a Redis that lost data would otherwise hide, and never shows a text with a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from apps.core.streams import ATTEMPT, DELTA, END, RESET, START, Piece


class Step(Enum):
    """What one entry means to the reader."""

    TEXT = auto()
    NOTHING = auto()
    RESET = auto()
    HOLE = auto()
    END = auto()


def split(position: str) -> tuple[int, int]:
    """An id as numbers, in the order of the stream."""
    attempt, _, seq = position.partition("-")
    return int(attempt), int(seq)


def before(position: str) -> str:
    """The id just before an entry's: where a reader stands that has to forget everything up to it."""
    attempt, seq = split(position)
    return f"{attempt}-{max(0, seq - 1)}"


class Cursor:
    """The last entry taken, and what the reader's text adds up to.

    `tokens` and `chars` are None where they are not known, since the reader brought a position and not a text. A
    cursor is `lost` after a hole, until a new beginning; then it takes no text.
    """

    __slots__ = ("attempt", "chars", "lost", "seq", "sure", "tokens", "whole")

    def __init__(
        self, position: str = START, tokens: int | None = 0, chars: int | None = None, sure: bool = True
    ) -> None:
        self.attempt, self.seq = split(position)
        self.tokens = tokens
        self.chars = 0 if position == START else chars
        # Whether the next sequence number alone proves that nothing is missing.
        self.sure = sure
        self.lost = False
        # At the end: whether the reader has everything that was written.
        self.whole = False

    @property
    def position(self) -> str:
        return f"{self.attempt}-{self.seq}"

    def take(self, piece: Piece) -> Step:
        """Moves to the entry and says what it means; at a HOLE the cursor stays where it is."""
        attempt, seq = split(piece.id)
        follows = attempt == self.attempt and seq == self.seq + 1
        step = Step.NOTHING
        if piece.kind == DELTA:
            step = self._text(piece, follows)
            if step is Step.HOLE:
                return step
        elif piece.kind == RESET:
            self.restart()
            step = Step.RESET
        elif piece.kind == ATTEMPT:
            # The worker before may have written more than is known here; only counted tokens can tell.
            self.sure = self.sure and self.tokens is not None
        elif piece.kind == END:
            # An attempt that only ends a lost worker's text took from the stream what was left of it.
            silent = seq == 1 and self.chars is None
            self.whole = follows and self.sure and not self.lost and not silent
            step = Step.END
        self.attempt, self.seq = attempt, seq
        return step

    def _text(self, piece: Piece, follows: bool) -> Step:
        if self.lost and piece.tokens and piece.offset == 0:
            self.restart()
        if self.lost:
            return Step.NOTHING
        if piece.tokens and self.tokens is not None:
            fits = piece.offset == self.tokens
        else:
            fits = follows and self.sure
        if not fits:
            return Step.HOLE
        if piece.tokens:
            self.tokens = piece.offset + piece.tokens
        if self.chars is not None:
            self.chars += len(piece.text)
        return Step.TEXT if piece.text else Step.NOTHING

    def restart(self) -> None:
        """The reader has forgotten its text and is given it from the beginning."""
        self.tokens, self.chars, self.sure, self.lost = 0, 0, True, False

    def lose(self, piece: Piece) -> None:
        """The reader has forgotten its text, and the stream cannot tell it any more."""
        self.restart()
        self.lost = True
        self.attempt, self.seq = split(piece.id)


def placed(position: str, earlier: Sequence[Piece], more: bool) -> Cursor:
    """The cursor of a reader who comes back; `earlier` ends at its position, newest first, `more` follows it.

    A position that the stream no longer has, while it has a later entry, was lost with what stood before it.
    """
    if not earlier or earlier[0].id != position:
        return Cursor(position, None, sure=not more)
    if earlier[0].kind == ATTEMPT:
        # Such an id is given out with a reset only.
        return Cursor(position, 0, chars=0)
    chars = 0
    for piece in earlier:
        if piece.kind == RESET or piece.id == "1-0":
            return Cursor(position, 0, chars=chars)
        chars += len(piece.text)
        if piece.kind == DELTA and piece.tokens:
            return Cursor(position, piece.offset + piece.tokens, chars=chars if piece.offset == 0 else None)
    return Cursor(position, None)


def whole_text(pieces: Sequence[Piece]) -> str | None:
    """What the entries add up to from the stream's beginning or its last reset; None when there is a hole."""
    cursor, text = Cursor(), list[str]()
    for piece in pieces:
        step = cursor.take(piece)
        if step is Step.HOLE:
            cursor.lose(piece)
        elif step is Step.RESET:
            text.clear()
        elif step is Step.TEXT:
            text.append(piece.text)
        if cursor.lost:
            text.clear()
    return None if cursor.lost else "".join(text)
