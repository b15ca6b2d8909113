"""Paying on a Checkout page."""

from dataclasses import dataclass
from typing import Any

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources import intents, invoices
from deploy.stripe_simulator.resources.cards import by_number
from deploy.stripe_simulator.resources.catalogue import amount_of, get_price
from deploy.stripe_simulator.resources.customers import add_tax_id, create_customer
from deploy.stripe_simulator.resources.discounts import check_redeemable, discount, find_code
from deploy.stripe_simulator.resources.fields import address
from deploy.stripe_simulator.resources.lines import make_line, pricing, product_name
from deploy.stripe_simulator.resources.payment_methods import attach_to, make_method
from deploy.stripe_simulator.resources.setup_intents import confirm_setup, make_setup
from deploy.stripe_simulator.resources.subscriptions import start
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


@dataclass(frozen=True)
class Payer:
    """What somebody has typed in on the page."""

    number: str = "4242424242424242"
    email: str = ""
    name: str = ""
    country: str = ""
    postal_code: str = ""
    city: str = ""
    line1: str = ""
    tax_id_type: str = ""
    tax_id: str = ""
    promotion_code: str = ""

    def address(self) -> Json | None:
        """The address, if there is one."""
        given = {name: getattr(self, name) for name in ("country", "postal_code", "city", "line1")}
        return address({name: value for name, value in given.items() if value} or None)


def complete(world: World, session: Json, payer: Payer) -> Json:
    """Pay: raises a card's refusal, after which all is as before and the page can be tried again."""
    try:
        return _completed(world, session, payer)
    except StripeError as error:
        error.keep = False
        raise


def _completed(world: World, session: Json, payer: Payer) -> Json:
    if session["status"] != "open":
        raise StripeError(f"This Checkout Session is {session['status']}.", code="checkout_session_not_open")
    customer = _customer(world, session, payer)
    method = None
    if _needs_card(world, session, payer):
        method = make_method(
            world,
            by_number(payer.number),
            {"email": payer.email, "name": payer.name, "address": payer.address()},
            like=customer,
        )
        method["_"]["present"] = True  # whoever pays here answers to their bank on the same page
    {"subscription": _subscribe, "payment": _pay, "setup": _set_up}[session["mode"]](
        world, session, customer, method, payer
    )
    if method is not None:
        method["_"] |= {"present": False, "authenticated": True}
        world.save(method)
    session |= {
        "status": "complete",
        "customer": customer["id"],
        "customer_details": {
            "address": customer["address"],
            "email": customer.get("email"),
            "name": customer.get("name"),
            "tax_exempt": customer["tax_exempt"],
            "tax_ids": [
                {"type": item["type"], "value": item["value"]} for item in world.find("tax_id", parent=customer["id"])
            ],
        },
    }
    world.save(session)
    world.no_timer("expire_session", session)
    world.emit("checkout.session.completed", session)
    return session


def _customer(world: World, session: Json, payer: Payer) -> Json:
    wanted = session["_"]["shown"].get("customer_update") or {}
    if session["customer"]:
        customer = world.get(session["customer"], "customer")
    else:
        email = payer.email or session["customer_email"]
        given = {"email": email, "name": payer.name or None}
        customer = create_customer(world, Params({name: value for name, value in given.items() if value}))
        wanted = {"address": "auto", "name": "auto"}
    if session["automatic_tax"]["enabled"] and not (payer.address() or customer["address"]):
        raise StripeError("Type in an address: tax is computed from it.", param="address")
    with world.changes(customer, "customer.updated"):
        if wanted.get("address") == "auto" and payer.address():
            customer["address"] = payer.address()
        if wanted.get("name") == "auto" and payer.name:
            customer["name"] = payer.name
    if payer.tax_id and session["tax_id_collection"]["enabled"]:
        add_tax_id(world, customer, payer.tax_id_type or "eu_vat", payer.tax_id)
    return customer


def _needs_card(world: World, session: Json, payer: Payer) -> bool:
    if session["payment_method_collection"] != "if_required":
        return True
    quote(world, session, payer)
    return bool(session["amount_total"])


def discounts_of(world: World, session: Json, payer: Payer) -> list[Json]:
    """What is redeemed: the session's discounts, or the code that was typed in."""
    if not payer.promotion_code:
        return [{name: value for name, value in item.items() if value} for item in session["discounts"]]
    code = find_code(world, payer.promotion_code) if session["allow_promotion_codes"] else None
    if code is None:
        raise StripeError("This promotion code is not valid.", param="promotion_code")
    coupon = world.get(code["promotion"]["coupon"], "coupon")
    check_redeemable(world, coupon, code, session["customer"], session["currency"])
    return [{"promotion_code": code["id"]}]


def _subscribe(world: World, session: Json, customer: Json, method: Json | None, payer: Payer) -> None:
    if method is not None:
        attach_to(world, method["id"], customer)
    made = start(world, Params(_subscription(world, session, customer, method, payer)), customer)
    invoice = world.get(made["latest_invoice"], "invoice")
    session |= {
        "subscription": made["id"],
        "invoice": invoice["id"],
        "payment_status": "paid" if invoice["amount_due"] else "no_payment_required",
    }
    _count(session, invoice)


