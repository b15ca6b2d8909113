"""Whether the files on disk are those that a licence is for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ml.licensing.documents import Artefact, Licence

BLOCK = 1024 * 1024


class Difference(StrEnum):
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Problem:
    """One file that is not as the licence says."""

    path: str
    difference: Difference

    def __str__(self) -> str:
        return f"{self.path}: {self.difference}"


def sha256_of(path: Path) -> str:
    """The digest of a file of any size; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def differences(licence: Licence, folder: Path) -> list[Problem]:
    """Which of the licence's files are missing in the folder, or are others; empty when all are right."""
    found = []
    for artefact in licence.artefacts:
        try:
            same = sha256_of(folder / artefact.path) == artefact.sha256
        except OSError:
            found.append(Problem(artefact.path, Difference.MISSING))
            continue
        if not same:
            found.append(Problem(artefact.path, Difference.CHANGED))
    return found


def digests(folder: Path) -> list[Artefact]:
    """Every file in a folder, by path: what a vendor puts into a policy."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [Artefact(path.relative_to(folder).as_posix(), sha256_of(path)) for path in files]
