"""Reading settings from the environment, or from the file that NAME_FILE points to (Docker and Kubernetes secrets)."""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from apps.core.patience import PatientConnection


def text(name: str, default: str = "") -> str:
    """The value of NAME, else the stripped content of the file NAME_FILE names, else `default`."""
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return default
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read: {error}") from error


def flag(name: str, default: bool = False) -> bool:
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} must be a yes or no value such as 1 or 0, not {value!r}")


def number(name: str, default: int) -> int:
    value = text(name)
    if not value:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}") from error


def words(name: str, default: list[str]) -> list[str]:
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


def payment_problems(*, local: bool) -> list[str]:
    """What is unsafe in how payments are set."""
    key, simulator = text("STRIPE_SECRET_KEY"), text("STRIPE_API_BASE")
    problems = []
    if simulator and not local:
        problems.append("STRIPE_API_BASE names a simulator, for MILLRACE_LOCAL=1 only")
    if simulator and key.startswith(("sk_live_", "rk_live_")):
        problems.append("a live STRIPE_SECRET_KEY is never sent to the simulator that STRIPE_API_BASE names")
    if key and not simulator and not text("STRIPE_WEBHOOK_SECRET"):
        problems.append("STRIPE_SECRET_KEY needs STRIPE_WEBHOOK_SECRET, or no payment is ever heard of")
    return problems


def is_loopback(address: str) -> bool:
    """Whether only this very machine can reach the address, or can have sent from it."""
    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:
        return False


def database(url: str, role: str, pool_size: int, patience: int = 2) -> dict[str, Any]:
    """Django's database settings for a libpq URL; `role` is the role taken on for every session, empty for none.

    A caller waits at most `patience` seconds for a connection, and libpq a second longer for a server that is silent.
    """
    parts = conninfo_to_dict(url)
    options: dict[str, Any] = {
        key: value
        for key, value in parts.items()
        if key not in {"dbname", "user", "password", "host", "port", "options"}
    }
    libpq_options = [str(parts["options"])] if parts.get("options") else []
    if role:
        libpq_options.append(f"-c role={role}")
    if libpq_options:
        options["options"] = " ".join(libpq_options)
    options.setdefault("connect_timeout", patience + 1)
    # A server that has vanished without a word, in mid-connection: TCP's own patience is a quarter of an hour.
    options.setdefault("tcp_user_timeout", 10_000)
    # Only what asks for it by name is prepared; see apps/core/statements.py.
    options["prepare_threshold"] = sys.maxsize
    if pool_size:
        # Attempts to connect again are given up as soon, and begun anew by the next caller: they would otherwise come
        # at ever longer intervals, long after the server is back.
        options["pool"] = {
            "min_size": 1,
            "max_size": pool_size,
            "timeout": patience,
            "reconnect_timeout": patience,
            "connection_class": PatientConnection,
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", ""),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": parts.get("port", ""),
        "OPTIONS": options,
        # After a restart of the database the pool hands out no dead connection.
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": text("TEST_DATABASE_NAME") or None},
    }