def _subscription(world: World, session: Json, customer: Json, method: Json | None, payer: Payer) -> Json:
    lines = [(get_price(world, line["price"]), line) for line in session["_"]["lines"]]
    data = session["_"]["data"]
    given: Json = {
        "items": [{"price": one["id"], "quantity": line["quantity"]} for one, line in lines if one["recurring"]],
        "add_invoice_items": [
            {"price": one["id"], "quantity": line["quantity"]} for one, line in lines if not one["recurring"]
        ],
        "payment_behavior": "error_if_incomplete",
        "discounts": discounts_of(world, session, payer),
        "automatic_tax": {"enabled": session["automatic_tax"]["enabled"]},
        **data,
    }
    if method is not None:
        given["default_payment_method"] = method["id"]
    return given


def _pay(world: World, session: Json, customer: Json, method: Json | None, payer: Payer) -> None:
    invoice = _invoice(world, session, customer, payer)
    _count(session, invoice)
    data = session["_"]["data"]
    if session["invoice_creation"]["enabled"]:
        invoices.finalize(world, invoice)
        intent = world.peek(invoice["_"]["intent"])
        session["invoice"] = invoice["id"]
    else:
        world.remove(invoice)
        intent = (
            intents.make_intent(world, invoice["amount_due"], session["currency"], customer["id"], customer)
            if invoice["amount_due"]
            else None
        )
    session["payment_status"] = "no_payment_required"
    if intent is None or method is None:
        return
    intent["metadata"] = dict(data.get("metadata") or {})
    intent |= {name: data[name] for name in ("description", "setup_future_usage", "receipt_email") if data.get(name)}
    session |= {"payment_intent": intent["id"], "payment_status": "paid"}
    world.save(intent)
    if error := intents.confirm(world, intent, method, off_session=False):
        raise error


def _invoice(world: World, session: Json, customer: Json, payer: Payer) -> Json:
    """The purchase as an invoice, from which its amounts come even where no invoice is kept."""
    given = session["invoice_creation"]["invoice_data"]
    more = {name: given[name] for name in ("description", "footer", "metadata") if given.get(name)}
    now = world.now(customer)
    lines = []
    for line in session["_"]["lines"]:
        price = get_price(world, line["price"])
        lines.append(
            make_line(
                amount_of(price, line["quantity"]),
                price["currency"],
                product_name(world, price),
                (now, now),
                pricing=pricing(price),
                quantity=line["quantity"],
            )
        )
    kept = session["invoice_creation"]["enabled"]
    invoice = invoices.make_invoice(
        world,
        customer,
        reason="manual",
        currency=session["currency"],
        lines=lines,
        auto_advance=False,
        automatic_tax={**session["automatic_tax"], "provider": None},
        quiet=not kept,
        **more,
    )
    for item in discounts_of(world, session, payer):
        code = world.peek(item.get("promotion_code"))
        coupon = world.get(code["promotion"]["coupon"] if code else item["coupon"], "coupon")
        invoice["discounts"].append(discount(world, coupon, code, customer["id"], session["currency"], invoice)["id"])
    invoices.total_up(world, invoice, customer)
    world.save(invoice)
    return invoice


def _count(session: Json, invoice: Json) -> None:
    session |= {
        "amount_subtotal": invoice["subtotal"],
        "amount_total": invoice["total"],
        "total_details": {
            "amount_discount": sum(item["amount"] for item in invoice["total_discount_amounts"]),
            "amount_shipping": 0,
            "amount_tax": sum(item["amount"] for item in invoice["total_taxes"]),
        },
    }
    if session["automatic_tax"]["enabled"]:
        session["automatic_tax"]["status"] = "complete"


def _set_up(world: World, session: Json, customer: Json, method: Json | None, payer: Payer) -> None:
    intent = make_setup(world, customer, metadata=dict(session["_"]["data"].get("metadata") or {}))
    assert method is not None  # noqa: S101 - a page that keeps a card always asks for one
    confirm_setup(world, intent, method, owner_agrees=True)
    session |= {"setup_intent": intent["id"], "payment_status": "no_payment_required"}


def quote(world: World, session: Json, payer: Payer | None = None) -> None:
    """Set what the session comes to, by running the purchase in a transaction that is taken back."""
    if session["mode"] == "setup":
        return
    world.flush()
    with world.store.undone():
        dry = World(world.store, base_url=world.base_url, moment=world.moment, dry=True)
        copy = dry.get(session["id"], "checkout.session")
        who = payer or Payer()
        if copy["automatic_tax"]["enabled"] and not who.address():
            customer = dry.peek(copy["customer"])
            if customer is None or not customer["address"]:
                copy["automatic_tax"]["enabled"] = False  # as long as nobody has said where they are
        customer = _customer(dry, copy, who)
        if copy["mode"] == "payment":
            _count(copy, _invoice(dry, copy, customer, who))
        else:
            _subscribe(dry, copy, customer, None, who)
    for name in ("amount_subtotal", "amount_total", "total_details"):
        session[name] = copy[name]
    world.save(session)
