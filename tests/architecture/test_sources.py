"""Rules of the architecture that only reading the source can check."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.sources import CODE, ROOT, called, calls, files, name_of, tree

# Who may look across organizations, and why. Each new line widens the first wall: review it as such.
ACROSS_TENANTS = {
    ("apps/accounts/audit/streaming.py", "_claim", "CLAIM_WORK"),
    ("apps/accounts/management/commands/audit_verify.py", "_wanted", "OPERATE"),
    ("apps/accounts/audit/anchors.py", "anchor_everything", "HOUSEKEEPING"),
    ("apps/accounts/audit/retention.py", "prune_everything", "HOUSEKEEPING"),
    ("apps/accounts/audit/verification.py", "verify_everything", "HOUSEKEEPING"),
    ("apps/accounts/access.py", "belonging_of", "SIGN_IN"),
    ("apps/accounts/services/keys.py", "find_api_key", "SIGN_IN"),
    ("apps/accounts/services/standing.py", "permissions_now", "SIGN_IN"),
    ("apps/accounts/services/invitations.py", "find_invitation", "SIGN_IN"),
    ("apps/accounts/services/deletion.py", "remove_due", "HOUSEKEEPING"),
    ("apps/accounts/management/commands/seed_demo.py", "_seed", "OPERATE"),
    ("apps/studio/management/commands/seed_bulk.py", "_owner", "OPERATE"),
    ("apps/studio/management/commands/seed_conversations.py", "owner_of", "OPERATE"),
    ("apps/billing/services/alerts.py", "_due", "HOUSEKEEPING"),
    ("apps/billing/management/commands/credits.py", "handle", "OPERATE"),
    ("apps/billing/services/closing.py", "close_months", "HOUSEKEEPING"),
    ("apps/billing/services/expiry.py", "expire_credits", "HOUSEKEEPING"),
    ("apps/billing/services/idle_credit.py", "look", "HOUSEKEEPING"),
    ("apps/billing/services/notices.py", "_candidates", "HOUSEKEEPING"),
    ("apps/billing/services/orders.py", "deliver_due", "HOUSEKEEPING"),
    ("apps/billing/services/usage_alerts.py", "_found", "HOUSEKEEPING"),
    ("apps/billing/services/revenue.py", "record_months", "HOUSEKEEPING"),
    ("apps/billing/services/rollups.py", "_organizations", "HOUSEKEEPING"),
    ("apps/billing/services/inbox.py", "_organization_of", "STRIPE"),
    ("apps/billing/services/outbox.py", "_claim", "STRIPE"),
    ("apps/billing/services/reconcile.py", "_customers", "STRIPE"),
    ("apps/billing/services/renewals.py", "_renewing", "STRIPE"),
    ("apps/billing/management/commands/seed_payments.py", "handle", "OPERATE"),
    ("apps/market/border.py", "at_other_side", "MARKET"),
    ("apps/market/border.py", "on_both_sides", "MARKET"),
    ("apps/market/border.py", "published", "MARKET"),
    ("apps/sso/services/connections.py", "find_connection", "SIGN_IN"),
    ("apps/sso/services/domains.py", "connections_for", "SIGN_IN"),
    ("apps/sso/services/tokens.py", "find_directory", "SIGN_IN"),
    ("apps/licensing/services/keys.py", "admit", "LICENCES"),
    ("apps/licensing/services/trade.py", "_at_vendor", "LICENCES"),
    ("apps/licensing/services/trade.py", "_lock_heads", "LICENCES"),
    ("apps/licensing/services/trade.py", "_on_offer", "LICENCES"),
    ("apps/licensing/services/trade.py", "deliver", "LICENCES"),
    ("apps/licensing/services/trade.py", "offers", "LICENCES"),
    ("apps/licensing/services/trade.py", "take_back", "LICENCES"),
    ("apps/studio/services/endings.py", "empty_desk_texts", "HOUSEKEEPING"),
    ("apps/support/services/drafts.py", "take_over_ended", "CLAIM_WORK"),
    ("apps/support/services/resolutions.py", "settle_due", "CLAIM_WORK"),
    ("apps/core/idempotency.py", "forget_expired", "HOUSEKEEPING"),
    ("apps/core/looks.py", "names", "CLAIM_WORK"),
    ("apps/core/jobs.py", "claim", "CLAIM_WORK"),
    ("apps/core/jobs.py", "renew", "CLAIM_WORK"),
    ("apps/core/jobs.py", "cancelled_among", "CLAIM_WORK"),
    ("apps/core/jobs.py", "hand_back", "CLAIM_WORK"),
    ("apps/core/jobs.py", "suspects_wait", "CLAIM_WORK"),
    ("apps/core/jobs.py", "reap", "REAP"),
    ("apps/core/metrics/stores.py", "_count_work", "COUNT_WORK"),
    ("apps/core/metrics/stores.py", "_from_database", "COUNT_WORK"),
    ("apps/core/rotation.py", "_rotate_batch", "OPERATE"),
    ("apps/core/rotation.py", "standing", "OPERATE"),
    ("apps/accounts/impersonation.py", "_find", "SIGN_IN"),
    ("apps/accounts/services/support.py", "end_impersonation", "SIGN_IN"),
    ("apps/accounts/services/support.py", "end_overdue_impersonations", "HOUSEKEEPING"),
    ("apps/staff/site.py", "inner", "STAFF"),
    ("apps/staff/services/people.py", "_set_active", "STAFF"),
    ("apps/staff/services/people.py", "reset_factors", "STAFF"),
    ("apps/privacy/services/exports.py", "remove_expired_exports", "HOUSEKEEPING"),
    ("apps/privacy/services/exports.py", "_remove_strays", "HOUSEKEEPING"),
    ("apps/privacy/services/people.py", "organizations_about", "PRIVACY"),
    ("apps/privacy/services/register.py", "_organizations_here", "OPERATE"),
    ("apps/privacy/services/retention.py", "apply", "HOUSEKEEPING"),
    ("apps/studio/visitors.py", "visitor", "OPERATE"),
    ("apps/studio/services/documents/organizing.py", "empty_trash", "HOUSEKEEPING"),
    ("apps/studio/services/documents/shares.py", "opened", "SHARED"),
    ("apps/core/backlog.py", "everywhere", "COUNT_WORK"),
    ("apps/studio/services/bulk/driving.py", "_claim", "CLAIM_WORK"),
    ("apps/studio/services/batches.py", "claim_batch", "CLAIM_WORK"),
    ("apps/studio/services/schedules/planning.py", "plan_due", "CLAIM_WORK"),
    ("apps/studio/services/schedules/occurrences.py", "_claim", "CLAIM_WORK"),
    ("apps/core/jobs.py", "expired", "REAP"),
    ("apps/webhooks/feed.py", "counted", "COUNT_WORK"),
    ("apps/webhooks/services/making.py", "make", "CLAIM_WORK"),
    ("apps/webhooks/services/calls.py", "take_call", "SIGN_IN"),
    ("apps/webhooks/services/calls.py", "_waiting", "CLAIM_WORK"),
    ("apps/webhooks/services/sending.py", "claim", "CLAIM_WORK"),
    ("apps/webhooks/services/sending.py", "note", "CLAIM_WORK"),
    ("apps/webhooks/services/sending.py", "reap", "REAP"),
    ("apps/knowledge/services/calls.py", "release_forgotten", "REAP"),
    ("apps/support/management/commands/seed_bot.py", "_owner", "OPERATE"),
    ("apps/support/services/agent_bots/speaking.py", "admit", "SIGN_IN"),
    ("apps/support/services/agent_bots/telling.py", "are_calls_waiting", "CLAIM_WORK"),
    ("apps/support/services/agent_bots/telling.py", "claim", "CLAIM_WORK"),
    ("apps/support/services/agent_bots/telling.py", "reap", "REAP"),
    ("apps/support/services/articles/centre.py", "open_centre", "SHARED"),
    ("apps/support/services/articles/centre.py", "set_centre", "SHARED"),
    ("apps/support/services/articles/indexing.py", "claim_passages", "CLAIM_WORK"),
    ("apps/support/services/bot/claiming.py", "claim_turns", "CLAIM_WORK"),
    ("apps/support/services/bot/claiming.py", "overdue_turns", "REAP"),
    ("apps/support/services/bot/claiming.py", "reap_turns", "REAP"),
    ("apps/support/services/bot/claiming.py", "seconds_until_due", "CLAIM_WORK"),
    ("apps/support/services/housekeeping.py", "_with_something_due", "CLAIM_WORK"),
    ("apps/support/services/housekeeping.py", "clean_up", "HOUSEKEEPING"),
    ("apps/support/services/chatwoot/pubsub.py", "admit_key", "SIGN_IN"),
    ("apps/support/services/inboxes.py", "by_token", "SIGN_IN"),
    ("apps/support/services/visitors.py", "admit", "SIGN_IN"),
    ("apps/support/services/scanning.py", "_scan_some", "CLAIM_WORK"),
    ("apps/support/services/mail/receiving.py", "claim", "CLAIM_WORK"),
    ("apps/support/services/mail/watching.py", "listenable", "CLAIM_WORK"),
    ("apps/support/services/mail/sending.py", "due_accounts", "CLAIM_WORK"),
}
# Who may set the application's role aside: only what pseudonymises append-only rows.
AS_OWNER = {
    ("apps/accounts/audit/erasure.py", "erase_person", "ERASURE"),
}
# Managers without the wall, raw settings and raw roles: only tenancy itself may touch these.
WALL_BREAKERS = re.compile(
    r"_base_manager|app\.across|app\.org\b|SET (LOCAL )?ROLE|session_replication_role|BYPASSRLS", re.I
)
MAY_NAME_THE_WALL = {
    "apps/core/tenancy/owner.py",
    "apps/core/tenancy/scope.py",
    "apps/core/tenancy/migrations.py",
    "apps/core/tenancy/removal.py",
}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def test_looking_across_tenants_is_the_reviewed_list() -> None:
    found = set()
    for path in files("*.py", "apps", "config", "workers"):
        for function, call in calls(path):
            if called(call) == "across_tenants":
                reason = call.args[0] if call.args else call.keywords[0].value
                assert isinstance(reason, ast.Attribute), f"{name_of(path)}: the reason must be a member of Across"
                found.add((name_of(path), function, reason.attr))
    assert found == ACROSS_TENANTS


def test_working_as_the_owner_is_the_reviewed_list() -> None:
    found = set()
    for path in files("*.py", "apps", "config", "workers"):
        for function, call in calls(path):
            if called(call) == "as_owner":
                reason = call.args[0]
                assert isinstance(reason, ast.Attribute), f"{name_of(path)}: the reason must be a member of AsOwner"
                found.add((name_of(path), function, reason.attr))
    assert found == AS_OWNER


def test_only_tenancy_handles_the_wall_itself() -> None:
    for path in files("*.py", "apps", "config", "workers"):
        if name_of(path) not in MAY_NAME_THE_WALL:
            found = WALL_BREAKERS.search(path.read_text(encoding="utf-8"))
            assert not found, f"{name_of(path)} handles the wall between tenants: {found.group()}"


def imports(path: Path) -> set[str]:
    """Modules a file imports, also inside functions; not those for type checkers alone."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def test_apps_reach_workers_by_task_name_only() -> None:
    for path in files("*.py", "apps"):
        wrong = {module for module in imports(path) if module.split(".")[0] == "workers"}
        assert not wrong, f"{name_of(path)} imports {wrong}"
        for _, call in calls(path):
            assert called(call) not in {"delay", "apply_async"}, f"{name_of(path)}:{call.lineno} calls a task object"


