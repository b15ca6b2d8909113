"""Versions of the flows: a draft is written, somebody approves it, and it goes live; going back is the same act."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.errors_bot import FlowsInvalid, NotApproved, StoriesFailed
from apps.support.models import BotAction, FlowApproval, FlowVersion, IntentExample
from apps.support.services.flows.settings import settings_of
from apps.support.services.flows.stories import latest_run
from ml.dialogue.flows import FlowError, Flows, Problem, parse_flows
from ml.dialogue.stories import Story, parse_stories

NO_VERSION = gettext_noop("There are no flows with this number.")
MEANWHILE = gettext_noop("Meanwhile v%(number)s was written. Look at it, or press again to go on from here without it.")
LONGEST_TEXT, LONGEST_NOTE = 400_000, 200


class Standing(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Checked:
    flows: Flows
    stories: tuple[Story, ...]


def check(text: str, stories: str = "") -> Checked:
    """Flows and their stories read; raises FlowsInvalid with every fault and its line."""
    try:
        flows = parse_flows(text)
    except FlowError as error:
        raise FlowsInvalid(error.problems, "text") from None
    try:
        return Checked(flows, tuple(parse_stories(stories)) if stories.strip() else ())
    except FlowError as error:
        raise FlowsInvalid(error.problems, "stories") from None


def problems_of(text: str) -> list[Problem]:
    """What would keep flows from being approved: also actions that nobody has set up, and intents without examples.

    In the organization's scope.
    """
    actions = set(BotAction.objects.values_list("name", flat=True))
    intents = set(IntentExample.objects.values_list("intent", flat=True).distinct())
    try:
        parse_flows(text, actions, intents or None)
    except FlowError as error:
        return error.problems
    return []


def save_version(actor: Actor, text: str, stories: str = "", note: str = "", newest: int | None = None) -> FlowVersion:
    """A new draft; raises FlowsInvalid for what cannot be read at all.

    `newest` is the number of the version that was the newest one for whoever writes: Conflict where it no longer is.
    """
    actor.require(WRITE)
    actor.require_open()
    text, stories = (each.replace("\0", "").replace("\r\n", "\n") for each in (text, stories))
    if len(text) > LONGEST_TEXT or len(stories) > LONGEST_TEXT:
        raise InvalidRequest("Flows have at most %(most)s characters.", values={"most": LONGEST_TEXT}, param="text")
    if len(note) > LONGEST_NOTE:
        raise InvalidRequest("A note has at most 200 characters.", param="note")
    check(text, stories)
    with tenancy.scope(actor.organization_id):
        Organization.objects.select_for_update(no_key=True).get(pk=actor.organization_id)
        last = FlowVersion.objects.aggregate(most=Max("number"))["most"] or 0
        if newest not in (None, last):
            raise Conflict(MEANWHILE, values={"number": last}, param="newest")
        made: FlowVersion = FlowVersion.objects.create(
            organization_id=actor.organization_id,
            number=last + 1,
            text=text,
            stories=stories,
            note=note.strip(),
            created_by_id=actor.person_id,
        )
        _record(actor, "flows.written", made)
    return made


def newest_number(actor: Actor) -> int:
    """The number of the version that was written last, 0 before the first."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return int(FlowVersion.objects.aggregate(newest=Max("number"))["newest"] or 0)


def get_version(actor: Actor, number: int) -> FlowVersion:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return _version(number)


def approve(actor: Actor, number: int) -> FlowApproval:
    """Somebody answers for a version. FlowsInvalid, NotApproved.

    With four eyes it is not who wrote it: both are known persons, whichever of their keys they use.
    """
    actor.require(APPROVE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        version = _version(number)
        if problems := problems_of(version.text):
            raise FlowsInvalid(problems, "number")
        settings = settings_of(actor.organization_id)
        if settings.four_eyes and None in (actor.person_id, version.created_by_id):
            raise NotApproved("With four eyes it has to be known who wrote this and who approves it.")
        if settings.four_eyes and actor.person_id == version.created_by_id:
            raise NotApproved("Somebody else has to approve what you wrote.")
        found: FlowApproval | None = FlowApproval.objects.filter(version=version).first()
        if found is None:
            found = FlowApproval.objects.create(
                organization_id=actor.organization_id, version=version, approved_by_id=actor.person_id
            )
            _record(actor, "flows.approved", version)
    return found


def go_live(actor: Actor, number: int) -> FlowVersion:
    """From now on new flows of conversations are of this version. NotApproved, StoriesFailed."""
    actor.require(APPROVE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        settings = settings_of(actor.organization_id, lock=True)
        version = _version(number)
        if not FlowApproval.objects.filter(version=version).exists():
            raise NotApproved("Somebody has to approve the flows before they go live.")
        if version.stories.strip():
            run = latest_run(version)
            if run is None or not run.is_good:
                raise StoriesFailed("All stories have to pass before the flows go live: run them.")
        if settings.flows_id != version.pk:
            before = settings.flows.number if settings.flows else 0
            settings.flows = version
            settings.save(update_fields=["flows"])
            _record(actor, "flows.live", version, before=before)
    return version


def standing_of(version: FlowVersion, live_id: object, approved: set[object]) -> Standing:
    if version.pk == live_id:
        return Standing.LIVE
    return Standing.APPROVED if version.pk in approved else Standing.DRAFT


def _version(number: int) -> FlowVersion:
    found: FlowVersion | None = FlowVersion.objects.filter(number=number).first()
    if found is None:
        raise NotFound(NO_VERSION)
    return found


def _record(actor: Actor, action: str, version: FlowVersion, **detail: Any) -> None:
    audit.record(actor, action, version, **detail)
    events.record(action, version.pk, {"number": version.number})
