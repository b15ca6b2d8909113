"""Organizations, people, who belongs where, and API keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.accounts import impersonation
from apps.accounts import services as accounts
from apps.accounts.models import ApiKey, Membership, Organization, User
from apps.billing.entitlements import month_of
from apps.billing.models import FREE_PLAN, Plan, Subscription, UsagePeriod
from apps.core.errors import MillraceError
from apps.staff import services
from apps.staff.admin.base import ReadOnlyAdmin, ReasonForm, form_page, sent, staff_of
from apps.staff.site import site


class PlanForm(ReasonForm):
    plan = forms.ModelChoiceField(
        Plan.objects.order_by("name"), to_field_name="code", label=_("Plan"), widget=UnfoldAdminSelectWidget
    )
    field_order = ("plan", "reason")

    def clean_plan(self) -> str:
        plan: Plan = self.cleaned_data["plan"]
        return plan.code


class Leaving(admin.SimpleListFilter):
    """Organizations whose deletion is pending, or has begun."""

    title = _("deletion")
    parameter_name = "deletion"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("none", _("not scheduled")), ("pending", _("scheduled")), ("begun", _("removal has begun"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "none":
                return queryset.filter(deletes_at__isnull=True)
            case "pending":
                return queryset.filter(deletes_at__isnull=False, removal_started_at__isnull=True)
            case "begun":
                return queryset.filter(removal_started_at__isnull=False)
        return queryset


@admin.register(Organization, site=site)
class OrganizationAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "plan", "members", "used_tokens", "state", "created_at")
    list_filter = (Leaving,)
    search_fields = ("name", "slug")
    search_help_text = _("Name or short name")
    ordering = ("-created_at",)
    fields = (
        "name", "slug", "id", "language", "plan", "members", "used_tokens", "held_tokens", "state_text", "created_at",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("change_plan",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With plan, members and this month's usage, each from a subquery: one query for any number of rows."""
        mine: dict[str, Any] = {"organization_id": OuterRef("pk")}
        members = Membership.objects.filter(**mine).order_by().values("organization_id").annotate(n=Count("pk"))
        month = UsagePeriod.objects.filter(**mine, month=month_of(timezone.now()))
        plan = Subscription.objects.filter(**mine).values("plan__name")[:1]
        free = Plan.objects.filter(code=FREE_PLAN).values("name")[:1]
        return (
            super()
            .get_queryset(request)
            .annotate(
                plan_name=Coalesce(Subquery(plan), Subquery(free)),
                member_count=Coalesce(Subquery(members.values("n")), 0),
                used=Coalesce(Subquery(month.values("used_tokens")[:1]), 0),
                held=Coalesce(Subquery(month.values("held_tokens")[:1]), 0),
            )
        )

    @display(description=_("plan"), ordering="plan_name")
    def plan(self, row: Any) -> str:
        return str(row.plan_name)

    @display(description=_("members"), ordering="member_count")
    def members(self, row: Any) -> str:
        return f"{row.member_count:,}"

    @display(description=_("tokens this month"), ordering="used")
    def used_tokens(self, row: Any) -> str:
        return f"{row.used:,}"

    @display(description=_("tokens held"))
    def held_tokens(self, row: Any) -> str:
        return f"{row.held:,}"

    @display(description=_("state"), label={"open": "success", "leaving": "warning", "going": "danger"})
    def state(self, row: Organization) -> tuple[str, str]:
        if row.removal_started_at:
            return "going", gettext("being removed")
        if row.deletes_at:
            return "leaving", gettext("deleted on %(day)s") % {"day": row.deletes_at.date().isoformat()}
        return "open", gettext("open")

    @display(description=_("state"))
    def state_text(self, row: Organization) -> str:
        return self.state(row)[1]

    @action(description=_("Change plan"), url_path="plan", permissions=["operate"], icon="sell")
    def change_plan(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            PlanForm(sent(request)),
            title=_("Change plan"),
            act=lambda plan, reason: services.change_plan(staff_of(request), row.pk, plan, reason),
            done=_("The plan has been changed."),
            text=_("It counts from the next request on. What has been used this month stays used."),
        )


