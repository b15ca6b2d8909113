"""Every write to bulk runs: taking in a table, setting what is asked, starting and stopping, and driving them."""

from apps.studio.services.bulk.acts import (
    cancel_run,
    delete_run,
    pause_run,
    resume_run,
    retry_failed,
    start_run,
)
from apps.studio.services.bulk.downloads import note_download
from apps.studio.services.bulk.drafts import Draft, configure_run, rendered, voice_of
from apps.studio.services.bulk.driving import DRIVE, drive
from apps.studio.services.bulk.progress import Progress, progress_of, progress_of_many
from apps.studio.services.bulk.taking import create_run, get_run, read_table, upload_run

__all__ = [
    "DRIVE",
    "Draft",
    "Progress",
    "cancel_run",
    "configure_run",
    "create_run",
    "delete_run",
    "drive",
    "get_run",
    "note_download",
    "pause_run",
    "progress_of",
    "progress_of_many",
    "read_table",
    "rendered",
    "resume_run",
    "retry_failed",
    "start_run",
    "upload_run",
    "voice_of",
]
