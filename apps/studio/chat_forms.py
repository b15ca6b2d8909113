"""What a conversation is set up with: the model, what it is told beforehand, and how it samples."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.knowledge.services.searching import LONGEST_QUERY
from apps.studio.forms import GenerationForm
from apps.studio.models import Conversation
from apps.studio.services.conversations import ChatSettings
from apps.studio.services.conversations.changing import LONGEST_SYSTEM, MOST_COLLECTIONS
from ml.types import SamplingParams

_FIELDS = GenerationForm.base_fields


class ChatForm(forms.Form):
    model = _FIELDS["model"]
    system = forms.CharField(
        label=_("System prompt"),
        required=False,
        max_length=LONGEST_SYSTEM,
        help_text=_("What the model is told before the first message."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    collections = forms.TypedMultipleChoiceField(
        label=_("Answer from"),
        required=False,
        coerce=UUID,
        help_text=_("Collections of the knowledge base. Answers cite the passages that they rest on."),
        widget=forms.CheckboxSelectMultiple,
    )
    max_tokens = _FIELDS["max_tokens"]
    temperature = _FIELDS["temperature"]
    top_p = _FIELDS["top_p"]
    top_k = _FIELDS["top_k"]
    repetition_penalty = _FIELDS["repetition_penalty"]
    seed = _FIELDS["seed"]
    stop = _FIELDS["stop"]

    NUMBERS = ("max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed")

    def __init__(
        self,
        *args: Any,
        models: list[tuple[str, Any]],
        collections: list[tuple[UUID, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["collections"].choices = list(collections or [])  # type: ignore[attr-defined]
        self.fields["model"].choices = [  # type: ignore[attr-defined]
            (name, name if name == version.name else f"{name} ({version.name})") for name, version in models
        ]
        for name in ("temperature", "top_p", "repetition_penalty"):
            self.fields[name].widget.attrs |= {"step": "any", "inputmode": "decimal"}

    clean_stop = GenerationForm.clean_stop

    @property
    def numbers(self) -> list[forms.BoundField]:
        return [self[name] for name in self.NUMBERS]

    def settings(self, before: Conversation | None = None) -> ChatSettings:
        """What the valid form says; of `before`, collections that this person is not shown stay."""
        data = self.cleaned_data
        shown = {id for id, _name in self.fields["collections"].choices}  # type: ignore[attr-defined]
        hidden = [id for id in before.collections if id not in shown] if before else []
        return ChatSettings(
            model_name=data["model"],
            system=data["system"],
            max_tokens=data["max_tokens"],
            sampling=SamplingParams(
                temperature=data["temperature"],
                top_p=data["top_p"],
                top_k=data["top_k"],
                repetition_penalty=data["repetition_penalty"],
                seed=data["seed"],
                stop=tuple(data["stop"]),
            ),
            collections=(*data["collections"], *hidden),
        )


class AskForm(forms.Form):
    """A question to some collections, or to all: whoever names none means them all."""

    text = forms.CharField(
        label=_("Question"), max_length=LONGEST_QUERY, widget=forms.Textarea(attrs={"rows": 3, "autofocus": True})
    )
    collections = forms.TypedMultipleChoiceField(
        label=_("Answer from"),
        coerce=UUID,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one collection.")},
    )

    def __init__(self, *args: Any, collections: list[tuple[UUID, str]], chosen: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["collections"]
        field.choices = collections  # type: ignore[attr-defined]
        known = [str(id) for id, _name in collections[:MOST_COLLECTIONS]]
        field.initial = [id for id in chosen if id in known] or known


def initial_of(conversation: Conversation) -> dict[str, Any]:
    names = ("system", "collections", "max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed")
    own = {name: getattr(conversation, name) for name in names}
    return own | {
        "model": conversation.model_name,
        "stop": "\n".join(conversation.stop),
        "collections": conversation.collections,
    }
