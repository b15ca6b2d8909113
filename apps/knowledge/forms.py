"""Forms of the knowledge pages."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from apps.knowledge.services.collections import LONGEST_DESCRIPTION, LONGEST_NAME
from apps.knowledge.services.sources import LONGEST_TEXT, LONGEST_TITLE
from ml.text.extraction.detection import SUFFIXES

MOST_FILES, MOST_COLLECTIONS = 50, 100


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files at once; the value is always a list."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> Any:
        given = data if isinstance(data, list | tuple) else [data]
        if len(given) > MOST_FILES:
            raise forms.ValidationError(_("Choose at most %(most)s files at a time.") % {"most": MOST_FILES})
        # Empty files are a reason of the service's, told with the file's name.
        return [super(FilesField, self).clean(each, initial) for each in given]


class CollectionForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    description = forms.CharField(label=_("What is in it"), max_length=LONGEST_DESCRIPTION, required=False)


class FilesForm(forms.Form):
    files = FilesField(  # type: ignore[assignment]
        label=_("Files"),
        allow_empty_file=True,
        max_length=None,
        widget=ManyFiles({"class": "input", "accept": ",".join(SUFFIXES), "multiple": True}),
        help_text=_("TXT, MD, HTML, DOCX or PDF; several at a time."),
    )


class FileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,
        widget=forms.FileInput({"class": "input", "accept": ",".join(SUFFIXES)}),
    )


class TextForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=LONGEST_TITLE)
    text = forms.CharField(
        label=_("Text"),
        max_length=LONGEST_TEXT,
        strip=False,
        help_text=_("Markdown: headings become the places that are cited."),
        widget=forms.Textarea({"rows": 8}),
    )


class UrlForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("A public https address; the page is fetched once, and again when you ask for it."),
        widget=forms.URLInput({"class": "input", "placeholder": "https://"}),
    )


class SearchForm(forms.Form):
    """What the address of a search holds; what is odd in it is passed over."""

    q = forms.CharField(max_length=2000, required=False)


def asked(data: QueryDict) -> tuple[str, list[UUID]]:
    """The question and the collections of a search's address; what is no id names none."""
    form = SearchForm(data)
    form.is_valid()
    chosen: list[UUID] = []
    for text in data.getlist("collection")[:MOST_COLLECTIONS]:
        with contextlib.suppress(ValueError):
            chosen.append(UUID(text))
    return form.cleaned_data.get("q", ""), chosen
