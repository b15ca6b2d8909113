"""Count a prompt's tokens exactly, without torch or transformers, so that a web process can check its size."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from ml.panics import panics_as_errors
from ml.types import Message

_CACHED_FOLDERS = 8


@dataclass(frozen=True, slots=True)
class _Counter:
    tokenizer: Tokenizer
    template: Template | None
    special_tokens: dict[str, str]


def count_tokens(model_folder: Path | str, text: str) -> int | None:
    """Count the tokens of a raw prompt, special tokens included; None when the folder has no tokenizer.json."""
    counter = _counter(Path(model_folder))
    if counter is None:
        return None
    with panics_as_errors():
        return len(counter.tokenizer.encode(text).ids)


def count_chat_tokens(model_folder: Path | str, messages: Sequence[Message]) -> int | None:
    """Count the tokens of a chat as the model will see it, up to where it begins to answer.

    None when the folder has no tokenizer.json or no chat template. Raises ValueError when the template refuses the
    messages.
    """
    counter = _counter(Path(model_folder))
    if counter is None or counter.template is None:
        return None
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text = counter.template.render(messages=turns, add_generation_prompt=True, **counter.special_tokens)
    except TemplateError as error:
        raise ValueError(f"the model's chat template refuses these messages: {error}") from error
    with panics_as_errors():
        return len(counter.tokenizer.encode(text, add_special_tokens=False).ids)


def _counter(folder: Path) -> _Counter | None:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    return _load(folder.resolve(), path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=_CACHED_FOLDERS)
def _load(folder: Path, _changed: int) -> _Counter:
    config_path = folder / "tokenizer_config.json"
    config: dict[str, Any] = json.loads(config_path.read_text(encoding="utf-8")) if config_path.is_file() else {}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    source = _template_source(folder, config)
    names = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
    special = {name: _token_text(config[name]) for name in names if config.get(name)}
    return _Counter(tokenizer, _compile(source) if source else None, special)


def _template_source(folder: Path, config: dict[str, Any]) -> str | None:
    """Find the template where transformers does: its own file first, then the tokenizer's configuration."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    found = config.get("chat_template")
    if isinstance(found, list):
        named = {entry["name"]: entry["template"] for entry in found}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _token_text(token: str | dict[str, Any]) -> str:
    return token if isinstance(token, str) else str(token["content"])


def _compile(source: str) -> Template:
    """Compile a template with the same environment as transformers, so that counts agree to the token."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = _refuse
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    return environment.from_string(source)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
