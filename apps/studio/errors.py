"""What templates, brand voices and safety rules refuse."""

from __future__ import annotations

from django.utils.functional import lazy
from django.utils.translation import gettext

from apps.core.errors import Conflict, InvalidRequest, MillraceError, NotFound, PermissionDenied, Unprocessable
from ml.text.prompts import PromptError


class TemplateInvalid(Unprocessable):
    """A template whose text, variables or settings cannot be used; `param` says where."""

    code = "template_invalid"


def _said(error: PromptError) -> str:
    words = gettext(error.template)
    return words % error.values if error.values else words


_said_lazily = lazy(_said, str)


def unreadable(error: PromptError, param: str | None = None) -> TemplateInvalid:
    """The refusal of a template that cannot be read, with the line."""
    if not error.line:
        return TemplateInvalid(error.template, values=error.values, param=param)
    return TemplateInvalid(
        "Line %(line)s: %(words)s", values={"line": error.line, "words": _said_lazily(error)}, param=param
    )


class VariableInvalid(Unprocessable):
    """What was filled in does not fit the template's variable that `param` names."""

    code = "variable_invalid"


class LabelNotSet(NotFound):
    """The template has no version under this label."""

    code = "label_not_set"


class ApprovalRequired(Conflict):
    """Only a version that somebody has approved goes there."""

    code = "approval_required"


class OwnVersion(PermissionDenied):
    """The organization demands four eyes: who wrote a version does not approve it."""

    code = "own_version"


class VoiceInvalid(Unprocessable):
    """A brand voice whose rules cannot be used; `param` says which."""

    code = "voice_invalid"


class SourceNotReady(MillraceError):
    """A page that fills in a variable is being fetched: the same call works in a moment."""

    code, status, type, should_retry = "source_not_ready", 409, "invalid_request_error", True


class SourceFailed(Unprocessable):
    """A page that fills in a variable could not be fetched or read."""

    code = "source_failed"


class SafetyRulesInvalid(Unprocessable):
    """Safety rules that cannot be used; `param` says which."""

    code = "safety_rules_invalid"


class ExamplesInvalid(Unprocessable):
    """Examples from which no classifier can learn."""

    code = "examples_invalid"


class ContentRefused(InvalidRequest):
    """The organization's safety rules refuse a prompt; the message names the rule, and `param` the message."""

    code = "content_refused"
