"""Whether everything that the product stands on is well."""

from __future__ import annotations

import platform
import shutil
import tomllib
from collections.abc import Callable
from importlib.metadata import version

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from apps.accounts.models import AuditVerification, Organization
from apps.core import heartbeats, keyring, rotation
from apps.core.connections import quick_redis_client
from apps.staff.abilities import Ability
from apps.staff.services.acting import require
from apps.staff.site import site

Row = list[str]
GIB = 2**30
# Below this share of free space something must be done before the disk is full.
LEAST_FREE = 0.1


@site.page("health/", "health")
def health(request: HttpRequest) -> HttpResponse:
    """Each part with its state in words; a part that does not answer says so, and the page still comes."""
    require(request.user, Ability.READ)  # type: ignore[arg-type]
    parts = [
        _asked(_("Database"), _database),
        _asked(_("Redis"), _redis),
        _asked(_("Workers"), _workers),
        _asked(_("Migrations"), _migrations),
        _asked(_("Disk"), _disk),
        _asked(_("Field keys"), _field_keys),
        _asked(_("Audit chains"), _audit),
    ]
    context = site.each_context(request) | {
        "title": _("System health"),
        "parts": {"headers": [_("Part"), _("State"), _("Details")], "rows": parts},
        "versions": {"headers": [_("Program"), _("Version")], "rows": _versions()},
    }
    return TemplateResponse(request, "staff/health.html", context)


def _asked(name: str, ask: Callable[[], tuple[bool, str]]) -> Row:
    try:
        well, details = ask()
    except (DatabaseError, RedisError, OSError) as error:
        return [name, _("away"), type(error).__name__]
    return [name, _("well") if well else _("needs attention"), details]


def _database() -> tuple[bool, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database())),"
            " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),"
            " current_setting('max_connections')"
        )
        size, connections, most = cursor.fetchone()
    return True, _("%(size)s; %(connections)s of %(most)s connections") % {
        "size": size,
        "connections": connections,
        "most": most,
    }


def _redis() -> tuple[bool, str]:
    memory = quick_redis_client().info("memory")
    return True, _("%(used)s used, %(most)s allowed") % {
        "used": memory["used_memory_human"],
        "most": memory["maxmemory_human"] if memory["maxmemory"] else _("any amount"),
    }


def _workers() -> tuple[bool, str]:
    found = heartbeats.workers()
    if found is None:
        return False, _("Redis does not say.")
    counts = {queue: sum(worker.queue == queue for worker in found) for queue in ("default", "generation")}
    return all(counts.values()), ", ".join(f"{queue}: {count}" for queue, count in counts.items())


def _migrations() -> tuple[bool, str]:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not waiting:
        return True, _("All are applied.")
    return False, ", ".join(f"{migration.app_label}.{migration.name}" for migration, _backwards in waiting)


def _disk() -> tuple[bool, str]:
    settings.VAR.mkdir(parents=True, exist_ok=True)
    usage = shutil.disk_usage(settings.VAR)
    words = {"free": f"{usage.free / GIB:.1f}", "total": f"{usage.total / GIB:.1f}", "path": settings.VAR}
    return usage.free > LEAST_FREE * usage.total, _("%(free)s of %(total)s GiB free at %(path)s") % words


def _field_keys() -> tuple[bool, str]:
    """Which keys seal what is stored, and whether each of them is still at hand."""
    ring = keyring.parse(settings.FIELD_KEYS)
    counts: dict[str, int] = {}
    for standing in rotation.standing():
        for key, count in standing.by_key.items():
            counts[key] = counts.get(key, 0) + count
    used = ", ".join(f"{key}: {count:,}" for key, count in sorted(counts.items())) or _("nothing is sealed yet")
    return set(counts) <= set(ring.keys), _("written with %(current)s; %(used)s") % {
        "current": ring.current,
        "used": used,
    }


def _audit() -> tuple[bool, str]:
    """The last look at each organization's chain: how many are whole, broken, or have not been looked at."""
    newest = AuditVerification.objects.order_by("organization_id", "-created_at").distinct("organization_id")
    last = list(newest.values_list("findings", flat=True))
    broken = sum(bool(findings) for findings in last)
    words = {
        "whole": len(last) - broken,
        "broken": broken,
        "unseen": Organization.objects.count() - len(last),
        "when": AuditVerification.objects.aggregate(at=Max("created_at"))["at"] or "–",
    }
    return not broken, _(
        "whole: %(whole)s, broken: %(broken)s, not yet looked at: %(unseen)s; last look %(when)s"
    ) % words


def _versions() -> list[Row]:
    programs = [[name, version(name.lower())] for name in ("Django", "Celery", "Channels", "redis")]
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    return [["Millrace", _product()], ["Python", platform.python_version()], *programs, ["PostgreSQL", postgres]]


def _product() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
