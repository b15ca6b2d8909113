"""Settings come from the environment or from files, and an unsafe one stops the start by name."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.core import env, keyring

ROOT = Path(__file__).resolve().parents[3]
LOCAL_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SAFE = {
    "SECRET_KEY": "x9!kq2-" * 10,
    "FIELD_KEYS": keyring.generate("k1"),
    "DATABASE_URL": "postgresql://app:pw@db.example:5433/millrace?sslmode=require",
    "REDIS_URL": "redis://redis.example:6379/0",
    "ALLOWED_HOSTS": "millrace.example",
    "BASE_URL": "https://millrace.example",
}


def load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> dict[str, Any]:
    """Reads config/settings.py afresh in an environment of SAFE and the changes."""
    for name in ("DEBUG", "MILLRACE_LOCAL", "MILLRACE_VAR", "DATABASE_ROLE", "DATABASE_POOL_SIZE", "REDIS_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (SAFE | changes).items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(ROOT / "config" / "settings.py"))


def test_safe_settings_start_with_every_protection_on(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert settings["DEBUG"] is False
    for name in ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS"):
        assert settings[name], name
    assert settings["DATABASES"]["default"]["OPTIONS"]["options"] == "-c role=millrace_app"
    assert settings["DATABASES"]["default"]["OPTIONS"]["sslmode"] == "require"
    policy = settings["CONTENT_SECURITY_POLICY"]["DIRECTIVES"]
    assert "'unsafe-inline'" not in str(policy)
    assert "wss://millrace.example" in policy["connect-src"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 80}, "SECRET_KEY"),
        ({"SECRET_KEY": "local-" + SAFE["SECRET_KEY"]}, "SECRET_KEY"),
        ({"FIELD_KEYS": ""}, "FIELD_KEYS is not set"),
        ({"FIELD_KEYS": "k1:short"}, "FIELD_KEYS: the key k1"),
        ({"FIELD_KEYS": f"local-1:{LOCAL_KEY}"}, "FIELD_KEYS holds a key that was generated for local use"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"REDIS_URL": ""}, "REDIS_URL"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"BASE_URL": "http://millrace.example"}, "BASE_URL"),
        ({"BASE_URL": ""}, "BASE_URL"),
        ({"METRICS_HOST": "192.0.2.1"}, "METRICS_TOKEN must be set"),
        ({"METRICS_HOST": "metrics.example"}, "METRICS_TOKEN must be set"),
        ({"METRICS_TOKEN": "short"}, "METRICS_TOKEN must have"),
        ({"DEBUG": "perhaps"}, "DEBUG"),
        ({"EMAIL_PORT": "many"}, "EMAIL_PORT"),
        ({"STRIPE_API_BASE": "http://127.0.0.1:12111"}, "STRIPE_API_BASE names a simulator"),
        ({"STRIPE_API_BASE": "http://127.0.0.1:12111", "STRIPE_SECRET_KEY": "sk_live_x"}, "a live STRIPE_SECRET_KEY"),
        ({"STRIPE_SECRET_KEY": "sk_test_x"}, "STRIPE_SECRET_KEY needs STRIPE_WEBHOOK_SECRET"),
    ],
    ids=str,
)
def test_an_unsafe_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], named: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=named):
        load(monkeypatch, **changes)


def test_all_problems_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        load(monkeypatch, SECRET_KEY="short", ALLOWED_HOSTS="*", REDIS_URL="")
    assert all(name in str(refused.value) for name in ("SECRET_KEY", "ALLOWED_HOSTS", "REDIS_URL"))
    assert "DATABASE_URL" not in str(refused.value)


def test_a_process_refuses_to_start() -> None:
    given = {"PATH": os.environ["PATH"], "SECRET_KEY": "short"}
    process = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=given, capture_output=True, text=True, check=False
    )
    assert process.returncode != 0
    assert "Refusing to start on unsafe settings" in process.stderr
    assert "DATABASE_URL" in process.stderr


def test_local_mode_relaxes_transport_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, MILLRACE_LOCAL="1", BASE_URL="http://127.0.0.1:8000", SECRET_KEY="local-x")
    assert settings["SECURE_SSL_REDIRECT"] is False
    assert settings["DATABASE_ROLE"] == "millrace_app"
    assert settings["X_FRAME_OPTIONS"] == "DENY"


def test_a_live_key_is_never_sent_to_a_simulator_on_a_developers_machine_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = {"MILLRACE_LOCAL": "1", "BASE_URL": "http://127.0.0.1:8000", "SECRET_KEY": "local-x"}
    local["STRIPE_API_BASE"] = "http://127.0.0.1:12111"
    assert load(monkeypatch, **local)["STRIPE_API_BASE"] == "http://127.0.0.1:12111"
    for key in ("sk_live_x", "rk_live_x"):
        with pytest.raises(ImproperlyConfigured, match="is never sent to the simulator"):
            load(monkeypatch, **local, STRIPE_SECRET_KEY=key)


def test_a_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-the-file\n")
    monkeypatch.delenv("SOME_SECRET", raising=False)
    monkeypatch.setenv("SOME_SECRET_FILE", str(file))
    assert env.text("SOME_SECRET") == "from-the-file"
    monkeypatch.setenv("SOME_SECRET", "from-the-environment")
    assert env.text("SOME_SECRET") == "from-the-environment"
    monkeypatch.delenv("SOME_SECRET")
    file.unlink()
    with pytest.raises(ImproperlyConfigured, match="SOME_SECRET_FILE"):
        env.text("SOME_SECRET")


def test_the_role_is_added_to_other_options() -> None:
    options = env.database("postgresql://u@h/d?options=-c%20statement_timeout%3D5s", "some_role", 4)["OPTIONS"]
    assert options["options"] == "-c statement_timeout=5s -c role=some_role"
    assert options["pool"]["max_size"] == 4
    assert options["pool"]["timeout"] == options["pool"]["reconnect_timeout"] == 2
    assert options["connect_timeout"] == 3
    assert "options" not in env.database("postgresql://u@h/d", "", 0)["OPTIONS"]
