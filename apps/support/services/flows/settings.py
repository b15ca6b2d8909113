"""Whether the bot answers, from which probability on, and what always goes to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest
from apps.core.statements import TenantStatement
from apps.registry import services as registry
from apps.support.access_bot import APPROVE
from apps.support.models import BotSettings

# What a plan must bring for the bot to answer (`apps.billing.entitlements.FEATURES`).
FEATURE = "support_bot"
MOST_DUTIES, LONGEST_INTENT = 100, 64
REASONS = ("human", "fraud", "complaint")


@dataclass(frozen=True, slots=True)
class BotChange:
    """What is to be in force; None leaves it as it is."""

    is_on: bool | None = None
    accept: float | None = None
    margin: float | None = None
    quiet_seconds: float | None = None
    least_likeness: float | None = None
    duties: Mapping[str, str] | None = None
    four_eyes: bool | None = None
    writer: str | None = None
    answer_seconds: float | None = None
    idle_hours: int | None = None


def settings_of(organization_id: UUID, lock: bool = False) -> BotSettings:
    """The organization's row, made at first use; in scope."""
    rows = BotSettings.objects.select_for_update(of=("self",)) if lock else BotSettings.objects
    found: BotSettings | None = rows.select_related("flows", "model").first() if lock else _SETTINGS.first()
    if found is None:
        BotSettings.objects.get_or_create(organization_id=organization_id)
        found = rows.select_related("flows", "model").get()
    return found


# Asked in every turn of the bot's.
_SETTINGS: TenantStatement[BotSettings] = TenantStatement(
    lambda: BotSettings.objects.select_related("flows", "model")[:1]
)


def is_bot_on(organization_id: UUID) -> bool:
    """Whether a conversation may begin with the bot; in scope, and without making a row."""
    return bool(BotSettings.objects.filter(organization_id=organization_id, is_on=True).exists())


def change_bot(actor: Actor, change: BotChange) -> BotSettings:
    actor.require(APPROVE)
    actor.require_open()
    wanted = {name: value for name, value in asdict(change).items() if value is not None}
    _check(wanted)
    if wanted.get("is_on"):
        billing.require_feature(actor.organization_id, FEATURE)
    with tenancy.scope(actor.organization_id):
        row = settings_of(actor.organization_id, lock=True)
        if wanted.get("is_on") and row.flows_id is None:
            raise Conflict("The bot needs flows that are live before it answers anybody.", param="is_on")
        before = {name: getattr(row, name) for name in wanted}
        changed = {name: value for name, value in wanted.items() if before[name] != value}
        if changed:
            for name, value in changed.items():
                setattr(row, name, value)
            row.save(update_fields=list(changed))
            kept = {name: before[name] for name in changed}
            audit.record(actor, "bot.changed", row, before=kept, after=changed, what=", ".join(sorted(changed)))
            events.record("bot.changed", row.pk, {"what": sorted(changed)})
    return row


def _check(wanted: dict[str, Any]) -> None:
    bounds = {"accept": (0.0, 1.0), "margin": (0.0, 1.0), "quiet_seconds": (0.0, 10.0), "least_likeness": (0.0, 1.0)}
    bounds |= {"answer_seconds": (2.0, 120.0), "idle_hours": (0.0, 720.0)}
    for name, (least, most) in bounds.items():
        if name in wanted and not least <= wanted[name] <= most:
            raise InvalidRequest(
                "%(name)s must be from %(least)s to %(most)s.",
                values={"name": name, "least": least, "most": most},
                param=name,
            )
    if wanted.get("writer"):
        _check_writer(wanted["writer"])
    duties = wanted.get("duties", {})
    if len(duties) > MOST_DUTIES or any(not 1 <= len(name) <= LONGEST_INTENT for name in duties):
        raise InvalidRequest("At most 100 intents may go to a person at once.", param="duties")
    if wrong := sorted(set(duties.values()) - set(REASONS)):
        raise InvalidRequest(
            "A reason is human, fraud or complaint, and not %(reason)s.", values={"reason": wrong[0]}, param="duties"
        )


def _check_writer(name: str) -> None:
    """Raises ModelNotFound; a model that follows no instructions cannot be told to cite."""
    if not registry.resolve(name).follows_instructions:
        raise InvalidRequest("This model follows no instructions: choose another one.", param="writer")


def is_in_plan(organization_id: UUID) -> bool:
    """Whether the organization's plan brings the bot."""
    return FEATURE in billing.limits_of(organization_id).features
