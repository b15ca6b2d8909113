"""Those who answer: members, their teams, and bots."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import Membership, Role, Team
from apps.support.models import Agent, AgentBot, Availability, Message, Numbered
from apps.support.services.messages import author_name
from apps.support.services.numbers import Numbers

ADMINISTRATORS = frozenset({Role.OWNER, Role.ADMIN})


def name_of(member: Membership) -> str:
    return str(member.user.name or member.user.email.partition("@")[0])


def agent_body(member: Membership, numbers: Numbers, agent: Agent | None = None, *, email: bool) -> dict[str, Any]:
    """A member who answers; their address is for those who may see the organization's members."""
    name = name_of(member)
    return {
        "id": numbers(Numbered.USER, member.user_id),
        "account_id": numbers.account,
        "availability_status": str(agent.availability if agent else Availability.OFFLINE),
        "auto_offline": True,
        "confirmed": True,
        "email": member.user.email if email else "",
        "available_name": name,
        "name": name,
        "role": "administrator" if member.role in ADMINISTRATORS else "agent",
        "thumbnail": "",
    }


def person_body(member: Membership, numbers: Numbers) -> dict[str, Any]:
    """The same in what is told of conversations."""
    name = name_of(member)
    found = {"id": numbers(Numbered.USER, member.user_id), "name": name, "available_name": name}
    return found | {"avatar_url": "", "thumbnail": "", "type": "user"}


def team_body(team: Team, numbers: Numbers, *, mine: bool = False) -> dict[str, Any]:
    return {
        "id": numbers(Numbered.TEAM, team.pk),
        "name": team.name,
        "description": team.description,
        "allow_auto_assign": True,
        "account_id": numbers.account,
        "is_member": mine,
    }


def bot_body(bot: AgentBot, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": numbers(Numbered.BOT, bot.pk),
        "name": bot.name,
        "description": "",
        "thumbnail": "",
        "outgoing_url": bot.url,
        "bot_type": "webhook",
        "bot_config": {},
        "account_id": numbers.account,
        "system_bot": False,
    }


def agent_or_bot(message: Message, bot: AgentBot | None, numbers: Numbers) -> dict[str, Any]:
    """Who has said something for the organization; 0 is a program that has no number."""
    name = author_name(message)
    if message.user_id is not None:
        return {"id": numbers(Numbered.USER, message.user_id), "name": name, "type": "user"}
    if bot is not None and bot.name == message.details.get("by"):
        return {"id": numbers(Numbered.BOT, bot.pk), "name": name, "type": "agent_bot"}
    return {"id": 0, "name": name, "type": "user" if message.author == "agent" else "agent_bot"}
