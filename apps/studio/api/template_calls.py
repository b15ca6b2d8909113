"""Templates that a request for a text names in the place of its words, the same for REST and OpenAI's clients."""

from __future__ import annotations

from typing import Any

from apps.accounts.access import Actor
from apps.core.fields import Text
from apps.studio.api.fields import SamplingFields
from apps.studio.api.template_bodies import LONGEST_SLUG, RenderTemplate, reference_to
from apps.studio.requests import GenerationSpec
from apps.studio.services import templates


class TemplateCall(RenderTemplate):
    """Which template, which of its versions, and what its variables are filled in with."""

    slug = Text(max_length=LONGEST_SLUG)


class TemplatedFields(SamplingFields):
    """A request that may name a template; what it says of sampling goes before what the template says."""

    template = TemplateCall(required=False, allow_null=True, help_text="In place of the words to send.")

    def spec(self) -> GenerationSpec:
        """What the valid body asks for, where it names no template."""
        raise NotImplementedError

    def spec_for(self, actor: Actor) -> GenerationSpec:
        """The same in any case; raises what `templates.render` raises, so call it outside of transactions."""
        call: dict[str, Any] | None = self.validated_data.get("template")
        if call is None:
            return self.spec()
        made = templates.render(actor, reference_to(call["slug"], call), call.get("variables", {}), call.get("voice"))
        return made.spec(**self.changes())

    @property
    def most_tokens(self) -> int | None:
        most: int | None = self.validated_data.get("max_tokens")
        return most

    def changes(self) -> dict[str, Any]:
        """What the request says itself."""
        values = self.validated_data
        own = {name: values[name] for name in ("model", "deadline_seconds") if name in values}
        return own | self.given_sampling() | ({"max_tokens": self.most_tokens} if self.most_tokens else {})
