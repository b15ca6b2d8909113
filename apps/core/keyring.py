"""The master keys of field encryption, as the setting FIELD_KEYS names them: parsed and judged, nothing else."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

KEY_BYTES = 32
# What `make run` writes begins with this, so that a server refuses a developer's key.
LOCAL_PREFIX = "local-"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
# 32 random bytes have fewer different values than this once in many lifetimes of the universe.
_FEWEST_DIFFERENT_BYTES = 12


class InvalidKeyring(ValueError):
    """FIELD_KEYS cannot be used; the message names the entry, never the key."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys by id; what is written is sealed with `current`, what is read with whichever the envelope names."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)


def parse(text: str) -> Keyring:
    """Reads `id:base64,id:base64`, the current key first; raises InvalidKeyring."""
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        id, _, encoded = entry.partition(":")
        if not _ID.fullmatch(id):
            raise InvalidKeyring(f"entry {number} has no id of small letters, digits and hyphens before its colon")
        key = _decoded(id, encoded)
        if id in keys or key in keys.values():
            raise InvalidKeyring(f"{id} is there twice, as an id or as a key")
        keys[id] = key
    if not keys:
        raise InvalidKeyring("there is no key")
    return Keyring(next(iter(keys)), MappingProxyType(keys))


def _decoded(id: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise InvalidKeyring(f"the key {id} is not base64") from None
    if len(key) != KEY_BYTES:
        raise InvalidKeyring(f"the key {id} has {len(key)} bytes and not {KEY_BYTES}")
    if len(set(key)) < _FEWEST_DIFFERENT_BYTES:
        raise InvalidKeyring(f"the key {id} is not random")
    return key


def problems(text: str, *, local: bool) -> list[str]:
    """What stands against starting with this FIELD_KEYS, in the words of the start's refusal."""
    if not text:
        return [] if local else ["FIELD_KEYS is not set"]
    try:
        found = parse(text)
    except InvalidKeyring as error:
        return [f"FIELD_KEYS: {error}"]
    if not local and any(id.startswith(LOCAL_PREFIX) for id in found.keys):
        return ["FIELD_KEYS holds a key that was generated for local use"]
    return []


def generate(id: str) -> str:
    """A new entry for FIELD_KEYS."""
    return f"{id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def kept_locally(path: Path) -> str:
    """A developer's key: the file's content, written on first use; of several processes that write, one wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(generate(f"{LOCAL_PREFIX}1"))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
