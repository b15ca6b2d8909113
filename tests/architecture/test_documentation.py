"""Settings, error codes, scopes and commands cannot ship undocumented."""

import ast
import re

from apps.accounts.audit.sentences import SENTENCES
from apps.accounts.permissions import KEY_SCOPES
from apps.core.eventtypes import catalogue
from tests.helpers.sources import CODE, ROOT, called, calls, files, tree

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
# A code among the arguments of a call: small letters and underscores only.
CODE_TEXT = re.compile(r"'([a-z]+(?:_[a-z]+)+)'")
READERS = {"text", "flag", "number", "words", "get", "getenv", "setdefault"}
# Read, but not ours to explain, or set by one of our processes for another.
FOREIGN = {
    "DJANGO_SETTINGS_MODULE",
    "MAKELEVEL",
    "PATH",
    "PYTEST_XDIST_WORKER",
    "PYTHONPATH",
    "PYTHONWARNINGS",
}


def read_settings() -> set[str]:
    """Names of environment variables that Python or the Procfile reads."""
    found = set()
    for path in files("*.py", *CODE):
        for _, call in calls(path):
            owner = ast.unparse(call.func).rpartition(".")[0]
            if called(call) in READERS and owner in {"env", "os.environ", "os", ""} and call.args:
                first = call.args[0]
                if isinstance(first, ast.Constant) and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(first.value)):
                    found.add(str(first.value))
    return found | set(re.findall(r"\$\{(\w+)", (ROOT / "Procfile").read_text()))


def documented_settings() -> set[str]:
    section = OPERATIONS.partition("## Settings")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)` \|", section, re.M))


def test_every_setting_is_documented() -> None:
    assert read_settings() - FOREIGN <= documented_settings()


def test_no_setting_is_documented_that_nothing_reads() -> None:
    assert documented_settings() <= read_settings()


def test_compose_offers_only_settings_that_exist() -> None:
    own = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "TORCH_INDEX"}
    offered = re.findall(r"^(\w+)=", (ROOT / "deploy" / "compose.env.example").read_text(), re.M)
    assert set(offered) - own <= documented_settings()


def error_codes() -> set[str]:
    """Codes of error classes, and those that workers and engines write into a generation."""
    found = set()
    for path in [*files("*.py", "apps", "workers", "ml/engine"), ROOT / "ml" / "types.py"]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                found |= _class_codes(node)
            elif isinstance(node, ast.Call) and called(node) in {"EngineError", "Failure"}:
                found |= set(CODE_TEXT.findall(ast.unparse(node)))
            elif isinstance(node, ast.keyword) and node.arg == "error_code":
                found |= _named_codes(tree(path), node.value)
            elif isinstance(node, ast.Tuple) and path.is_relative_to(ROOT / "workers"):
                # A code with the sentence that goes with it.
                found |= set(re.findall(r"^\('([a-z_]+)', ['\"][A-Z].*\.['\"]\)$", ast.unparse(node)))
    return found - {"", "error"}


def _named_codes(module: ast.Module, value: ast.expr) -> set[str]:
    """Codes written out in an expression, or in the module's constant that it names."""
    if isinstance(value, ast.Name):
        constants = [node for node in module.body if isinstance(node, ast.Assign)]
        values = [node.value for node in constants if getattr(node.targets[0], "id", "") == value.id]
    else:
        values = [value]
    return {code for each in values for code in CODE_TEXT.findall(ast.unparse(each))}


def _class_codes(node: ast.ClassDef) -> set[str]:
    """`code = "x"` and `code, status = "x", 400` in a class whose name says that it is an error."""
    found = set()
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        target = statement.targets[0]
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
        for name, value in zip(names, values, strict=False):
            if getattr(name, "id", "") == "code" and isinstance(value, ast.Constant) and isinstance(value.value, str):
                found.add(value.value)
    return found


def test_every_error_code_is_documented() -> None:
    missing = {code for code in error_codes() if f"`{code}`" not in API}
    assert not missing


def test_every_scope_is_documented() -> None:
    assert {scope for scope in KEY_SCOPES if f"| `{scope}` |" not in API} == set()


def test_every_command_is_documented() -> None:
    for_developers = {"translations"}
    commands = {path.stem for path in files("*.py", "apps") if path.parent.name == "commands"} - {"__init__"}
    assert {name for name in commands - for_developers if f"manage.py {name}" not in OPERATIONS} == set()


def test_every_process_and_health_endpoint_is_documented() -> None:
    processes = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.M)
    for name in [*processes, "/healthz", "/readyz", "worker_generation", "worker_default", "millrace_app"]:
        assert f"`{name}`" in OPERATIONS, name


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


# Acts that are no events, in files that record other events by a variable.
IN_THE_AUDIT_LOG_ALONE = {
    "document.removed",
    "inbound_hook.secret_changed",
    "offer.file_added",
    "offer.file_removed",
    "schedule.run",
    "source.retried",
    "webhook_callbacks.secret_added",
    "webhook_callbacks.secret_removed",
}
EVENT = re.compile(r"[a-z_]+\.[a-z_]+")


def recorded_events() -> tuple[set[str], set[str]]:
    """Types of events that code records, as far as it names them, and the openings of those that it puts together.

    Where the type is a variable, every name in the file counts that the audit log has a sentence for.
    """
    names, openings = set(), set()
    for path in files("*.py", "apps", "workers"):
        for _, call in calls(path):
            if ast.unparse(call.func) != "events.record":
                continue
            constants = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
            if isinstance(call.args[0], ast.JoinedStr):
                openings |= {str(constants[0])}
            elif isinstance(call.args[0], ast.Name):
                written = (node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant))
                names |= {str(text) for text in written if isinstance(text, str)} & set(SENTENCES)
            else:
                names |= {str(text) for text in constants if EVENT.fullmatch(str(text))}
    return names, openings


def documented_events() -> set[str]:
    section = API.partition("## Events")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*`) \|", section, re.M)
    return {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)}


def test_every_event_is_documented_and_no_other() -> None:
    """The catalogue is what is recorded: every test holds events against it, and the next one what code names."""
    assert documented_events() == set(catalogue())


def test_every_event_that_code_names_is_in_the_catalogue() -> None:
    names, openings = recorded_events()
    assert names - set(catalogue()) == IN_THE_AUDIT_LOG_ALONE
    assert {start for start in openings if not any(name.startswith(start) for name in catalogue())} == set()


def test_no_event_is_in_the_catalogue_that_nothing_records() -> None:
    names, openings = recorded_events()
    # What a service hands to another that records it has a sentence in the audit log under the same name.
    left = set(catalogue()) - names - set(SENTENCES)
    assert {name for name in left if not name.startswith(tuple(openings))} == set()
