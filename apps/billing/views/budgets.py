"""Budgets: the list, and one to change or remove."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.billing import services as billing
from apps.billing.budgets import states_of
from apps.billing.forms import AmountForm, BudgetForm
from apps.billing.models import Budget
from apps.billing.services.budgets import MANAGE
from apps.core.keyset import page_of


@require_http_methods(["GET", "POST"])
@organization_page
def budgets(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    form = BudgetForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: billing.create_budget(actor, form.owner(), form.cleaned_data["monthly_tokens"])
    ):
        messages.success(request, _("The budget has been set."))
        return redirect("budgets")
    page = page_of(Budget.objects.for_pages(), request.GET.get("before"))
    context = {"form": form, "page": page, "states": states_of(page.rows)}
    return render(request, "billing/budgets.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def budget(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    found = billing.get_budget(actor, id)
    form = AmountForm(request.POST or None, initial={"monthly_tokens": found.monthly_tokens})
    if form.is_valid() and attempt(form, lambda: billing.change_budget(actor, id, form.cleaned_data["monthly_tokens"])):
        messages.success(request, _("The budget has been changed."))
        return redirect("budgets")
    [state] = states_of([found])
    return render(request, "billing/budget.html", {"form": form, "state": state}, status=first_errors([form]))


@require_POST
@organization_page
def budget_delete(request: HttpRequest, id: UUID) -> HttpResponse:
    billing.remove_budget(request.actor, id)  # type: ignore[attr-defined]
    messages.success(request, _("The budget has been removed."))
    return redirect("budgets")
