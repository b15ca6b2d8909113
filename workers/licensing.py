"""The signer: the one process that has the private keys of licences. It serves the queue `signing` and no other.

The keys come from LICENCE_SIGNING_KEYS (or the file that LICENCE_SIGNING_KEYS_FILE names), which no settings module
reads: web processes and other workers are started without it, and know the public halves from the database.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from workers.celery import app

if TYPE_CHECKING:
    from apps.licensing.models import SigningJob
    from ml.licensing import SigningKeys

AT_ONCE = 20
log = structlog.get_logger(__name__)


class NoSigningKeys(RuntimeError):
    """This process was given no keys, or unusable ones."""


@app.task(name="licensing.sign")
def sign() -> None:
    """Signs what waits, until nothing does. Without keys the rows wait on, and the log says why."""
    from apps.core import jobs
    from apps.licensing import services
    from apps.licensing.models import SigningJob

    keys = signing_keys()
    for job in jobs.reap(SigningJob)[1]:
        services.fail(job, "worker_lost", "The signer was lost twice while it did this.")
    while claimed := jobs.claim(SigningJob, worker_name(), AT_ONCE):
        for job in claimed:
            _sign(job, keys)


def _sign(job: SigningJob, keys: SigningKeys) -> None:
    from django.db import InterfaceError, OperationalError, connection

    from apps.licensing import services

    with structlog.contextvars.bound_contextvars(request_id=job.request_id, job=str(job.pk)):
        try:
            services.carry_out(job, keys)
        except (OperationalError, InterfaceError):
            # With the database away nothing can be said: the lease lapses, and the reaper returns the row.
            log.exception("signature broken off")
            connection.close()
        except Exception:
            log.exception("signature failed")
            services.fail(job, "signing_failed", "The file could not be signed.")


@cache
def signing_keys() -> SigningKeys:
    """This process's keys, announced to the installation once; raises NoSigningKeys."""
    from django.conf import settings

    from apps.core import env, keyring
    from apps.licensing import services
    from ml.licensing import SigningKeys

    text = (
        env.text("LICENCE_SIGNING_KEYS")
        if not _is_to_be_made()
        else keyring.kept_locally(Path(os.environ["LICENCE_SIGNING_KEYS_FILE"]))
    )
    try:
        ring = keyring.parse(text)
    except keyring.InvalidKeyring as error:
        raise NoSigningKeys(f"LICENCE_SIGNING_KEYS: {error}") from None
    if not settings.LOCAL and any(kid.startswith(keyring.LOCAL_PREFIX) for kid in ring.keys):
        raise NoSigningKeys("LICENCE_SIGNING_KEYS holds a key that was generated for local use")
    keys = SigningKeys(ring.current, ring.keys)
    services.announce(keys.public())
    log.info("signing licences", key=keys.current, public={kid: value.hex() for kid, value in keys.public().items()})
    return keys


def _is_to_be_made() -> bool:
    """On a developer's machine the signer makes its key itself, in a file that only its user can read."""
    from django.conf import settings

    path = os.environ.get("LICENCE_SIGNING_KEYS_FILE", "")
    return bool(settings.LOCAL and path and "LICENCE_SIGNING_KEYS" not in os.environ and not Path(path).exists())


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:signer"
