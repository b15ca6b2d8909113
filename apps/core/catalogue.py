"""Translatable messages: found in Python, templates and scripts, and kept in gettext catalogues.

Replaces xgettext and msgfmt, which a bare machine does not have. Messages from scripts are calls of `gettext("…")` with
a plain string.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polib
from django.utils.translation.template import templatize

from apps.core import errors

PYTHON_FOLDERS = ("apps", "config", "ml", "workers")
TEMPLATE_FOLDERS = ("templates", "apps")
SCRIPT_FOLDERS = ("static",)
# Whose expected failures (`apps.core.errors`, and what the apps derive from them) pages show: their messages are
# translated there. The API stays English: names or paths of what only programs call.
ERROR_FOLDERS = ("apps",)
NO_PAGES = (
    "api",
    "api.py",
    "consumers.py",
    "crypto.py",
    "fields.py",
    "rest.py",
    "scim",
    "apps/licensing/services/keys.py",
    "apps/studio/services/batches.py",
    "apps/studio/services/files.py",
    "apps/studio/streaming.py",
)
# What apps pass on to pages in the words of `ml`: the place of the message among the arguments.
REFUSALS = {
    "ml/licensing/activation.py": {"Refused": 1},
    "ml/safety": {"Words": 0},
    "ml/text/prompts.py": {"PromptError": 0},
    "ml/text/feeds.py": {"NotReadable": 0},
    "ml/text/tables": {"Refused": 0, "Words": 0},
    "ml/text/variables.py": {"VariableError": 1},
    "ml/text/voicing.py": {"VoiceError": 1, "Words": 0, "_violation": 2},
    "apps/studio/services": {"NotReadable": 0, "RowProblem": 1, "Words": 0},
    "workers/safety.py": {"fail": 2},
}
TEMPLATE_SUFFIXES = (".html", ".txt")

# Positions of context, message and plural among the arguments.
_SINGULAR, _CONTEXT, _PLURAL, _CONTEXT_PLURAL = (None, 0, None), (0, 1, None), (None, 0, 1), (0, 1, 2)
_FUNCTIONS = {
    "_": _SINGULAR,
    "gettext": _SINGULAR,
    "gettext_lazy": _SINGULAR,
    "gettext_noop": _SINGULAR,
    "pgettext": _CONTEXT,
    "pgettext_lazy": _CONTEXT,
    "ngettext": _PLURAL,
    "ngettext_lazy": _PLURAL,
    "npgettext": _CONTEXT_PLURAL,
    "npgettext_lazy": _CONTEXT_PLURAL,
}
_LITERAL = r"""u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_CALL = re.compile(
    rf"(?<![\w.])(npgettext|ngettext|pgettext|gettext|_)\(\s*{_LITERAL}(?:\s*,\s*{_LITERAL})?(?:\s*,\s*{_LITERAL})?"
)
_CLASS = re.compile(r"^class (\w+)\((\w+)\):", re.MULTILINE)
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")


class CatalogueError(Exception):
    """A source cannot be read for messages; the text names file and line."""


@dataclass(frozen=True)
class Message:
    """One thing to translate; `plural` and `context` are None where it has none."""

    text: str
    plural: str | None = None
    context: str | None = None

    @property
    def key(self) -> tuple[str | None, str]:
        """What makes it one entry of a catalogue."""
        return self.context, self.text


def collect(root: Path) -> dict[Message, list[str]]:
    """Return every message below `root` with the files it stands in, in the order of the files."""
    found: dict[Message, list[str]] = {}
    for path, messages in _sources(root):
        name = path.relative_to(root).as_posix()
        for message in messages:
            files = found.setdefault(message, [])
            if name not in files:
                files.append(name)
    return found


def _sources(root: Path) -> Iterator[tuple[Path, Iterable[Message]]]:
    failures = dict.fromkeys(error_names(root), 0)
    for path in _files(root, PYTHON_FOLDERS, (".py",)):
        place = path.relative_to(root)
        shown = (failures if shows_errors(place) else {}) | refusals_of(place)
        yield path, from_python(path.read_text(encoding="utf-8"), str(path), shown)
    for path in _files(root, TEMPLATE_FOLDERS, TEMPLATE_SUFFIXES):
        yield path, from_template(path.read_text(encoding="utf-8"), str(path))
    for path in _files(root, SCRIPT_FOLDERS, (".js",)):
        yield path, from_script(path.read_text(encoding="utf-8"))


def _files(root: Path, folders: Iterable[str], suffixes: tuple[str, ...]) -> list[Path]:
    paths = (path for folder in folders for path in (root / folder).rglob("*") if path.suffix in suffixes)
    return sorted(path for path in paths if path.is_file() and "migrations" not in path.parts)


def shows_errors(path: Path) -> bool:
    """Whether what is raised in this file, by its path in the project, can come to stand on a page."""
    place = f"/{path.as_posix()}/"
    return path.parts[0] in ERROR_FOLDERS and not any(f"/{each}/" in place for each in NO_PAGES)


