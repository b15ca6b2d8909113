"""Customers and their own pages at Stripe."""

from __future__ import annotations

from typing import Any

from apps.billing.gateway.client import stripe
from apps.billing.gateway.objects import Page


def create_customer(*, name: str, email: str, organization: str, key: str) -> str:
    """Returns the customer's id; the same key makes none twice."""
    with stripe(keyed=True) as client:
        found = client.v1.customers.create(
            {"name": name, "email": email, "metadata": {"organization": organization}}, {"idempotency_key": key}
        )
    return found.id


def change_customer(customer: str, *, name: str, email: str, country: str, key: str) -> None:
    params: Any = {"name": name, "email": email}
    if country:
        params["address"] = {"country": country}
    with stripe(keyed=True) as client:
        client.v1.customers.update(customer, params, {"idempotency_key": key})


def set_tax_id(customer: str, *, kind: str, value: str, key: str) -> str:
    """Puts one tax id in the place of those that the customer has; returns how its check stands."""
    with stripe() as client:
        before = list(client.v1.customers.tax_ids.list(customer).auto_paging_iter())
        made: Any = None
        if kind and value:
            made = next((one for one in before if one.type == kind and one.value == value), None)
            if made is None:
                body: Any = {"type": kind, "value": value}
                with stripe(keyed=True) as keyed:
                    made = keyed.v1.customers.tax_ids.create(customer, body, {"idempotency_key": key})
        for one in before:
            if made is None or one.id != made.id:
                client.v1.customers.tax_ids.delete(customer, one.id)
    return str(made.verification.status) if made is not None and made.verification else ""


def open_portal(customer: str, *, return_url: str, flow: str = "") -> Page:
    """The customer's own page at Stripe; `flow` leads straight to one act, such as payment_method_update."""
    params: Any = {"customer": customer, "return_url": return_url}
    if flow:
        params["flow_data"] = {
            "type": flow,
            "after_completion": {"type": "redirect", "redirect": {"return_url": return_url}},
        }
    with stripe() as client:
        found = client.v1.billing_portal.sessions.create(params)
    return Page(found.id, found.url)
