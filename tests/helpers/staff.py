"""Members of staff, and browsers in which they have shown a second factor."""

import time
from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.test import Client

from apps.accounts.models import User
from apps.staff.abilities import OPERATOR
from tests.helpers.people import make_user


def make_staff(name: str = "staff", group: str = OPERATOR, **flags: Any) -> User:
    """A member of staff with one group and a second factor; `group` empty for none."""
    person = make_user(f"{name}@operator.example")
    User.objects.filter(pk=person.pk).update(is_staff=True, **flags)
    person.refresh_from_db()
    person.groups.set(Group.objects.filter(name=group))
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": "none"})
    return person


def browser_of(person: User, second_factor: bool = True, address: str = "127.0.0.1") -> Client:
    """Signed in by password, and with a second factor unless told otherwise."""
    client = Client(REMOTE_ADDR=address)
    client.force_login(person)
    session = client.session
    records = [{"method": "password", "at": time.time(), "email": person.email}]
    if second_factor:
        records.append({"method": "mfa", "at": time.time(), "type": "totp"})
    session[AUTHENTICATION_METHODS_SESSION_KEY] = records
    session[f"{AUTHENTICATION_METHODS_SESSION_KEY}_user"] = str(person.pk)
    session.save()
    return client