def error_names(root: Path) -> set[str]:
    """Names of the classes of expected failures: the core's, and what any app derives from them."""
    found = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    sources = (path.read_text(encoding="utf-8") for path in _files(root, ERROR_FOLDERS, (".py",)))
    classes = [pair for source in sources for pair in _CLASS.findall(source)]
    while more := {name for name, base in classes if base in found} - found:
        found |= more
    return found


def refusals_of(path: Path) -> dict[str, int]:
    """What in this file takes a message that pages show, and at which place; see REFUSALS."""
    parts = path.as_posix()
    return {
        name: place
        for start, named in REFUSALS.items()
        if parts == start or parts.startswith(f"{start}/")
        for name, place in named.items()
    }


def from_python(source: str, origin: str = "", failures: Mapping[str, int] | None = None) -> Iterator[Message]:
    """Yield the messages of a Python source, and those given to `failures`, by name with the message's place.

    Raises CatalogueError for an f-string, which no catalogue can hold.
    """
    functions = _FUNCTIONS | {name: (None, place, None) for name, place in (failures or {}).items()}
    for node in ast.walk(ast.parse(source, origin)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
        positions = functions.get(name or "")
        if positions is None:
            continue
        if any(isinstance(argument, ast.JoinedStr) for argument in node.args):
            raise CatalogueError(f"{origin}:{node.lineno}: an f-string cannot be translated; use placeholders")
        context, text, plural = (_constant(node.args, position) for position in positions)
        if text:
            yield Message(text, plural, context)


def _constant(arguments: list[ast.expr], position: int | None) -> str | None:
    if position is None or position >= len(arguments):
        return None
    argument = arguments[position]
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


def from_template(source: str, origin: str = "") -> Iterator[Message]:
    """Yield the messages of a Django template, as its own tags would look them up."""
    try:
        calls = templatize(source, origin)
    except SyntaxError as error:
        raise CatalogueError(str(error)) from error
    yield from _from_calls(calls)


def from_script(source: str) -> Iterator[Message]:
    """Yield the messages of a JavaScript source."""
    yield from _from_calls(source)


def _from_calls(source: str) -> Iterator[Message]:
    for match in _CALL.finditer(source):
        literals = [ast.literal_eval(literal) for literal in match.groups()[1:] if literal]
        context, text, plural = (
            literals[position] if position is not None and position < len(literals) else None
            for position in _FUNCTIONS[match[1]]
        )
        if text:
            yield Message(text, plural, context)


def update(catalogue: polib.POFile, messages: dict[Message, list[str]]) -> None:
    """Give the catalogue exactly these messages, keeping every translation it has.

    A translation no longer used stays as an obsolete entry, from which it comes back with its message.
    """
    known = {(entry.msgctxt, entry.msgid): entry for entry in catalogue}
    wanted = {message.key for message in messages}
    entries = []
    for message, files in sorted(messages.items(), key=lambda item: (item[1][0], item[0].text)):
        entry = known.get(message.key) or polib.POEntry(msgid=message.text, msgctxt=message.context)
        _shape(entry, message)
        entry.obsolete = 0
        entry.occurrences = [(name, "") for name in files]
        entries.append(entry)
    for key, entry in known.items():
        if key not in wanted and entry.msgid and (entry.msgstr or any(entry.msgstr_plural.values())):
            entry.obsolete = 1
            entry.occurrences = []
            entries.append(entry)
    catalogue[:] = entries


def _shape(entry: polib.POEntry, message: Message) -> None:
    """Let the entry hold one text or one per plural form, as the message needs; Chinese has a single form."""
    if message.plural is not None:
        entry.msgid_plural = message.plural
        entry.msgstr_plural = entry.msgstr_plural or {0: entry.msgstr}
        entry.msgstr = ""
    elif entry.msgid_plural:
        entry.msgid_plural, entry.msgstr = "", entry.msgstr_plural.get(0, "")
        entry.msgstr_plural = {}
    uses_percent = re.search(r"%\(\w+\)[a-z]|%[sd]", message.text)
    entry.flags = [flag for flag in entry.flags if flag != "python-format"] + (
        ["python-format"] if uses_percent else []
    )


def problems(catalogue: polib.POFile, messages: dict[Message, list[str]]) -> list[str]:
    """Return what is wrong with the catalogue, one line each: missing, obsolete, untranslated, other placeholders."""
    entries = {(entry.msgctxt, entry.msgid): entry for entry in catalogue if not entry.obsolete}
    used = {message.key: files for message, files in messages.items()}
    lines = [f"missing: {key[1]!r} ({used[key][0]})" for key in used if key not in entries]
    lines += [f"no longer used: {key[1]!r}" for key in entries if key not in used]
    for key, entry in entries.items():
        texts = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        if key not in used:
            continue
        if entry.fuzzy or not all(texts):
            lines.append(f"not translated: {key[1]!r} ({used[key][0]})")
        elif any(_placeholders(text) != _placeholders(entry.msgid_plural or entry.msgid) for text in texts):
            lines.append(f"other placeholders than the original: {key[1]!r}")
    return sorted(lines)


def _placeholders(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text.replace("%%", "")))
