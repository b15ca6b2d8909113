"""Fixtures of all tests: a database behind both walls, two organizations, and an outsider who must see nothing."""

import time
from collections.abc import Callable, Generator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from apps.core.connections import redis_client
from apps.core.management.commands.translations import compile_catalogue
from tests.helpers.database import create_database, drop_database, empty_tables, owner_of
from tests.helpers.event_check import checking
from tests.helpers.people import Tenant, make_tenant, make_user

APPLICATION_ROLE = "millrace_app"
# How quickly a machine makes up examples says nothing about them.
hypothesis_settings.register_profile("any machine", suppress_health_check=[HealthCheck.too_slow], deadline=None)
hypothesis_settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """Settings that only make sense in tests; no test depends on collected files or slow hashes."""
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.MAIL_DELIVERY_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for catalogue in settings.BASE_DIR.glob("locale/*/LC_MESSAGES/django.po"):
        compile_catalogue(catalogue)


# What takes minutes begins first, so that no process is left alone with it at the end.
LONG_GROUPS = ("faults", "stack", "walk-en", "walk-zh-hans")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def begins(item: pytest.Item) -> int:
        group = item.get_closest_marker("xdist_group")
        if group and group.args[0] in LONG_GROUPS:
            return LONG_GROUPS.index(group.args[0])
        return len(LONG_GROUPS) + (not item.get_closest_marker("slow"))

    items.sort(key=begins)


# ---------------------------------------------------------------- database and Redis


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, django_db_modify_db_settings: None
) -> Generator[None]:
    """The test database: migrated by its owner, then used as the application's role, which row-level security binds."""
    options = connection.settings_dict["OPTIONS"]
    with django_db_blocker.unblock():
        before = settings.DATABASES["default"]["NAME"]
        create_database()
        options["options"] = f"-c role={APPLICATION_ROLE}"
        # A hundred threads connect at once in some tests, on machines that are busy with others.
        options["connect_timeout"] = 60
        connection.close()
    yield
    with django_db_blocker.unblock():
        drop_database(before)


@pytest.fixture
def owner_connection(db: None) -> Generator["psycopg.Connection[Any]"]:
    """The schema's owner at work beside the application: whoever can do what the application cannot."""
    with owner_of(connection.settings_dict["NAME"]) as owner:
        owner.execute("SET lock_timeout = '10s'")
        yield owner


@pytest.fixture(scope="session", autouse=True)
def _owner_empties_tables() -> Generator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield


@pytest.fixture(scope="session", autouse=True)
def _events_are_as_the_catalogue_says() -> Generator[None]:
    """What any test has recorded: its type, its facts and its weight."""
    from apps.core import events

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "record", checking(events.record))
        yield


@pytest.fixture(autouse=True)
def _fresh_redis() -> Generator[None]:
    """No key of this process outlives its test."""
    yield
    client = redis_client()
    keys = list(client.scan_iter(match=f"{settings.REDIS_PREFIX}:*", count=1000))
    if keys:
        client.delete(*keys)


@pytest.fixture(autouse=True)
def _no_switch_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feature switches are as the code says, without a question to the database that would spoil counts of queries.

    A test that sets one calls `switches.forget()`.
    """
    from apps.core import switches

    monkeypatch.setattr(switches, "KEPT_SECONDS", 1e9)
    monkeypatch.setattr(switches, "_kept", (time.monotonic(), {}))


@pytest.fixture
def redis() -> Any:
    """The process's own Redis client."""
    return redis_client()


# ---------------------------------------------------------------- work


@pytest.fixture(autouse=True)
def _no_real_doorbell(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tasks are captured where they would leave for the broker; tests run them by hand.

    Hints are sent where they are given, and not by their thread, so that a test sees them at once.
    """
    from apps.core import bells
    from workers.celery import app

    rung: list[str] = []
    monkeypatch.setattr(bells, "send", lambda name, hint: hint())
    monkeypatch.setattr(app, "send_task", lambda name, *args, **options: rung.append(name))
    return rung


@pytest.fixture
def capture_doorbells(transactional_db: None, _no_real_doorbell: list[str]) -> list[str]:
    """The names of the tasks that were sent, in order; they leave on commit, so the test commits for real."""
    return _no_real_doorbell


# ---------------------------------------------------------------- people


@pytest.fixture
def org_a(db: None) -> Tenant:
    return make_tenant("org-a")


@pytest.fixture
def org_b(db: None) -> Tenant:
    return make_tenant("org-b")


@pytest.fixture
def outsider(db: None) -> Any:
    """A signed-in person who belongs to no organization."""
    return make_user("outsider@nowhere.example")


@pytest.fixture
def client_of(db: None) -> Callable[[Any], Client]:
    """`client_of(user)`: a browser in which the user is signed in."""

    def sign_in(user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def model(db: None) -> Any:
    """The house model, which the alias `default` means."""
    from apps.registry import services

    return services.ensure_default_model()
