"""Addresses of usage and budgets."""

from django.urls import path

from apps.billing import views
from apps.billing.api import budgets, usage

urlpatterns = [
    path("settings/usage/", views.usage, name="usage"),
    path("settings/usage/ledger/", views.usage_ledger, name="usage-ledger"),
    path("settings/usage/export/", views.export_usage, name="usage-export"),
    path("settings/budgets/", views.budgets, name="budgets"),
    path("settings/budgets/<uuid:id>/", views.budget, name="budget"),
    path("settings/budgets/<uuid:id>/delete/", views.budget_delete, name="budget-delete"),
    path("api/v1/usage", usage.UsageView.as_view(), name="api-usage"),
    path("api/v1/usage/breakdown", usage.BreakdownView.as_view(), name="api-usage-breakdown"),
    path("api/v1/budgets", budgets.BudgetsView.as_view(), name="api-budgets"),
    path("api/v1/budgets/<str:id>", budgets.BudgetView.as_view(), name="api-budget"),
]
