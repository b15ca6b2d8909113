"""Runs: one request written several times, votes between models, and the data set that opinions make."""

from apps.studio.services.runs.asking import (
    MOST_VARIANTS,
    PreparedRun,
    RunRequest,
    accept_run,
    prepare_run,
    repeated_exactly,
    spec_of,
    specs_of,
    text_of,
    written_again,
)
from apps.studio.services.runs.evaluation import KINDS, records, stream
from apps.studio.services.runs.reading import RunView, get_run, list_runs, runs_of
from apps.studio.services.runs.voting import Results, results, vote

__all__ = [
    "KINDS",
    "MOST_VARIANTS",
    "PreparedRun",
    "Results",
    "RunRequest",
    "RunView",
    "accept_run",
    "get_run",
    "list_runs",
    "prepare_run",
    "records",
    "repeated_exactly",
    "results",
    "runs_of",
    "spec_of",
    "specs_of",
    "stream",
    "text_of",
    "vote",
    "written_again",
]
