"""The steps of a subscription: catalogue, customer, Checkout, card, seats, up, down, renewal, cancel, pause, end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.billing import gateway
from apps.billing.gateway import Item, ItemChange, Preview, RemoteSubscription, Way
from apps.core.errors import PaymentRefused
from deploy.stripe_parity.run import Run

CURRENCY, HOME = "USD", "https://example.com/"
PRICES = {"base": 2_900, "greater": 9_900, "seat": 900}


def catalogue(run: Run) -> None:
    """Products and prices by names of ours, each made once however often it is asked for."""
    for part, unit in PRICES.items():
        product = gateway.ensure_product(f"{run.tag}-{part}", name=f"Parity {part}")
        ask: dict[str, Any] = {"product": product, "currency": CURRENCY, "unit_minor": unit, "interval": "month"}
        run[part] = gateway.ensure_price(f"{run.tag}-{part}", **ask)
        again = gateway.ensure_price(f"{run.tag}-{part}", **ask)
        run[f"product {part}"] = product
        run.note(**{f"{part} is made once": again == run[part]})
    with gateway.stripe() as client:
        run.look("product", client.v1.products.retrieve(run["product base"]))
        run.look("price", client.v1.prices.retrieve(run["base"]))


def customer(run: Run) -> None:
    """A customer with a tax id, made once for one key."""
    whose = {"name": "Parity", "email": f"{run.tag}@example.com", "organization": run.tag, "key": run.key("customer")}
    run["other"] = gateway.create_customer(**whose)
    run.note(made_once=gateway.create_customer(**whose) == run["other"])
    gateway.change_customer(run["other"], name="Parity Ltd", email=whose["email"], country="DE", key=run.key("changed"))
    gateway.set_tax_id(run["other"], kind="eu_vat", value="DE123456789", key=run.key("tax id"))
    found = gateway.get_customer(run["other"])
    run.note(country=found.country, tax_id=(found.tax_id_kind, found.tax_id), method=found.payment_method)
    run.note(is_ours=found.organization == run.tag)
    with gateway.stripe() as client:
        run.look("customer", client.v1.customers.retrieve(run["other"], {"expand": ["tax_ids"]}))


def checkout(run: Run) -> None:
    """Pages for a plan and for one purchase; nobody can pay on them here, so they are closed again."""
    named = {"organization": run.tag, "order": run.tag}
    page = gateway.checkout_plan(
        run["other"],
        items=[(run["base"], 1), (run["seat"], 2)],
        trial_days=14,
        promotion="",
        metadata=named,
        way=Way(HOME, HOME),
        key=run.key("plan page"),
    )
    run.note(plan=(page.status, page.is_paid, page.url.startswith("http")))
    order = gateway.checkout_order(
        run["other"],
        name="Credits",
        quantity=3,
        unit_minor=500,
        currency=CURRENCY,
        metadata=named,
        way=Way(HOME, HOME),
        key=run.key("order page"),
    )
    run.note(order=(order.status, order.is_paid), knows_its_order=gateway.get_session(order.id).order == run.tag)
    with gateway.stripe() as client:
        run.look("checkout.session of a plan", client.v1.checkout.sessions.retrieve(page.id))
        found = run.look("checkout.session of an order", client.v1.checkout.sessions.retrieve(order.id))
        run.note(total=found.amount_total)
    run.note(closed=[gateway.expire_checkout(one.id).status for one in (page, order)])


def portal(run: Run) -> None:
    """The customer's own page; Stripe has one only where the account's portal is set up."""
    run.note(has_page=gateway.open_portal(run["other"], return_url=HOME).url.startswith("http"))


def card(run: Run) -> None:
    """A customer on a test clock, with a card that pays."""
    with gateway.stripe() as client:
        clock = client.v1.test_helpers.test_clocks.create({"frozen_time": run.start, "name": run.tag})
        run["clock"] = clock.id
        named: Any = {"email": f"clock-{run.tag}@example.com", "test_clock": clock.id}
        run["customer"] = client.v1.customers.create(named | {"metadata": {"organization": run.tag}}).id
    give_card(run, "pm_card_visa")
    run.note(method=gateway.get_customer(run["customer"]).payment_method)


def give_card(run: Run, token: str) -> None:
    """Puts one of Stripe's test cards in the place of the one that is charged."""
    with gateway.stripe() as client:
        method = client.v1.payment_methods.attach(token, {"customer": run["customer"]})
        run.look("payment_method", method)
        client.v1.customers.update(run["customer"], {"invoice_settings": {"default_payment_method": method.id}})


def subscription(run: Run) -> None:
    """A base and two further seats, paid for at once."""
    items: Any = [{"price": run["base"]}, {"price": run["seat"], "quantity": 2}]
    with gateway.stripe() as client:
        made = client.v1.subscriptions.create({"customer": run["customer"], "items": items})
        run["subscription"] = made.id
    _state(run)
    [first] = gateway.list_invoices(run["customer"])
    run["first invoice"] = first.id
    run.note(first=(first.status, first.total_minor, first.paid_minor, sorted(one.amount_minor for one in first.lines)))
    look_at_invoice(run, first.id)


def seats(run: Run) -> None:
    """Three more seats in the middle of the month, billed at once: the preview is the invoice."""
    run.advance(10)
    _change(run, lambda items: [ItemChange(items["seat"].id, run["seat"], 5)], "always_invoice")


def upgrade(run: Run) -> None:
    """A greater plan, prorated onto the next invoice."""
    run.advance(5)
    _change(run, lambda items: [ItemChange(items["base"].id, run["greater"], 1)], "create_prorations")


