"""Which encoder the installation uses, read from EMBEDDING_MODEL. Pure: the settings ask it."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from ml.embeddings import NAME


def named(value: str) -> tuple[str, str]:
    """The encoder's name and its server's address, which is empty for the one that ships with the project."""
    if value == "local":
        return NAME, ""
    scheme, _, rest = value.partition(":")
    name, _, url = rest.partition("@")
    if scheme != "remote" or not name or not url.startswith(("https://", "http://")):
        raise ImproperlyConfigured("EMBEDDING_MODEL must be local or remote:MODEL@URL")
    return name, url
