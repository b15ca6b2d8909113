"""From tokens to text that may go out: whole characters only, and nothing that may be a stop string.

The state after n tokens depends on these tokens alone, so replaying the tokens of an interrupted request gives the
same text in the same pieces.
"""

from __future__ import annotations

import codecs
import copy
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

from ml.panics import panics_as_errors

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
# PostgreSQL stores no NUL, and no reader expects one in a text.
NUL = "\0"
# A character has at most 4 bytes, so more unfinished tokens than this are bytes that will never become a character.
MAX_PENDING_TOKENS = 8
# How many tokens before the answer are enough for a decoder to know whether a space belongs before it.
CONTEXT_TOKENS = 5


class Pieces(Protocol):
    """Decodes one token after the other; both methods return only new, whole characters."""

    def push(self, token_id: int) -> str: ...

    def flush(self) -> str: ...


@lru_cache(maxsize=1)
def _byte_of_symbol() -> dict[str, int]:
    """Return the bytes behind the printable symbols of byte-level BPE (the table of GPT-2's encoder.py)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    table.update({chr(256 + index): byte for index, byte in enumerate(others)})
    return table


class ByteTable:
    """The bytes of each token of a byte-level tokenizer; special tokens have none."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._known: dict[int, bytes] = {
            token_id: b"" for token_id, token in backend.get_added_tokens_decoder().items() if token.special
        }

    def __getitem__(self, token_id: int) -> bytes:
        if token_id not in self._known:
            with panics_as_errors():
                symbols = self._backend.id_to_token(token_id) or ""
            table = _byte_of_symbol()
            # An added token may hold plain text instead of byte symbols.
            plain = any(symbol not in table for symbol in symbols)
            self._known[token_id] = symbols.encode() if plain else bytes(table[symbol] for symbol in symbols)
        return self._known[token_id]


class BytePieces:
    """Exact decoding for byte-level BPE: a UTF-8 decoder fed with the bytes of each token."""

    def __init__(self, table: ByteTable) -> None:
        self._table = table
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token_id: int) -> str:
        return self._decoder.decode(self._table[token_id])

    def flush(self) -> str:
        return self._decoder.decode(b"", final=True)


class WindowPieces:
    """Decoding for every other tokenizer, as in text-generation-inference: decode a short window before and after.

    The window's first part is text that has gone out and gives the decoder its context (SentencePiece drops a
    leading space); what the whole window has beyond it is new.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], context: Sequence[int]) -> None:
        self._decode = decode
        self._context = list(context)
        self._context_text = decode(self._context) if self._context else ""
        self._pending: list[int] = []

    def push(self, token_id: int) -> str:
        self._pending.append(token_id)
        text = self._decode([*self._context, *self._pending])
        unfinished = text.endswith(UNFINISHED) and len(self._pending) <= MAX_PENDING_TOKENS
        if unfinished or len(text) <= len(self._context_text):
            return ""
        return self._emit(text)

    def flush(self) -> str:
        return self._emit(self._decode([*self._context, *self._pending])) if self._pending else ""

    def _emit(self, text: str) -> str:
        new = text[len(self._context_text) :]
        self._context, self._pending = self._pending, []
        self._context_text = self._decode(self._context)
        return new


class Detokenizer:
    """Makes a decoder per request for one tokenizer.

    It uses the tokenizers backend where there is one: `decode` of the transformers wrapper costs several times as
    much, and every running request decodes in every step.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        shared = getattr(tokenizer, "backend_tokenizer", None)
        # A copy: prompts are encoded in other threads, and a fast tokenizer in use by two refuses one of them.
        self._backend = copy.deepcopy(shared) if shared is not None else None
        decoder = type(getattr(self._backend, "decoder", None)).__name__
        self._table = ByteTable(self._backend) if decoder == "ByteLevel" else None

    def pieces(self, context: Sequence[int] = ()) -> Pieces:
        """Return a decoder; `context` is the text's beginning where the answer continues one (a raw prompt)."""
        if self._table is not None:
            return BytePieces(self._table)
        return WindowPieces(self._decode, list(context)[-CONTEXT_TOKENS:])

    def _decode(self, token_ids: Sequence[int]) -> str:
        with panics_as_errors():
            if self._backend is not None:
                return str(self._backend.decode(list(token_ids), skip_special_tokens=True))
            return str(
                self._tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
            )


class TextStream:
    """The text of one answer, cut before the first stop string; what may begin one is held back.

    Until `min_tokens` have been pushed, stop strings are text like any other.
    """

    def __init__(self, pieces: Pieces, stop: Sequence[str] = (), min_tokens: int = 0) -> None:
        self._pieces = pieces
        self._stop = tuple(text for text in stop if text)
        self._still = min_tokens
        self._held = ""
        self.stopped = False

    def push(self, token_id: int) -> str:
        """Return the characters that are final after one more token; sets `stopped` at a stop string."""
        piece = self._pieces.push(token_id)
        if self._still > 0:
            self._still -= 1
            return piece.replace(NUL, UNFINISHED)
        return self._take(piece)

    def finish(self) -> str:
        """Return what was held back: the text is over, so nothing can complete it any more."""
        text = self._take(self._pieces.flush())
        text, self._held = text + self._held, ""
        return text

    def _take(self, piece: str) -> str:
        if self.stopped:
            return ""
        text = self._held + piece.replace(NUL, UNFINISHED)
        found = min((at for at in map(text.find, self._stop) if at >= 0), default=-1)
        if found >= 0:
            self.stopped, self._held = True, ""
            return text[:found]
        keep = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of `text` are a beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
