"""Forms of the pages of bulk runs."""

from __future__ import annotations

import contextlib
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.core.errors import MillraceError
from apps.registry import services as registry
from apps.studio.models import PRODUCTION, BulkRun, TemplateLabel, TemplateVersion
from apps.studio.requests import DEFAULT_MAX_TOKENS
from apps.studio.services import templates
from apps.studio.services.bulk import Draft
from apps.studio.services.bulk.drafts import LONGEST_PROMPT
from ml.types import SamplingParams

MOST_TEMPLATES = 200


def template_choices(actor: Actor, chosen: str = "") -> list[tuple[str, str]]:
    """The templates that the actor finds: what is in production, or else the draft; and what is chosen already."""
    return _choices(actor, chosen)[0]


def _choices(
    actor: Actor, chosen: str, kept: TemplateVersion | None = None
) -> tuple[list[tuple[str, str]], TemplateVersion | None]:
    """The same, and the version that `chosen` means where that came out on the way: `kept` if it means that still."""
    if "templates:read" not in actor.permissions:
        return [], None
    ready = TemplateLabel.objects.filter(name=PRODUCTION, template=OuterRef("pk")).values("version")
    rows = templates.seen_by(actor).in_use().annotate(ready=Subquery(ready)).order_by("name", "id")
    found: list[tuple[str, str]] = []
    meant: TemplateVersion | None = None
    for row in rows[:MOST_TEMPLATES]:
        reference = row.slug if row.ready else f"{row.slug}@draft"
        found.append((reference, row.name if row.ready else f"{row.name} ({_('draft')})"))
        if reference == chosen and kept is not None and kept.template_id == row.pk:
            meant = kept if kept.pk == row.ready or (not row.ready and kept.number == row.latest) else None
    if chosen and chosen not in dict(found):
        with contextlib.suppress(MillraceError):
            meant = templates.version_of(actor, chosen)
            found.append((chosen, f"{meant.template.name} ({chosen})"))
    return found, meant


class BulkFileForm(forms.Form):
    file = forms.FileField(
        label=_("Table"),
        help_text=_("CSV, XLSX (the first sheet) or JSON lines. The first row names the columns."),
        widget=forms.FileInput({"class": "input", "accept": ".csv,.tsv,.txt,.xlsx,.jsonl,.ndjson"}),
    )

    def clean_file(self) -> Any:
        found = self.cleaned_data["file"]
        if found.size > settings.BULK_MAX_FILE_BYTES:
            most = settings.BULK_MAX_FILE_BYTES // 1_048_576
            raise forms.ValidationError(_("A table has at most %(most)s MiB."), params={"most": most})
        return found


class BulkDraftForm(forms.Form):
    """What to ask. With a template its variables are fields as well: each says which column fills it."""

    template = forms.ChoiceField(label=_("Template"), required=False)
    prompt = forms.CharField(
        label=_("What to ask about each row"),
        max_length=LONGEST_PROMPT,
        required=False,
        help_text=_("Only without a template."),
        widget=forms.Textarea({"rows": 6, "class": "textarea-tall"}),
    )
    model = forms.ChoiceField(label=_("Model"))
    max_tokens = forms.IntegerField(
        label=_("Most tokens a row"), min_value=1, max_value=1_000_000, initial=DEFAULT_MAX_TOKENS
    )
    temperature = forms.FloatField(
        label=_("Temperature"), min_value=0, max_value=2, initial=SamplingParams().temperature
    )

    def __init__(self, *args: Any, run: BulkRun, actor: Actor, **kwargs: Any) -> None:
        first = run.columns[0] if run.columns else ""
        initial = {
            "template": run.template,
            "prompt": run.prompt or ("" if run.template else _("Write a product description for {{ %s }}.") % first),
            "model": run.model_name,
            "max_tokens": run.max_tokens,
            "temperature": run.sampling.get("temperature", SamplingParams().temperature),
        }
        super().__init__(*args, **{"initial": initial, **kwargs})
        self.run = run
        self.models = registry.available()
        chosen: Any = self.fields
        chosen["model"].choices = [
            (name, name if name == version.name else f"{name} ({version.name})") for name, version in self.models
        ]
        self.fields["temperature"].widget.attrs |= {"step": "any", "inputmode": "decimal"}
        found, meant = _choices(actor, run.template, run.template_version)
        chosen["template"].choices = [("", _("None: the prompt below")), *found]
        self.places: list[str] = []
        template = str(self["template"].value() or "")
        if template and template in dict(chosen["template"].choices):
            known = meant if template == run.template else None
            self._add_places(known or templates.version_of(actor, template), run)

    def _add_places(self, version: TemplateVersion, run: BulkRun) -> None:
        """A choice of columns for each variable; one of the same name is taken until somebody says otherwise."""
        by_name = {column.strip().lower().replace(" ", "_"): column for column in run.columns}
        for variable in version.fields:
            field = forms.ChoiceField(
                label=variable.shown,
                required=variable.required,
                choices=[("", "–"), *((column, column) for column in run.columns)],
                initial=run.mapping.get(variable.name) or by_name.get(variable.name, ""),
                help_text=variable.help,
            )
            self.fields[f"column_{variable.name}"] = field
            self.places.append(variable.name)

    @property
    def place_fields(self) -> list[forms.BoundField]:
        return [self[f"column_{name}"] for name in self.places]

    @property
    def setting_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("model", "max_tokens", "temperature")]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not data.get("template") and not (data.get("prompt") or "").strip():
            self.add_error("prompt", _("Say what to write, or choose a template."))
        return data

    def draft(self) -> Draft:
        values = self.cleaned_data
        return Draft(
            prompt="" if values["template"] else values["prompt"],
            template=values["template"],
            mapping={name: values[f"column_{name}"] for name in self.places if values.get(f"column_{name}")},
            model=values["model"],
            max_tokens=values["max_tokens"],
            # What only the API sets stays.
            sampling={**self.run.sampling, "temperature": values["temperature"]},
        )
