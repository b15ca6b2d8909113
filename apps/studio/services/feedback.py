"""What people and programs think of texts: thumbs with reasons, and favourites."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, FilteredRelation, Q
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.core.ids import uuid7
from apps.studio.models import Favourite, Feedback, Generation

LONGEST_COMMENT = 2_000
GOOD_REASONS: dict[str, Promise] = {
    "accurate": _("Correct"),
    "well_written": _("Well written"),
    "right_tone": _("Right tone"),
    "follows_brief": _("Does what was asked"),
}
BAD_REASONS: dict[str, Promise] = {
    "inaccurate": _("Wrong facts"),
    "badly_written": _("Badly written"),
    "wrong_tone": _("Wrong tone"),
    "ignores_brief": _("Not what was asked"),
    "too_long": _("Too long"),
    "too_short": _("Too short"),
    "repetitive": _("Repeats itself"),
    "unsafe": _("Harmful or unfit"),
}
REASONS = GOOD_REASONS | BAD_REASONS


def give_feedback(
    actor: Actor, generation_id: UUID, rating: int, reasons: Iterable[str] = (), comment: str = ""
) -> Feedback:
    """One opinion for each person and each key: who gives another has changed their mind."""
    actor.require("generations:write")
    if rating not in (Feedback.UP, Feedback.DOWN):
        raise InvalidRequest("A rating is 1 or -1.", param="rating")
    chosen = checked_reasons(reasons)
    comment = checked_comment(comment)
    with tenancy.scope(actor.organization_id):
        _require_generation(generation_id)
        feedback: Feedback
        feedback, _new = Feedback.objects.update_or_create(
            generation_id=generation_id,
            **author_of(actor),
            defaults={"rating": rating, "reasons": chosen, "comment": comment, "changed_at": Now()},
            create_defaults={
                "organization_id": actor.organization_id,
                "rating": rating,
                "reasons": chosen,
                "comment": comment,
            },
        )
        feedback.refresh_from_db()
    return feedback


def withdraw_feedback(actor: Actor, generation_id: UUID) -> None:
    actor.require("generations:write")
    with tenancy.scope(actor.organization_id):
        _require_generation(generation_id)
        Feedback.objects.filter(generation_id=generation_id, **author_of(actor)).delete()


def set_favourite(actor: Actor, generation_id: UUID, favourite: bool) -> None:
    """Favourites are a person's own; a program has none."""
    actor.require("generations:write")
    if actor.user_id is None:
        raise InvalidRequest("Only people have favourites.")
    with tenancy.scope(actor.organization_id):
        _require_generation(generation_id)
        if not favourite:
            Favourite.objects.filter(generation_id=generation_id, user_id=actor.user_id).delete()
            return
        # Twice at the same time is once.
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {Favourite._meta.db_table} (id, organization_id, generation_id, user_id)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                [uuid7(), actor.organization_id, generation_id, actor.user_id],
            )


def opinion(actor: Actor, generation_id: UUID) -> Feedback | None:
    """What the actor has said of a text."""
    actor.require("generations:read")
    with tenancy.scope(actor.organization_id):
        found: Feedback | None = Feedback.objects.filter(generation_id=generation_id, **author_of(actor)).first()
    return found


def with_opinions(rows: Any, actor: Actor, path: str = "") -> Any:
    """Rows with what the actor thinks of each text, read with them; `path` leads from a row to its generation."""
    own = {f"{path}feedback__{name}": value for name, value in author_of(actor).items()}
    return rows.annotate(
        said=FilteredRelation(f"{path}feedback", condition=Q(**own)),
        starred=FilteredRelation(f"{path}favourites", condition=Q(**{f"{path}favourites__user_id": actor.user_id})),
        said_rating=F("said__rating"),
        said_reasons=F("said__reasons"),
        said_comment=F("said__comment"),
        star=F("starred__id"),
    )


def opinion_of(row: Any) -> dict[str, Any]:
    """What stands in such a row, as pages show it."""
    said = {"rating": row.said_rating, "reasons": row.said_reasons, "comment": row.said_comment}
    return {"favourite": row.star is not None, "feedback": said if row.said_rating is not None else None}


def opinion_on(actor: Actor, generation: Generation) -> dict[str, Any]:
    """The same for one text, asked for where it was not read with it."""
    if hasattr(generation, "star"):
        return opinion_of(generation)
    with tenancy.reading(actor.organization_id):
        return opinion_of(with_opinions(Generation.objects.filter(pk=generation.pk), actor).get())


def author_of(actor: Actor) -> dict[str, UUID | None]:
    """By what a person's opinion is told from another's, and a key's."""
    return {"api_key_id": actor.api_key_id} if actor.api_key_id else {"created_by_id": actor.user_id}


def checked_reasons(reasons: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(reasons))
    unknown = [reason for reason in chosen if reason not in REASONS]
    if unknown:
        raise InvalidRequest("Reasons are among: %(known)s.", values={"known": ", ".join(REASONS)}, param="reasons")
    return chosen


def checked_comment(comment: str) -> str:
    comment = comment.strip()
    if len(comment) > LONGEST_COMMENT or "\0" in comment:
        raise InvalidRequest(
            "A comment has at most %(most)s characters.", values={"most": LONGEST_COMMENT}, param="comment"
        )
    return comment


def require_generation(actor: Actor, id: UUID) -> None:
    """NotFound unless it is one of the actor's organization."""
    actor.require("generations:read")
    with tenancy.scope(actor.organization_id):
        _require_generation(id)


def _require_generation(id: UUID) -> None:
    if not Generation.objects.of_studio().filter(pk=id).exists():
        raise NotFound("There is no generation with this id.")
