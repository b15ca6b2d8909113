"""Intent models of this process: loaded when they are first asked for, and as many kept as are in use."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from apps.core.collecting import keep_what_is_here
from ml.dialogue.types import DialogueError, Reading
from ml.types import ModelUnavailable
from workers import learned

if TYPE_CHECKING:
    from uuid import UUID

    from apps.support.models import DialogueModel
    from ml.dialogue.intents.model import IntentModel

KEPT = 8
log = structlog.get_logger(__name__)
_kept: OrderedDict[UUID, IntentModel] = OrderedDict()
_lock = threading.Lock()


def read(row: DialogueModel, texts: Sequence[str]) -> Sequence[Reading]:
    """A reading of each text; of a model that cannot be loaded nothing is known, and the policy goes on without it."""
    try:
        return loaded(row).read(texts)
    except (DialogueError, ModelUnavailable) as error:
        log.error("intent model not loaded", model=str(row.pk), reason=str(error))
    except Exception:  # whatever is wrong with one organization's model must not take the bot from the others
        log.exception("intent model failed", model=str(row.pk))
    return [Reading() for _ in texts]


def loaded(row: DialogueModel) -> IntentModel:
    """The model of a row; raises DialogueError for files that are gone or were changed."""
    with _lock:
        found = _kept.get(row.pk)
        if found is None:
            found = _load(row)
            if not _kept:
                # For the libraries that the first one brings; what is set aside is not collected, as others are to be.
                keep_what_is_here()
            _kept[row.pk] = found
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(row.pk)
    return found


def _load(row: DialogueModel) -> IntentModel:
    from apps.core.media import folder_of
    from ml.dialogue.intents.encoder import multiplies_halves
    from ml.dialogue.intents.model import IntentModel

    folder = folder_of(row.organization_id) / row.path
    if digest_of(folder) != row.sha256:
        raise DialogueError(f"the files of model {row.number} are not those that were trained")
    found = replace(IntentModel.load(folder), version=str(row.number))
    return found.halved() if multiplies_halves() else found


def digest_of(folder: Path) -> str:
    """SHA-256 of a model's files, in the order of their names; empty where there are none."""
    files = sorted(folder.glob("intents.*")) if folder.is_dir() else []
    files += [folder / name for name in learned.FILES if files and (folder / name).is_file()]
    if not files:
        return ""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        with file.open("rb") as content:
            while piece := content.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
