"""What pages say of expected failures can be translated: the catalogue finds each message, with its placeholders."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils import translation

from apps.core.catalogue import error_names, from_python, refusals_of, shows_errors
from apps.core.errors import InvalidRequest
from tests.helpers.sources import ROOT, called, calls, files, name_of, tree

MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop"}
# A message that comes from elsewhere, or is translated already: whoever makes it marks it.
PASSED_ON = {
    ("apps/accounts/services/grants.py", "require_at_most"),
    ("apps/billing/gateway/declines.py", "refusal"),
    ("apps/core/views.py", "csrf_failure"),
    ("apps/knowledge/files.py", "_kind_of"),
    ("apps/licensing/services/machines.py", "activate_by_request"),
    ("apps/licensing/services/products.py", "_insert"),
    ("apps/market/views/trade.py", "_row"),
    ("apps/privacy/views/processing.py", "set_term"),
    ("apps/studio/errors.py", "unreadable"),
    ("apps/support/services/bulk.py", "act"),
    ("apps/support/services/chatwoot/filters.py", "read"),
    ("apps/support/services/chatwoot/sessions.py", "open_inbox"),
    ("apps/support/services/flows/editing.py", "plain"),
    ("apps/support/services/flows/versions.py", "approve"),
    ("apps/support/services/flows/versions.py", "check"),
    ("apps/support/services/mail/accounts.py", "_seal_consent"),
    ("apps/support/services/numbers.py", "row_of"),
    ("apps/support/services/setup.py", "_checked"),
    ("apps/support/services/storing.py", "found"),
    ("apps/studio/services/bulk/taking.py", "read_table"),
    ("apps/studio/services/safety/classifiers.py", "train_classifier"),
    ("apps/studio/services/safety/rules.py", "checked"),
    ("apps/studio/services/templates/rendering.py", "_values"),
    ("apps/studio/services/templates/writing.py", "_check_examples"),
    ("apps/studio/services/templates/writing.py", "_check_settings"),
    ("apps/studio/services/templates/writing.py", "checked"),
    ("apps/studio/services/voices.py", "invalid"),
}


def marked_names() -> set[str]:
    """Constants of any module that hold a marked message."""
    return {
        target.id
        for path in files("*.py", "apps")
        for node in tree(path).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and called(node.value) in MARKS
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def is_collected(message: ast.expr, marked: set[str]) -> bool:
    """Whether it is a text, a name or a call that the catalogue finds, or a choice between such."""
    if isinstance(message, ast.IfExp):
        return all(isinstance(each, ast.Name) and each.id in marked for each in (message.body, message.orelse))
    message = message.left if isinstance(message, ast.BinOp) else message
    if isinstance(message, ast.Call):
        return called(message) in MARKS
    if isinstance(message, ast.Name):
        return message.id in marked
    return isinstance(message, ast.Constant) and isinstance(message.value, str)


def raised() -> Iterator[tuple[Path, str, ast.Call]]:
    failures = error_names(ROOT)
    for path in files("*.py", "apps"):
        if shows_errors(path.relative_to(ROOT)):
            yield from (
                (path, function, call) for function, call in calls(path) if called(call) in failures and call.args
            )


def test_every_message_of_a_failure_can_be_collected() -> None:
    marked = marked_names()
    found = {(name_of(path), function) for path, function, call in raised() if not is_collected(call.args[0], marked)}
    assert found <= PASSED_ON, "mark with gettext_noop, or give values for placeholders instead of an f-string"


def test_every_placeholder_has_its_value() -> None:
    for path, _, call in raised():
        if not isinstance(call.args[0], ast.Constant):
            continue
        given = next((keyword.value for keyword in call.keywords if keyword.arg == "values"), None)
        names = (
            {key.value for key in given.keys if isinstance(key, ast.Constant)} if isinstance(given, ast.Dict) else set()
        )
        wanted = set(re.findall(r"%\((\w+)\)", call.args[0].value)) if given else set()
        assert names == wanted, f"{name_of(path)}:{call.lineno}"


def test_messages_of_failures_are_collected_where_pages_show_them() -> None:
    source = 'raise NotFound("There is no %(thing)s.", values={"thing": 1})'
    assert [message.text for message in from_python(source, failures={"NotFound": 0})] == ["There is no %(thing)s."]
    assert not list(from_python(source))
    assert shows_errors(Path("apps/accounts/services/teams.py"))
    assert shows_errors(Path("apps/studio/services/bulk/drafts.py"))
    assert not shows_errors(Path("apps/accounts/api/teams.py"))
    assert not shows_errors(Path("apps/studio/services/files.py"))


def test_failures_that_apps_derive_are_known() -> None:
    assert {"NotFound", "TemplateInvalid", "AttachmentRefused", "FileRefused"} <= error_names(ROOT)
    assert not {"ValueError", "CommandError"} & error_names(ROOT)


def test_a_page_is_told_in_its_language_and_a_program_in_english() -> None:
    error = InvalidRequest("Give a name of 1 to %(most)s characters.", values={"most": 120})
    plain = InvalidRequest("100% of it")
    with translation.override("zh-hans"):
        assert error.message == error.body()["error"]["message"] == "Give a name of 1 to 120 characters."
        assert "120" in error.shown()
        assert InvalidRequest("Settings").shown() == translation.gettext("Settings") != "Settings"
    assert plain.shown() == plain.message == "100% of it"


def test_a_value_that_is_a_word_is_told_in_the_language_of_the_message() -> None:
    with translation.override("zh-hans"):
        error = InvalidRequest("It is %(state)s.", values={"state": translation.gettext_lazy("revoked")})
        assert (error.message, error.shown()) == ("It is revoked.", "It is 已吊销.")


def test_what_ml_refuses_is_collected_with_its_places() -> None:
    for path in ("ml/text/tables/grids.py", "ml/text/variables.py", "ml/text/voicing.py", "ml/safety/terms.py"):
        assert refusals_of(Path(path)), path
    assert not refusals_of(Path("ml/text/tablesaw.py"))
    source = 'raise VariableError(name, "This may have %(most)s entries.", most=1)'
    assert [each.text for each in from_python(source, failures=refusals_of(Path("ml/text/variables.py")))] == [
        "This may have %(most)s entries."
    ]