def test_every_task_that_is_named_exists() -> None:
    """A doorbell without a task would ring for nobody; a schedule without one would fill the queue."""
    from workers.celery import app

    declared = set()
    for path in files("*.py", "workers"):
        for _, call in calls(path):
            declared |= {
                keyword.value.value
                for keyword in call.keywords
                if called(call) == "task" and keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
            }
    rung = set()
    for path in files("*.py", "apps", "workers"):
        rung |= set(re.findall(r'^[A-Z_]+ = "((?:generation|core|accounts|privacy)\.\w+)"', path.read_text(), re.M))
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert rung | scheduled | set(app.conf.task_routes) <= declared
    assert declared


def test_there_are_no_model_signals() -> None:
    signals = {"post_save", "pre_save", "post_delete", "pre_delete", "m2m_changed", "post_init", "pre_init"}
    for path in files("*.py", "apps", "config", "workers"):
        wrong = {module for module in imports(path) if module.split(".")[-1] in signals}
        assert not wrong, f"{name_of(path)} listens to {wrong}: a service does that, where one can read it"


@pytest.mark.parametrize("module", ["config.urls", "config.asgi"])
def test_a_web_process_never_loads_torch(module: str) -> None:
    code = (
        "import sys, django, importlib; django.setup(); importlib.import_module(sys.argv[1]);"
        "print([name for name in ('torch', 'transformers', 'ml.engine') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, module],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_files_stay_small() -> None:
    for path in files("*.py", *CODE, "clients", "tests"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= LONGEST_FILE, f"{name_of(path)} has {lines} lines: make it a folder"


def test_functions_stay_small() -> None:
    for path in files("*.py", *CODE, "clients", "tests"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                assert lines <= LONGEST_FUNCTION, f"{name_of(path)}:{node.lineno} {node.name} has {lines} lines"


def test_every_file_of_tests_tests_something() -> None:
    for path in files("test_*.py", "clients", "tests"):
        names = [node.name for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        tests = [name for name in names if name.startswith("test_")]
        assert tests, f"{name_of(path)} holds no test"
        twice = [name for name, count in Counter(tests).items() if count > 1]
        assert not twice, f"{name_of(path)}: only the last {twice} would run"


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    for path in files("*.py", *CODE, "clients", "tests") + files("*.html", "templates") + files("*.js", "static"):
        if path != Path(__file__):
            assert not marks.search(path.read_text(encoding="utf-8")), name_of(path)
