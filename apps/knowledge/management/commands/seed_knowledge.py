"""A collection for the demo organization, so that nobody who tries the product meets an empty page."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.accounts.access import Actor, actor_of_membership, memberships_of
from apps.accounts.models import User
from apps.core import tenancy
from apps.knowledge import services as knowledge
from apps.knowledge.models import Collection

OWNER = "owner@acme.example"
COLLECTION = ("Shop handbook", "What customers ask about: returns, delivery and care.")
TEXTS = {
    "Returns and refunds": """# Returns and refunds

## How long

Customers may return anything unused within 30 days of delivery. During December the period is 60 days.

## Who pays the postage

We pay for returns within the country. From abroad the customer pays, unless the article is faulty.

## When the money is back

A refund is made to the same card within five working days of the parcel's arrival.
""",
    "Delivery": """# Delivery

Orders placed before 14:00 leave the same day. Delivery takes two working days within the country and five to seven
abroad.

## Lost parcels

A parcel that has not moved for ten days counts as lost. Send another one and tell the carrier; the customer does not
wait for the carrier's answer.
""",
    "Care of waxed canvas": """# Care of waxed canvas

Brush off dry dirt and wipe with cold water. Never use soap, never machine-wash: both take the wax out.

## Waxing again

Once a year, or when water no longer beads, warm the wax in the hands and rub it in evenly, then leave the article in a
warm room for a night.
""",
    "常见问题": """# 常见问题

## 退货

收到商品后三十天内可以退货，国内退货邮费由我们承担。

## 配送

下午两点前的订单当天发货，国内两个工作日送达。
""",
}


class Command(BaseCommand):
    help = "Adds a collection of documents to the demo organization, unless it has one; a worker reads them."

    def handle(self, *args: Any, **options: Any) -> None:
        actor = _owner()
        if actor is None:
            return
        with tenancy.scope(actor.organization_id):
            if Collection.objects.exists():
                return
        collection = knowledge.create_collection(actor, *COLLECTION)
        for title, text in TEXTS.items():
            knowledge.add_text(actor, collection.pk, title, text)


def _owner() -> Actor | None:
    user = User.objects.filter(email=OWNER).first()
    membership = next(iter(memberships_of(user)), None) if user else None
    return actor_of_membership(membership, user) if membership and user else None
