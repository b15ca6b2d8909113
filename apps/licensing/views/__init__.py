"""Pages of licensing."""

from apps.licensing.views.held import buy_licence, held_licence, held_licence_file, held_licences
from apps.licensing.views.licences import (
    licence,
    licence_file,
    licences,
    new_licence,
    release_machine,
    requests,
    response_file,
    revoke,
)
from apps.licensing.views.products import anchors, new_policy, policy, products, revocations

__all__ = [
    "anchors",
    "buy_licence",
    "held_licence",
    "held_licence_file",
    "held_licences",
    "licence",
    "licence_file",
    "licences",
    "new_licence",
    "new_policy",
    "policy",
    "products",
    "release_machine",
    "requests",
    "response_file",
    "revocations",
    "revoke",
]
