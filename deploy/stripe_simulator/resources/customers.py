"""Customers, their tax ids and their balance."""

import re
from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, missing
from deploy.stripe_simulator.listing import includes, page, search
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.fields import address, metadata, plain, take
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.timers import timer
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]
CUSTOMER_FIELDS = ("name", "email", "description", "phone", "preferred_locales", "shipping", "tax_exempt")
EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
VERIFICATION_SECONDS = 2


@route("POST", "/v1/customers", sdk.CustomerCreateParams)
def create_customer(world: World, params: Params) -> Json:
    """A customer; with a test clock, everything of it lives by that clock."""
    clock = params.get("test_clock")
    if clock:
        world.get(clock, "test_helpers.test_clock", "test_clock")
    body: Json = {
        "object": "customer",
        "test_clock": clock,
        "address": address(params.get("address")),
        "balance": params.get("balance", 0),
        "currency": None,
        "delinquent": False,
        "invoice_prefix": params.get("invoice_prefix") or new_id("", 8).strip("_").upper(),
        "invoice_settings": {"default_payment_method": None},
        "next_invoice_sequence": params.get("next_invoice_sequence", 1),
        "metadata": metadata(params),
        "preferred_locales": [],
        "tax_exempt": "none",
    }
    take(body, params, *CUSTOMER_FIELDS)
    customer = world.new("cus", body)
    world.emit("customer.created", customer)
    if method := params.get("payment_method"):
        from deploy.stripe_simulator.resources.payment_methods import attach_to

        attach_to(world, method, customer)
    _take_settings(world, params, customer)
    world.save(customer)
    for given in params.get("tax_id_data", []):
        add_tax_id(world, customer, given["type"], given["value"])
    return customer


def _take_settings(world: World, params: Params, customer: Json) -> None:
    if (settings := params.get("invoice_settings")) is not None:
        take(customer["invoice_settings"], settings, "custom_fields", "footer")
        if (method := settings.get("default_payment_method")) is not None:
            customer["invoice_settings"]["default_payment_method"] = _own_method(world, method, customer)
    if (tax := params.get("tax")) is not None:
        plain(tax)  # validate_location and ip_address: the address decides here