@admin.register(User, site=site)
class PersonAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    ordering = ("-date_joined",)
    fields = ("email", "name", "id", "is_active", "is_staff", "is_superuser", "groups", "date_joined", "last_login")
    readonly_fields = fields
    actions_detail = ("disable", "enable", "reset_factors")

    @action(description=_("Shut account"), url_path="disable", permissions=["operate"], icon="block")
    def disable(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            ReasonForm(sent(request)),
            title=_("Shut account"),
            act=lambda reason: services.disable_person(staff_of(request), row.pk, reason),
            done=_("The account is shut, and its sessions have ended."),
            text=_("Nobody signs in with it any more, and its sessions end at once. API keys belong to organizations."),
        )

    @action(description=_("Open account again"), url_path="enable", permissions=["operate"], icon="check_circle")
    def enable(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            ReasonForm(sent(request)),
            title=_("Open account again"),
            act=lambda reason: services.enable_person(staff_of(request), row.pk, reason),
            done=_("The account is open again."),
        )

    @action(description=_("Remove second factors"), url_path="factors", permissions=["operate"], icon="lock_reset")
    def reset_factors(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            ReasonForm(sent(request)),
            title=_("Remove second factors"),
            act=lambda reason: services.reset_factors(staff_of(request), row.pk, reason),
            done=_("The second factors are gone; the password stays."),
            text=_("Only when you are certain who asks: afterwards the password alone opens the account."),
        )


@admin.register(Membership, site=site)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("person", "organization_name", "role_label", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "organization", "custom_role")
    search_fields = ("user__email", "organization__name", "organization__slug")
    ordering = ("-id",)
    fields = ("person", "organization_name", "role_label", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    @display(description=_("person"), ordering="user__email")
    def person(self, row: Membership) -> str:
        return row.user.email

    @display(description=_("organization"), ordering="organization__name")
    def organization_name(self, row: Membership) -> str:
        return row.organization.name

    @display(description=_("role"), ordering="role")
    def role_label(self, row: Membership) -> str:
        return str(row.role_name)

    actions_detail = ("act_as",)

    @action(description=_("Act as this member"), url_path="act", permissions=["impersonate"], icon="support_agent")
    def act_as(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begins a support session in this very session, and goes where members go."""
        row, form = self.found(request, object_id), ReasonForm(sent(request))
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            try:
                begun = services.begin_impersonation(staff_of(request), row.organization_id, row.pk, reason)
            except MillraceError as error:
                form.add_error(None, error.shown())
            else:
                if before := request.session.get(impersonation.SESSION_KEY):
                    accounts.end_impersonation(staff_of(request), UUID(before))
                request.session[impersonation.SESSION_KEY] = str(begun.pk)
                return redirect("dashboard")
        text = _("For at most half an hour, where the organization allows it. Its audit log shows every page you use.")
        title, back = _("Act as this member"), self.address_of(row)
        return form_page(request, form, title=title, subtitle=str(row.audit_name), text=text, back=back)


@admin.register(ApiKey, site=site)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "organization_name", "scope_list", "created_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("organization", "created_by")
    search_fields = ("name", "prefix", "organization__name", "organization__slug")
    ordering = ("-created_at",)
    fields = (
        "name", "prefix", "organization_name", "scope_list", "owner", "created_at", "last_used_at", "revoked_at",
    )  # fmt: skip
    readonly_fields = fields
    actions_detail = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).defer("digest")
        return rows.select_related(*self.list_select_related).annotate(owner_email=F("created_by__email"))

    @display(description=_("organization"), ordering="organization__name")
    def organization_name(self, row: ApiKey) -> str:
        return row.organization.name

    @display(description=_("scopes"))
    def scope_list(self, row: ApiKey) -> str:
        return ", ".join(row.scopes)

    @display(description=_("made by"))
    def owner(self, row: Any) -> str:
        return row.owner_email or "–"

    @action(description=_("Revoke"), url_path="revoke", permissions=["operate"], icon="key_off")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = self.found(request, object_id)
        return self.carry_out(
            request,
            row,
            forms.Form(sent(request)),
            title=_("Revoke the key"),
            act=lambda: services.revoke_api_key(staff_of(request), row.organization_id, row.pk),
            done=_("The key is revoked."),
            text=_("Programs that use it are refused at once. This cannot be taken back."),
        )
