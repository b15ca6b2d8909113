"""What all lists of the console share: they read, and nothing is written but by an act that calls a service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.accounts.sudo import require_recent
from apps.core.errors import MillraceError
from apps.staff.abilities import Ability, may
from apps.staff.site import site


class ReadOnlyAdmin(ModelAdmin):
    """A list and a page for each row, for whoever may read; what can be done stands in `actions_detail`.

    What is about no row stands in `actions_list`.
    `per_page` rows are read in the same few queries, however many there are: what columns show is joined or annotated.
    """

    actions: Any = None
    list_per_page = 50
    show_full_result_count = False
    show_facets = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request.user, Ability.READ)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Ability.READ)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Ability.OPERATE)

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Ability.RETRY)

    def has_impersonate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, Ability.IMPERSONATE)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """The list, a row, and the acts: no page of Django's that would write or show Django's own history."""
        meta, wrap = self.model._meta, self.admin_site.admin_view
        stem = f"{meta.app_label}_{meta.model_name}"
        acts = [
            path(f"<path:object_id>/{act.path}/", wrap(act.method), name=act.action_name)
            for act in self._get_base_actions_detail()
        ]
        acts += [path(f"{act.path}/", wrap(act.method), name=act.action_name) for act in self._get_base_actions_list()]
        return [
            path("", wrap(self.changelist_view), name=f"{stem}_changelist"),
            *acts,
            path("<path:object_id>/change/", wrap(self.change_view), name=f"{stem}_change"),
        ]

    def found(self, request: HttpRequest, object_id: str) -> Any:
        """The row that an act is about, or the same 404 as for a page that does not exist."""
        try:
            row = self.get_object(request, object_id)
        except (ValueError, ValidationError):
            row = None
        if row is None:
            raise Http404
        return row

    def address_of(self, row: Any) -> str:
        meta = self.model._meta
        return reverse(f"{self.admin_site.name}:{meta.app_label}_{meta.model_name}_change", args=[row.pk])

    def carry_out(
        self,
        request: HttpRequest,
        row: Any,
        form: forms.Form,
        *,
        title: Any,
        act: Callable[..., Any],
        done: Any,
        text: Any = "",
    ) -> HttpResponse:
        """Shows an act's form; a POST that it accepts calls `act` with the form's values and comes back to the row.

        Whoever signed in long ago proves first who they are, and the act then goes on.
        """
        if request.method == "POST" and form.is_valid():
            require_recent(request)
            try:
                act(**form.cleaned_data)
            except MillraceError as error:
                form.add_error(None, error.shown())
            else:
                messages.success(request, done)
                return redirect(self.address_of(row))
        return form_page(request, form, title=title, subtitle=str(row), text=text, back=self.address_of(row))


class ReasonForm(forms.Form):
    """Why: it is written into the audit log of whomever it concerns."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        min_length=5,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )


def form_page(
    request: HttpRequest, form: forms.Form, *, title: Any, back: str, subtitle: str = "", text: Any = ""
) -> HttpResponse:
    """A page of the console with one form."""
    context = site.each_context(request) | {
        "title": title,
        "subtitle": subtitle,
        "form": form,
        "text": text,
        "back": back,
    }
    return TemplateResponse(request, "staff/form.html", context, status=422 if form.errors else 200)


def sent(request: HttpRequest) -> Any:
    """What a form was sent with, also when that is nothing; None for a page that is only looked at."""
    return request.POST if request.method == "POST" else None


def staff_of(request: HttpRequest) -> Any:
    """The member of staff; the door has seen to it that it is one."""
    return request.user
