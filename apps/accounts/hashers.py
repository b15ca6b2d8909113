"""How passwords are stored."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2id(Argon2PasswordHasher):
    """OWASP's parameters: 19 MiB and two passes, some 20 ms.

    Django's 100 MiB for each sign-in would let forty at once take 4 GB. Stored hashes name their parameters, and are
    computed anew at a sign-in when these here change.
    """

    time_cost, memory_cost, parallelism = 2, 19_456, 1
