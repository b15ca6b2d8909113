"""Files of these tests lie in their own folder, and the worker's tasks are run by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ERASURE_REGISTER = tmp_path / "erasures.jsonl"
    return tmp_path
