"""Products and policies, and the files that a vendor builds into what it sells."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.access import organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.core.errors import NotFound
from apps.core.keyset import page_of
from apps.licensing import services as licensing
from apps.licensing.forms import PolicyForm, ProductForm
from apps.licensing.models import Policy, Product, Revocations, VerificationKey
from apps.licensing.services import MANAGE, READ


@require_http_methods(["GET", "POST"])
@organization_page
def products(request: HttpRequest) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    form = ProductForm(request.POST or None)
    if request.method == "POST":
        actor.require(MANAGE)
        if form.is_valid() and attempt(form, lambda: licensing.create_product(actor, **form.cleaned_data)):
            messages.success(request, _("The product has been created. Say under what terms it is licensed."))
            return redirect("licence-products")
    page = page_of(Product.objects.all(), request.GET.get("before"))
    policies: dict[UUID, list[Policy]] = {}
    for policy in Policy.objects.filter(product__in=[product.pk for product in page.rows]).order_by("name"):
        policies.setdefault(policy.product_id, []).append(policy)
    context = {
        "form": form,
        "page": page,
        "entries": [(product, policies.get(product.pk, [])) for product in page.rows],
        "keys": VerificationKey.objects.order_by("-created_at"),
        "may_manage": MANAGE in actor.permissions,
        "revocations": Revocations.objects.exclude(file="").first(),
    }
    return render(request, "licensing/products.html", context, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def new_policy(request: HttpRequest, product: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    found = licensing.get_product(actor, product, MANAGE)
    form = PolicyForm(request.POST or None)
    if form.is_valid() and attempt(
        form,
        lambda: licensing.create_policy(
            actor, product, form.cleaned_data["name"], form.grant(), form.sale(), form.cleaned_data["days"]
        ),
    ):
        messages.success(request, _("The policy has been created."))
        return redirect("licence-products")
    return render(request, "licensing/policy.html", {"form": form, "product": found}, status=first_errors([form]))


@require_http_methods(["GET", "POST"])
@organization_page
def policy(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    found = licensing.get_policy(actor, id, MANAGE)
    form = PolicyForm(request.POST or None, initial=PolicyForm.values_of(found))
    if form.is_valid() and attempt(form, lambda: licensing.change_policy(actor, id, form.wanted())):
        messages.success(request, _("The policy has been changed; licences issued before stay as they are."))
        return redirect("licence-products")
    context = {"form": form, "product": found.product, "policy": found}
    return render(request, "licensing/policy.html", context, status=first_errors([form]))


@require_GET
@organization_page
def anchors(request: HttpRequest) -> HttpResponse:
    """The public keys, as a file for the vendor's build."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    return as_file(licensing.anchors_of(actor.organization_id), "anchors.json", "application/json")


@require_GET
@organization_page
def revocations(request: HttpRequest) -> HttpResponse:
    request.actor.require(READ)  # type: ignore[attr-defined]
    row = Revocations.objects.exclude(file="").first()
    if row is None:
        raise NotFound(_("No licence has been revoked yet."))
    return as_file(row.file.encode(), f"revocations-{row.signed_sequence}.crl")


def as_file(data: bytes, name: str, content_type: str = "application/octet-stream") -> HttpResponse:
    """A file to be saved; `name` is plain ASCII."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return HttpResponse(data, content_type=content_type, headers=headers)
