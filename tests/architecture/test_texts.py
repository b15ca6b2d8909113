"""What pages say of expected failures can be translated: the catalogue finds each message, with its placeholders."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils import translation

from apps.core.catalogue import ERRORS, from_python, shows_errors
from apps.core.errors import InvalidRequest
from tests.helpers.sources import ROOT, called, calls, files, name_of, tree

MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop"}
# A message that comes from elsewhere, or is translated already: whoever makes it marks it.
PASSED_ON = {
    ("apps/accounts/services/grants.py", "require_at_most"),
    ("apps/core/views.py", "csrf_failure"),
    ("apps/privacy/views/processing.py", "set_term"),
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


def raised() -> Iterator[tuple[Path, str, ast.Call]]:
    for path in files("*.py", "apps"):
        if shows_errors(path.relative_to(ROOT)):
            yield from (
                (path, function, call) for function, call in calls(path) if called(call) in ERRORS and call.args
            )


def test_every_message_of_a_failure_can_be_collected() -> None:
    marked, found = marked_names(), set()
    for path, function, call in raised():
        message = call.args[0].left if isinstance(call.args[0], ast.BinOp) else call.args[0]
        literal = isinstance(message, ast.Constant) and isinstance(message.value, str)
        named = isinstance(message, ast.Name) and message.id in marked
        if not (literal or named or (isinstance(message, ast.Call) and called(message) in MARKS)):
            found.add((name_of(path), function))
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
    assert [message.text for message in from_python(source, with_errors=True)] == ["There is no %(thing)s."]
    assert not list(from_python(source))
    assert shows_errors(Path("apps/accounts/services/teams.py"))
    assert not shows_errors(Path("apps/accounts/api/teams.py"))


def test_a_page_is_told_in_its_language_and_a_program_in_english() -> None:
    error = InvalidRequest("Give a name of 1 to %(most)s characters.", values={"most": 120})
    plain = InvalidRequest("100% of it")
    with translation.override("zh-hans"):
        assert error.message == error.body()["error"]["message"] == "Give a name of 1 to 120 characters."
        assert "120" in error.shown()
        assert InvalidRequest("Settings").shown() == translation.gettext("Settings") != "Settings"
    assert plain.shown() == plain.message == "100% of it"