def _own_method(world: World, method: str, customer: Json) -> str | None:
    if not method:
        return None
    found = world.get(method, "payment_method", "invoice_settings[default_payment_method]")
    if found["customer"] != customer["id"]:
        raise StripeError(
            "The customer does not have a payment method with the ID "
            f"{method}. The payment method must be attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )
    return method


@route("POST", "/v1/customers/{identifier}", sdk.CustomerUpdateParams)
def update_customer(world: World, params: Params, identifier: str) -> Json:
    """Change a customer."""
    customer = world.get(identifier, "customer")
    with world.changes(customer, "customer.updated"):
        take(customer, params, *CUSTOMER_FIELDS)
        if (given := params.get("address")) is not None:
            customer["address"] = address(given)
        customer["metadata"] = metadata(params, customer["metadata"])
        _take_settings(world, params, customer)
        if (balance := params.get("balance")) is not None:
            change_balance(world, customer, balance - customer["balance"], "adjustment")
    return customer


@route("GET", "/v1/customers/search", sdk.CustomerSearchParams)
def search_customers(world: World, params: Params) -> Json:
    """Customers by metadata, e-mail or name."""
    return search(params, world.find("customer"), "/v1/customers/search")


@route("GET", "/v1/customers/{identifier}", sdk.CustomerRetrieveParams)
def retrieve_customer(world: World, params: Params, identifier: str) -> Json:
    """One customer; of a deleted one only that it was deleted."""
    found = world.peek(identifier)
    if found is None or found["object"] != "customer":
        raise missing("customer", identifier)
    return {"id": identifier, "object": "customer", "deleted": True} if found.get("deleted") else found


@route("DELETE", "/v1/customers/{identifier}", sdk.CustomerDeleteParams)
def delete_customer(world: World, params: Params, identifier: str) -> Json:
    """Delete a customer; its subscriptions end at once."""
    from deploy.stripe_simulator.resources.subscription_end import end_now

    customer = world.get(identifier, "customer")
    for subscription in world.find("subscription", customer=identifier):
        if subscription["status"] not in {"canceled", "incomplete_expired"}:
            end_now(world, subscription, "cancellation_requested")
    world.emit("customer.deleted", customer)
    customer["deleted"] = True
    world.save(customer)
    return {"id": identifier, "object": "customer", "deleted": True}


@route("GET", "/v1/customers", sdk.CustomerListParams)
def list_customers(world: World, params: Params) -> Json:
    """Customers."""
    email, clock = params.get("email"), params.get("test_clock")
    return page(
        params,
        world.find("customer"),
        "/v1/customers",
        lambda item: (email is None or item.get("email") == email) and (clock is None or item["test_clock"] == clock),
    )


# ---------------------------------------------------------------- tax ids


def add_tax_id(world: World, customer: Json, kind: str, value: str) -> Json:
    """A tax id of the customer; European ones are looked up a moment later."""
    if kind == "eu_vat" and not re.fullmatch(r"[A-Z]{2}[0-9A-Z+*.]{2,12}", value):
        raise StripeError(f"Invalid value for {kind}.", code="tax_id_invalid", param="value")
    looked_up = kind in {"eu_vat", "gb_vat", "au_abn"}
    tax_id = world.new(
        "txi",
        {
            "object": "tax_id",
            "type": kind,
            "value": value,
            "country": value[:2] if kind == "eu_vat" else kind[:2].upper(),
            "customer": customer["id"],
            "owner": {"type": "customer", "customer": customer["id"]},
            "verification": {"status": "pending" if looked_up else "unavailable"},
        },
        parent=customer["id"],
        like=customer,
    )
    world.emit("customer.tax_id.created", tax_id)
    if looked_up:
        world.timer(world.now(tax_id) + VERIFICATION_SECONDS, "verify_tax_id", tax_id)
    return tax_id


@timer("verify_tax_id")
def verify_tax_id(world: World, tax_id: Json) -> None:
    """What the register says: as with Stripe's test values, one that ends in zeros only is not found there."""
    with world.changes(tax_id, "customer.tax_id.updated"):
        unknown = re.sub(r"\D", "", tax_id["value"]).strip("0") == ""
        tax_id["verification"] = (
            {"status": "unverified"}
            if unknown
            else {"status": "verified", "verified_name": "As registered", "verified_address": None}
        )


@route("POST", "/v1/customers/{customer}/tax_ids", sdk.CustomerTaxIdCreateParams)
def create_tax_id(world: World, params: Params, customer: str) -> Json:
    """Add a tax id to a customer."""
    return add_tax_id(world, world.get(customer, "customer"), params["type"], params["value"])


@route("GET", "/v1/customers/{customer}/tax_ids", sdk.CustomerTaxIdListParams)
def list_tax_ids(world: World, params: Params, customer: str) -> Json:
    """A customer's tax ids."""
    world.get(customer, "customer")
    return page(params, world.find("tax_id", parent=customer), f"/v1/customers/{customer}/tax_ids")


@route("GET", "/v1/customers/{customer}/tax_ids/{identifier}", sdk.CustomerTaxIdRetrieveParams)
def retrieve_tax_id(world: World, params: Params, customer: str, identifier: str) -> Json:
    """One tax id."""
    return world.get(identifier, "tax_id")


@route("DELETE", "/v1/customers/{customer}/tax_ids/{identifier}", sdk.CustomerTaxIdDeleteParams)
def delete_tax_id(world: World, params: Params, customer: str, identifier: str) -> Json:
    """Remove a tax id."""
    tax_id = world.get(identifier, "tax_id")
    world.emit("customer.tax_id.deleted", tax_id)
    world.remove(tax_id)
    return {"id": identifier, "object": "tax_id", "deleted": True}


# ---------------------------------------------------------------- balance


def change_balance(world: World, customer: Json, amount: int, kind: str, **more: Any) -> Json | None:
    """Add to what the customer owes (a negative amount is credit), with the transaction that says why."""
    if not amount:
        return None
    customer["balance"] += amount
    world.save(customer)
    return world.new(
        "cbtxn",
        {
            "object": "customer_balance_transaction",
            "amount": amount,
            "currency": more.pop("currency", None) or customer["currency"] or "usd",
            "customer": customer["id"],
            "ending_balance": customer["balance"],
            "type": kind,
            "metadata": {},
            **more,
        },
        like=customer,
    )


@route("POST", "/v1/customers/{customer}/balance_transactions", sdk.CustomerBalanceTransactionCreateParams)
def create_balance_transaction(world: World, params: Params, customer: str) -> Json:
    """Credit or charge a customer's balance."""
    found = world.get(customer, "customer")
    with world.changes(found, "customer.updated"):
        made = change_balance(
            world,
            found,
            params["amount"],
            "adjustment",
            currency=params["currency"],
            description=params.get("description"),
            metadata=metadata(params),
        )
    if made is None:
        raise StripeError("Invalid non-zero integer", param="amount")
    return made


@route("GET", "/v1/customers/{customer}/balance_transactions", sdk.CustomerBalanceTransactionListParams)
def list_balance_transactions(world: World, params: Params, customer: str) -> Json:
    """How a customer's balance came about."""
    items = world.find("customer_balance_transaction", customer=customer)
    return page(params, items, f"/v1/customers/{customer}/balance_transactions")


@includes("customer", "tax_ids")
def tax_ids_of(world: World, customer: Json) -> Json:
    """All tax ids, for `expand`."""
    return page(Params({"limit": 100}), world.find("tax_id", parent=customer["id"]), "")


@includes("customer", "subscriptions")
def subscriptions_of(world: World, customer: Json) -> Json:
    """The subscriptions that have not ended, for `expand`."""
    items = world.find("subscription", customer=customer["id"])
    return page(
        Params({"limit": 100}), items, "", lambda item: item["status"] not in {"canceled", "incomplete_expired"}
    )
