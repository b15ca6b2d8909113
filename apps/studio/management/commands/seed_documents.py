"""A few documents for the demo organization, so that nobody who tries the product meets an empty page."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.accounts.access import Actor, actor_of_membership, memberships_of
from apps.accounts.models import User
from apps.core import tenancy
from apps.studio.models import Document
from apps.studio.services import documents

OWNER = "owner@acme.example"
LAUNCH = """# Harbor Pour-over Kettle: launch plan

The kettle goes on sale in **spring**. This page says who writes what, and by when.

## What we promise

- a gooseneck spout that pours exactly where you want it
- the right heat within three minutes
- a guarantee of **ten years**

> “It is the first kettle that I do not have to watch.” A tester, after two weeks

## Texts

| Text | Where | Length |
| --- | --- | ---: |
| Product description | Shop page | 120 words |
| E-mail to customers | Newsletter | 80 words |
| Short posts | Three networks | 30 words |

1. First drafts come from the studio.
2. Marketing edits them here.
3. The shop takes them over as HTML.
"""
GUIDE = """# How we write

Say what the thing does before you say how good it is.

1. **Short sentences.** One thought in each.
2. **Plain words.** “Use”, not “utilise”.
3. **Proof.** A number, a guarantee or a person who says so.

## Never

- exclamation marks in headings
- “revolutionary”, “unique”, “best in class”
"""
CHINESE = """# 手冲壶中文介绍

海港手冲壶适合每天冲咖啡的人：**鹅颈壶嘴**让水流稳定，三分钟即可达到合适的温度。

## 要点

- 十年质保
- 不锈钢壶身，重量仅九百克
- 支持六档温度
"""


class Command(BaseCommand):
    help = "Writes the demo organization's documents, once."

    def handle(self, *args: Any, **options: Any) -> None:
        owner = User.objects.filter(email=OWNER).first()
        membership = next(iter(memberships_of(owner)), None) if owner else None
        if owner is None or membership is None:
            return
        actor = actor_of_membership(membership, owner)
        with tenancy.scope(actor.organization_id):
            if not Document.objects.exists():
                self._write(actor)

    def _write(self, actor: Actor) -> None:
        folder = documents.create_folder(actor, "Kettle launch")
        inside = documents.create_folder(actor, "Drafts", folder.pk)
        plan = documents.create(actor, "Kettle launch plan", LAUNCH.replace("spring", "March"), folder.pk)
        documents.name_version(actor, plan.pk, 1, "Before the meeting")
        documents.save(actor, plan.pk, 1, LAUNCH)
        documents.set_tags(actor, plan.pk, ["launch", "kettle"])
        quote = "the right heat within three minutes"
        start = LAUNCH.index(quote)
        selection = documents.Selection(2, start, start + len(quote), quote)
        documents.comment(actor, plan.pk, selection, "Measured with one litre at room temperature?")
        documents.create(actor, "How we write", GUIDE, tags=["guide"])
        documents.create(actor, "手冲壶介绍", CHINESE, inside.pk, tags=["kettle", "中文"])
