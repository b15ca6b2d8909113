"""What each app stores: declared beside its models in `privacy.py`, and found here.

From these declarations come the data-processing page, exports, erasures and retention, and a test holds every table
against them: nothing is stored that nobody has declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.crypto import SealedText
from apps.core.tenancy import TenantModel

Words = str | Promise


class Basis(models.TextChoices):
    """On what ground it is stored (GDPR, article 6)."""

    CONTRACT = "contract", _("to provide the service that was agreed")
    INTEREST = "interest", _("legitimate interest: security and traceability")
    LAW = "law", _("required by law")
    CONSENT = "consent", _("consent")


class OnErasure(models.TextChoices):
    """What becomes of a person's rows when the person is erased."""

    DELETE = "delete", _("deleted")
    DETACH = "detach", _("kept without the person's name")
    CHOICE = "choice", _("as chosen: deleted, or kept without the person's name")
    PSEUDONYM = "pseudonym", _("kept under a pseudonym")
    NOTHING = "nothing", _("names nobody")


class Texts(models.TextChoices):
    """What whoever asks for an erasure chooses for what the person has written."""

    KEEP = "keep", _("Keep the texts for the organization, without the person's name")
    ERASE = "erase", _("Erase the texts as well")


@dataclass(frozen=True, slots=True)
class Erasing:
    """One erasure as each kind's own `erase` is given it; `pseudonym` stands wherever the person's name was.

    `organization_id` is None for what belongs to no organization, and for a whole account it is each in turn.
    """

    person_id: UUID
    organization_id: UUID | None
    pseudonym: str
    texts: Texts
    whole_account: bool


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows are kept: `days` after the time in `since`, or as long as `words` say.

    An organization may choose between `least` and `most` days, where `most` is not 0; without a choice it is `days`,
    and None keeps rows for as long as the organization is there. `only` are filters for rows that may go at all.
    `append_only` rows are removed by the role that may (`apps.core.tenancy.removal`). `leaving` is told which rows
    are about to go, in the scope and the transaction in which they do.
    """

    words: Words = ""
    days: int | None = None
    least: int = 0
    most: int = 0
    since: str = "created_at"
    only: Mapping[str, Any] = field(default_factory=dict)
    append_only: bool = False
    leaving: Callable[[Sequence[UUID]], object] | None = None

    @property
    def adjustable(self) -> bool:
        return self.most > 0


FOREVER = Retention(words=_("as long as the organization exists"))
WITH_ACCOUNT = Retention(words=_("as long as the account exists"))


@dataclass(frozen=True, slots=True)
class DataKind:
    """One table, in words for people and with what export, erasure and retention need to know of it.

    `people` are the fields that name a person, `addresses` those that hold an e-mail address; `secret` ones are in no
    export, nor are sealed and computed ones; `also` are lookups that an export adds. `erase` does what becomes of a
    person's rows where `erasure` alone does not say it.
    """

    name: str
    label: Words
    model: str
    what: Words
    why: Words
    basis: Basis
    retention: Retention
    erasure: OnErasure = OnErasure.NOTHING
    people: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    where: Words = "PostgreSQL"
    erase: Callable[[Erasing], int] | None = None

    @property
    def table(self) -> type[models.Model]:
        return apps.get_model(self.model)

    @property
    def about_people(self) -> bool:
        return bool(self.people or self.addresses)

    @property
    def of_organizations(self) -> bool:
        return self.model == "accounts.Organization" or issubclass(self.table, TenantModel)

    def rows(self) -> Any:
        """All rows in scope."""
        return self.table._default_manager.all()

    def rows_of(self, person_id: UUID) -> Any:
        """The rows in scope that name the person."""
        about = models.Q()
        for name in self.people:
            about |= models.Q(**{name: person_id})
        email = get_user_model()._default_manager.filter(pk=person_id).values("email")
        for name in self.addresses:
            about |= models.Q(**{f"{name}__in": email})
        return self.rows().filter(about) if self.about_people else self.rows().none()

    def columns(self) -> tuple[str, ...]:
        """What an export holds of each row."""
        own = (
            field.attname
            for field in self.table._meta.concrete_fields
            if field.name not in self.secret and not field.generated and not isinstance(field, SealedText)
        )
        return (*own, *self.also)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody outside the installation who is given data: a sub-processor."""

    name: str
    where: str
    what: Words


class DeclarationError(RuntimeError):
    """Two kinds share a name or a table."""


@cache
def kinds() -> tuple[DataKind, ...]:
    """Every declared kind, in the order of the installed apps."""
    found = tuple(kind for module in _modules() for kind in getattr(module, "KINDS", ()))
    for attribute in ("name", "model"):
        values = [getattr(kind, attribute) for kind in found]
        if twice := {value for value in values if values.count(value) > 1}:
            raise DeclarationError(f"declared twice: {', '.join(sorted(twice))}")
    return found


def kind(name: str) -> DataKind | None:
    return next((each for each in kinds() if each.name == name), None)


def recipients() -> list[Recipient]:
    """Who outside is given data, as the installation is configured now."""
    return [each for module in _modules() if hasattr(module, "recipients") for each in module.recipients()]


@cache
def _modules() -> tuple[Any, ...]:
    names = [f"{config.name}.privacy" for config in apps.get_app_configs() if config.name.startswith("apps.")]
    return tuple(import_module(name) for name in names if find_spec(name))
