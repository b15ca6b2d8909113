"""From messages or a raw prompt to token ids."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from ml.panics import panics_as_errors
from ml.types import EngineError, EngineRequest, Message


class PromptEncoder:
    """Encodes requests with one tokenizer; safe to call from several threads.

    Messages go through the tokenizer's chat template. A model without one gets a plain transcript: one
    "role: content" line per message and an open "assistant:" line. Raw prompts get the tokenizer's own special
    tokens (BOS where it has one), templates bring their own, so neither has them twice.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._lock = threading.Lock()  # a fast tokenizer refuses ("already borrowed") to be used by two threads

    def encode(self, request: EngineRequest) -> list[int]:
        """Return the prompt's token ids, at least one; raises EngineError for what cannot be encoded."""
        texts = [request.prompt or "", *(message.content for message in request.messages)]
        if any(not _is_unicode(text) for text in texts):
            raise EngineError("the prompt is not valid Unicode text", "invalid_request")
        with self._lock, panics_as_errors():
            if request.prompt is not None:
                ids = self._encode(request.prompt)
            elif getattr(self._tokenizer, "chat_template", None):
                ids = self._encode_chat(request.messages)
            else:
                ids = self._encode(transcript(request.messages))
        bos = self._tokenizer.bos_token_id
        if not ids and bos is not None:
            ids = [bos]
        if not ids:
            raise EngineError("the prompt is empty", "invalid_request")
        return ids

    def _encode_chat(self, messages: Sequence[Message]) -> list[int]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            # Sanitised: a control token in a customer's text is text, and cannot open a turn of another role.
            ids = self._tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
            )
        except (TemplateError, ValueError, TypeError) as error:
            raise EngineError(
                f"the model's chat template refuses these messages: {error}", "invalid_request"
            ) from error
        return list(ids)

    def _encode(self, text: str) -> list[int]:
        ids = list(self._tokenizer(text, add_special_tokens=True, verbose=False)["input_ids"])
        bos = self._tokenizer.bos_token_id
        return ids[1:] if bos is not None and ids[:2] == [bos, bos] else ids


def _is_unicode(text: str) -> bool:
    """Tell whether text can be written as UTF-8: JSON may smuggle in halves of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def transcript(messages: Sequence[Message]) -> str:
    """Return a chat as plain text for models that know no chat template."""
    lines = [f"{message.role}: {message.content}" for message in messages]
    return "\n".join([*lines, "assistant:"])
