"""What can go wrong with articles, flows and models."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.errors import Conflict, InvalidRequest, Unprocessable
from ml.dialogue.flows import Problem


class ArticleInvalid(InvalidRequest):
    """An article without a title or a text, or one that is too long."""

    code = "article_invalid"


class ImportRefused(Unprocessable):
    """A file of articles that cannot be read; nothing of it has been taken."""

    code = "import_refused"


class FlowsInvalid(Unprocessable):
    """Flows or stories with faults; `problems` are all of them with their lines."""

    code = "flows_invalid"

    def __init__(self, problems: Sequence[Problem], param: str) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, problems)), param=param)


class NotApproved(Conflict):
    """A version that nobody has approved does not go live, nor is one approved by who wrote it."""

    code = "not_approved"


class StoriesFailed(Conflict):
    """Stories were not run on this, or some of them fail."""

    code = "stories_failed"


class ExamplesMissing(Unprocessable):
    """Too few examples to learn from, or none to measure on."""

    code = "examples_missing"
