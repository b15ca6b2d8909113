"""Files of these tests lie in their own folder; a lease's thread does not look into a test's own transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.core import jobs


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ERASURE_REGISTER = tmp_path / "erasures.jsonl"
    return tmp_path


@pytest.fixture(autouse=True)
def patient_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection sees nothing of what a test has not committed, and would take the job for lost after 5 s."""
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 600)
