"""The first steps in a new organization. What is done is read off the rows each time, so that the list can be left and
taken up again, and colleagues' steps count as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.models import ApiKey, Invitation, Membership
from apps.billing import gateway
from apps.billing.models import FREE_PLAN, Subscription
from apps.core.jobs import Status
from apps.studio.models import Generation

TEXT, INVITE, KEY, PLAN = "text", "invite", "key", "plan"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, why, where, and whether it has been done."""

    name: str
    title: str | Promise
    why: str | Promise
    url: str
    done: bool


@dataclass(frozen=True, slots=True)
class Guide:
    steps: tuple[Step, ...]

    @property
    def done(self) -> int:
        return sum(step.done for step in self.steps)

    @property
    def percent(self) -> int:
        return 100 * self.done // len(self.steps)

    @property
    def is_finished(self) -> bool:
        return self.done == len(self.steps)

    @property
    def has_text(self) -> bool:
        return any(step.done for step in self.steps if step.name == TEXT)


def guide_for(actor: Actor, state: Mapping[str, bool]) -> Guide:
    """The steps that the actor may take, of which `state` says whether each has been done."""
    steps = (
        Step(TEXT, _("Write a first text"), _("From an example, in one click."), reverse("studio"), state[TEXT]),
        Step(
            INVITE,
            _("Invite somebody"),
            _("Texts, templates and keys are shared with whoever belongs here."),
            reverse("invitations"),
            state[INVITE],
        ),
        Step(KEY, _("Create an API key"), _("The OpenAI client works unchanged."), reverse("api-keys"), state[KEY]),
        Step(PLAN, _("Choose a plan"), _("The free one stays until you do."), reverse("billing-plan"), state[PLAN]),
    )
    needs = {TEXT: "generations:write", INVITE: "members:manage", KEY: "usage:read", PLAN: "billing:manage"}
    offered = {name for name, permission in needs.items() if permission in actor.permissions}
    if gateway.mode() is gateway.Mode.OFF:
        offered -= {PLAN}
    return Guide(tuple(step for step in steps if step.name in offered))


def state_for(actor: Actor) -> dict[str, Any]:
    """Whether each step has been done, as parts of one question about the organization; within the tenant's scope."""
    here = OuterRef("pk")
    others = Membership.objects.filter(organization=here).exclude(user_id=actor.user_id)
    keys = ApiKey.objects.filter(organization=here)
    paid = Subscription.objects.filter(organization=here, is_live=True).exclude(plan__code=FREE_PLAN)
    invited = ExpressionWrapper(
        Q(Exists(Invitation.objects.filter(organization=here))) | Q(Exists(others)), output_field=BooleanField()
    )
    written = Generation.objects.filter(organization=here, status=Status.SUCCEEDED)
    return {TEXT: Exists(written), INVITE: invited, KEY: Exists(keys), PLAN: Exists(paid)}
