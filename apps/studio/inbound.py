"""A call from outside that has a text written with a template."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.billing import services as billing
from apps.core import tenancy
from apps.core.inbound import MANY, Action, Call, Input
from apps.studio import services as studio
from apps.studio import throttle
from apps.studio.models import Generation
from apps.studio.services import templates
from apps.webhooks.services import callbacks


def _generate(call: Call) -> None:
    actor = call.actor
    variables = {name.removeprefix(f"{MANY}."): each for name, each in call.inputs.items() if name.startswith(MANY)}
    voice = call.inputs.get("voice")
    rendered = templates.render(actor, str(call.inputs["template"]), variables, str(voice) if voice else None)
    limits = billing.limits_of(actor.organization_id)
    throttle.charge(actor, limits, requests=1, tokens=0)
    prepared = studio.prepare(actor, rendered.spec(), limits)

    def accept() -> Generation:
        with tenancy.scope(actor.organization_id):
            generation = studio.accept(prepared)
            wanted: dict[str, Any] = {name: call.inputs[name] for name in ("callback_url",) if name in call.inputs}
            callbacks.register(actor, generation.pk, wanted)
            call.finish(generation.pk)
        return generation

    throttle.accept_within(prepared, accept, lambda _accepted: True)


ACTIONS = (
    Action(
        "template_run",
        _("Write with a template"),
        "generations:write",
        (
            Input("template", _("Template"), required=True),
            Input("voice", _("Brand voice")),
            Input("callback_url", _("Where the result is sent")),
        ),
        _generate,
        takes_variables=True,
    ),
)
