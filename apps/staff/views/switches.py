"""Feature switches: what each does, how it stands, and turning it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.accounts.models import Organization
from apps.core.errors import MillraceError
from apps.core.models import FeatureSwitch, SwitchScope
from apps.core.switches import SWITCHES
from apps.staff import services
from apps.staff.abilities import Ability, may
from apps.staff.admin.base import form_page, sent, staff_of
from apps.staff.services.acting import require
from apps.staff.site import site


class SwitchForm(forms.Form):
    """One row of a switch; `state` empty takes the row away."""

    scope = forms.ChoiceField(label=_("For"), widget=UnfoldAdminSelectWidget)
    organization = forms.CharField(
        label=_("Organization"),
        required=False,
        help_text=_("Its short name; only for one organization."),
        widget=UnfoldAdminTextInputWidget,
    )
    percentage = forms.IntegerField(
        label=_("Percentage"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=_("Only for a share of the organizations."),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("on", _("on")), ("off", _("off")), ("", _("as the code says (no row)"))],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, scopes: tuple[SwitchScope, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scope"].choices = [(scope.value, scope.label) for scope in scopes]  # type: ignore[attr-defined]

    def clean_organization(self) -> Any:
        slug = self.cleaned_data["organization"].strip()
        if not slug:
            return None
        found = Organization.objects.filter(slug=slug).first()
        if found is None:
            raise forms.ValidationError(gettext("There is no organization with this short name."))
        return found.pk

    @property
    def values(self) -> dict[str, Any]:
        data = self.cleaned_data
        on = {"on": True, "off": False}.get(data["state"])
        share = data["percentage"] if data["scope"] == SwitchScope.PERCENTAGE else None
        return {"on": on, "target": data["organization"], "percentage": 100 if share is None else share}


@site.page("switches/", "switches")
def switches(request: HttpRequest) -> HttpResponse:
    """Every switch of the code with its rows."""
    require(staff_of(request), Ability.READ)
    rows = list(FeatureSwitch.objects.order_by("name", "scope", "target"))
    names = Organization.objects.in_bulk([row.target for row in rows if row.target])
    shown = [
        {
            "name": name,
            "what": switch.what,
            "default": switch.default,
            "rows": [_said(row, names) for row in rows if row.name == name],
        }
        for name, switch in SWITCHES.items()
    ]
    context = site.each_context(request) | {
        "title": _("Feature switches"),
        "switches": shown,
        "may_operate": may(request.user, Ability.OPERATE),
    }
    return TemplateResponse(request, "staff/switches.html", context)


@site.page("switches/<slug:name>/", "switch")
def switch(request: HttpRequest, name: str) -> HttpResponse:
    """Turns one switch for a scope."""
    require(staff_of(request), Ability.OPERATE)
    if name not in SWITCHES:
        raise Http404
    form = SwitchForm(sent(request), scopes=SWITCHES[name].scopes)
    back = reverse("staff:switches")
    if request.method == "POST" and form.is_valid():
        try:
            services.set_switch(staff_of(request), name, form.cleaned_data["scope"], **form.values)
        except MillraceError as error:
            form.add_error(None, error.shown())
        else:
            messages.success(request, _("The switch is set; every process knows it within seconds."))
            return redirect(back)
    return form_page(request, form, title=_("Set switch"), subtitle=name, text=SWITCHES[name].what, back=back)


def _said(row: FeatureSwitch, names: dict[Any, Organization]) -> str:
    state = gettext("on") if row.on else gettext("off")
    match row.scope:
        case SwitchScope.ORGANIZATION:
            whom = names[row.target].name if row.target in names else gettext("an organization that is gone")
        case SwitchScope.PERCENTAGE:
            whom = gettext("%(percent)s %% of the organizations") % {"percent": row.percentage}
        case _:
            whom = gettext("everybody")
    return f"{whom}: {state}"
