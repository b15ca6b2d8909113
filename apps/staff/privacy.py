"""What the console stores of its own."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import WITH_ACCOUNT, Basis, DataKind, OnErasure

KINDS = (
    DataKind(
        name="console_history",
        label=_("Django's own history of the console"),
        model="admin.LogEntry",
        what=_("Nothing: the table comes with a library, and acts of staff are in the audit logs instead."),
        why=_("The library needs the table to be there."),
        basis=Basis.INTEREST,
        retention=WITH_ACCOUNT,
        people=("user",),
        erasure=OnErasure.DELETE,
    ),
)