def usage(run: Run) -> None:
    """A line beside the plan, as a month's usage is billed, made once for one key."""
    line: dict[str, Any] = {
        "customer": run["customer"],
        "currency": CURRENCY.lower(),
        "amount_minor": 1_234,
        "description": "Text generation beyond the plan",
        "period_start": run.start,
        "period_end": run.now,
    }
    made = gateway.create_invoice_item(**line, key=run.key("usage"))
    run.note(made_once=gateway.create_invoice_item(**line, key=run.key("usage")) == made)
    wanted = {"customer": run["customer"]}
    run.note(is_found=gateway.find_made("create_invoice_item", wanted, run.key("usage")) == made)
    with gateway.stripe() as client:
        run.look("invoiceitem", client.v1.invoice_items.retrieve(made))


def renewal(run: Run) -> None:
    """The next month: what the preview says is what is paid."""
    preview = gateway.preview_renewal(run["subscription"])
    run.note(preview=_words(preview))
    # The invoice waits for about an hour before it is finalized.
    run.advance(17.5)
    newest = gateway.list_invoices(run["customer"])[0]
    run["renewal"] = newest.id
    run.note(invoice=(newest.status, newest.total_minor, newest.paid_minor))
    run.note(preview_is_the_invoice=preview.total_minor == newest.total_minor)
    run.note(lines=sorted(one.amount_minor for one in newest.lines))
    look_at_invoice(run, newest.id)
    _state(run)


def downgrade(run: Run) -> None:
    """The smaller plan again from the next month on; nothing is prorated."""
    items = _items(run)
    changes = gateway.as_parameters([ItemChange(items["greater"].id, run["base"], 1)])
    gateway.change_items(run["subscription"], items=changes, proration="none", at=None, key=run.key("downgrade"))
    run.note(next=gateway.preview_renewal(run["subscription"]).total_minor)
    _state(run)


def refused(run: Run) -> None:
    """A card that is refused undoes a change that is billed at once; the error says why."""
    give_card(run, "pm_card_chargeCustomerFail")
    items = _items(run)
    changes = gateway.as_parameters([ItemChange(items["seat"].id, run["seat"], 9)])
    try:
        gateway.change_items(
            run["subscription"], items=changes, proration="always_invoice", at=run.now, key=run.key("refused")
        )
        run.note(card="taken")
    except PaymentRefused as error:
        run.note(card=error.message)
    _state(run)
    give_card(run, "pm_card_visa")


def cancel_and_resume(run: Run) -> None:
    """Cancelled with the period, kept, paused and taken up again."""
    gateway.cancel_at_end(run["subscription"], reason="Too many buttons.", key=run.key("cancel"))
    found = _state(run, "cancelled")
    run.note(ends_with_its_period=found.cancel_at == found.period_end)
    gateway.keep(run["subscription"], key=run.key("keep"))
    _state(run, "kept")
    gateway.pause(run["subscription"], until=run.now + 40 * 86_400, key=run.key("pause"))
    found = _state(run, "paused")
    run.note(pause_ends=found.paused_until is not None)
    gateway.unpause(run["subscription"], key=run.key("unpause"))
    _state(run, "resumed")


def end(run: Run) -> None:
    """Ended at once; asked again it is found as done."""
    gateway.cancel_now(run["subscription"], reason="The end.", key=run.key("end"))
    _state(run)
    wanted = {"subscription": run["subscription"]}
    run.note(is_found=gateway.find_made("cancel_now", wanted, "") == run["subscription"])


def look_at_invoice(run: Run, id: str) -> None:
    """Notes the shape of an invoice."""
    with gateway.stripe() as client:
        run.look("invoice", client.v1.invoices.retrieve(id))


def _change(run: Run, wanted: Callable[[dict[str, Item]], list[ItemChange]], proration: str) -> None:
    changes = wanted(_items(run))
    before = {one.id for one in gateway.list_invoices(run["customer"])}
    preview = gateway.preview_change(run["subscription"], items=changes, proration=proration, at=run.now)
    run.note(preview=_words(preview))
    parameters = gateway.as_parameters(changes)
    key = run.key(f"{changes[0].price} {changes[0].quantity}")
    for _ in range(2):  # the second answer is the first one's
        gateway.change_items(run["subscription"], items=parameters, proration=proration, at=run.now, key=key)
    made = [one for one in gateway.list_invoices(run["customer"]) if one.id not in before]
    run.note(invoices=[(one.status, one.total_minor, one.paid_minor) for one in made])
    if proration == "always_invoice":
        run.note(preview_is_the_invoice=[one.total_minor for one in made] == [preview.total_minor])
    else:
        run.note(next=gateway.preview_renewal(run["subscription"]).total_minor)
    _state(run)


def _words(preview: Preview) -> Any:
    lines = sorted((line.amount_minor, line.is_proration) for line in preview.lines)
    return preview.total_minor, preview.tax_minor, lines


def _items(run: Run) -> dict[str, Item]:
    names = {run[name]: name for name in PRICES}
    return {names[one.price_id]: one for one in gateway.get_subscription(run["subscription"]).items}


def _state(run: Run, name: str = "state") -> RemoteSubscription:
    found = gateway.get_subscription(run["subscription"])
    names = {run[name]: name for name in PRICES}
    items = sorted((names[one.price_id], one.quantity) for one in found.items)
    ends = {"cancels": found.cancel_at is not None, "ended": found.ended_at is not None, "paused": found.is_paused}
    run.note(**{name: {"status": found.status, "currency": found.currency, "items": items, **ends}})
    if found.period_start and found.period_end:
        run.note(period_days=(found.period_end - found.period_start).days)
    with gateway.stripe() as client:
        run.look("subscription", client.v1.subscriptions.retrieve(found.id))
    return found


STEPS = (catalogue, customer, checkout, portal, card, subscription, seats, upgrade, usage, renewal, downgrade, refused)
ENDING = (cancel_and_resume, end)
