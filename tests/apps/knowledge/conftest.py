"""Documents in a temporary folder, and an encoder of words in the place of the real one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.knowledge import WordEncoder, answering
from workers import embedding


@pytest.fixture(autouse=True)
def media_folder(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.fixture(autouse=True)
def word_encoder(monkeypatch: pytest.MonkeyPatch) -> WordEncoder:
    made = WordEncoder()
    monkeypatch.setattr(embedding, "load", lambda: made)
    monkeypatch.setattr(embedding.encoder, "_embedder", None)
    return made


@pytest.fixture
def answers() -> Iterator[None]:
    with answering():
        yield
