"""What allauth leaves to the product: who may sign up and where they then belong, and how often one may guess."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import unstash_login
from allauth.account.models import EmailAddress
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import arrivals, services, signin, sudo
from apps.accounts.agents import browser_name
from apps.accounts.models import User
from apps.core import callers, switches
from apps.core.errors import SealedValueUnreadable


class AccountAdapter(DefaultAccountAdapter):
    # ------------------------------------------------------------ signing up
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Strangers only where the operator lets them; whoever brings an invitation always."""
        return bool(settings.SIGN_UP and switches.is_on("sign_up")) or arrivals.kept(request) is not None

    def new_user(self, request: HttpRequest) -> User:
        """With the time of joining, which the database would add: a sign-up may wait in the session, as JSON."""
        user: User = super().new_user(request)
        user.date_joined = timezone.now()
        return user

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """A new person gets an organization of their own, unless an invitation brought them to another one."""
        with transaction.atomic():
            user = super().save_user(request, user, form, commit=commit)
            wanted = form.cleaned_data.get("organization_name", "").strip()
            if commit and (wanted or not arrivals.is_for(request, user.email)):
                mailbox = user.email.split("@")[0]
                services.create_organization(user, wanted or _("%(name)s's organization") % {"name": mailbox})
        return user

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """Whoever brings an invitation's secret has read the mail of its address."""
        return super().is_email_verified(request, email) or arrivals.is_for(request, email)

    # ------------------------------------------------------------ signing in
    def get_client_ip(self, request: HttpRequest) -> str:
        return callers.address_of(request.META) or "0.0.0.0"  # noqa: S104 - a UNIX socket has no address

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Counts the try before it is made, by the address as typed: whether there is such an account is not asked."""
        self._attempt = signin.attempt_of(request, credentials.get("email", ""))
        if self._attempt.begin():
            raise self.validation_error("too_many_login_attempts")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is not None:
            self._attempt.was_right()
        return user

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """After a reset by mail; allauth would empty counts of its own, which are not used."""
        signin.forgive(request, credentials["email"])

    def login(self, request: HttpRequest, user: User) -> None:
        self._first_time = user.last_login is None
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """A browser that the account does not know is told to its owner."""
        response: HttpResponse = super().post_login(request, user, **kwargs)
        if not self._first_time and not signin.knows(request, user.email):
            browser = browser_name(callers.agent_of(request.META))
            self.send_notification_mail("account/email/new_sign_in", user, {"browser": browser})
        signin.remember_browser(request, response, user.email)
        return response

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """To the address that the person signs in with, whether they have confirmed it or not."""
        super().send_notification_mail(template_prefix, user, context, email or user.email)

    # ------------------------------------------------------------ proving oneself again
    def is_reauthentication_required(self, *, app: str) -> bool:
        """A sign-in of the last minutes is as fresh as a confirmation."""
        return super().is_reauthentication_required(app=app) and not sudo.is_recent(self.request)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Between wish and confirmation somebody else may have come with the same address."""
        if services.is_taken(email_address.email, email_address.user):
            text = "account/messages/email_confirmation_failed.txt"
            self.add_message(request, messages.ERROR, text, {"email": email_address.email})
            return False
        return bool(super().confirm_email(request, email_address))

    def set_password(self, user: User, password: str) -> None:
        """A changed password signs every other browser out."""
        super().set_password(user, password)
        services.end_sessions(user.pk, keep=self.request.session.session_key)


class MFAAdapter(DefaultMFAAdapter):
    """Secrets of second factors are sealed in rows of their own, each for its person alone."""

    def generate_authenticator_name(self, user: User, type: Any) -> str:
        """What the owner will recognize it by, to begin with: the browser in which it was made."""
        return browser_name(callers.agent_of(self.request.META))

    def encrypt(self, text: str) -> str:
        return services.keep_secret(self._person_id(), text)

    def decrypt(self, encrypted_text: str) -> str:
        return services.secret_of(self._person_id(), encrypted_text)

    def _person_id(self) -> UUID:
        """Whose factors the request is about: the person signed in, or the one whose sign-in waits for a code."""
        user = self.request.user
        if not user.is_authenticated:
            login = unstash_login(self.request, peek=True)
            user = login.user if login else None
        if not isinstance(user, User):
            raise SealedValueUnreadable("The secret of a second factor opens for its person alone.")
        return user.pk


class SocialAdapter(DefaultSocialAccountAdapter):
    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[Any]:
        """Those of the environment; allauth's table of clients is not used."""
        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def authenticate_by_email(self, sociallogin: Any) -> Any:
        """Links by address only where both sides have verified it: here as well as at the other service."""
        found = super().authenticate_by_email(sociallogin)
        if found and EmailAddress.objects.filter(user=found[0], email=found[1].lower(), verified=True).exists():
            return found
        return None

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        """Every new person starts with an organization of their own."""
        with transaction.atomic():
            user: User = super().save_user(request, sociallogin, form=form)
            if not arrivals.is_for(request, user.email):
                mailbox = user.email.split("@")[0]
                services.create_organization(user, _("%(name)s's organization") % {"name": mailbox})
        return user
