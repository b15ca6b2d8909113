"""People; who belongs where is `organizations`."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Func, Value
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from apps.core.ids import uuid7

# The parser would take an address for one word: these begin a new one.
_BETWEEN_WORDS = "@._-+"
MOST_WORDS = 8


def words_of(text: str) -> list[str]:
    """The words of a search, in small letters and without anything that means something to `to_tsquery`."""
    return re.findall(r"\w+", text.lower().replace("_", " "))[:MOST_WORDS]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person; belongs to no organization by itself, see Membership."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(db_default=Now())
    search = models.GeneratedField(
        expression=SearchVector(
            Func(F("email"), Value(_BETWEEN_WORDS), Value(" " * len(_BETWEEN_WORDS)), function="TRANSLATE"),
            "name",
            config="simple",
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    USERNAME_FIELD = EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_whatever_the_case")]
        indexes = [GinIndex(fields=["search"], name="user_search")]

    def __str__(self) -> str:
        return self.email
