"""The page on which somebody pays, and the page of a card's bank."""

from typing import Any

from deploy.stripe_simulator.api import Answer
from deploy.stripe_simulator.control import perform
from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.pages import Visit, page, redirect, view
from deploy.stripe_simulator.pages.html import Html, button, choice, field, h, money, table
from deploy.stripe_simulator.resources import checkout, checkout_payment, intents, setup_intents
from deploy.stripe_simulator.resources.cards import CARDS
from deploy.stripe_simulator.resources.tax import RATES
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
WORDS = {
    "chargeCustomerFail": "is kept, and declines whenever it is charged",
    "authenticationRequired": "its bank asks once",
    "authenticationRequiredOnSetup": "its bank always asks",
    "threeDSecure2Required": "its bank always asks",
    "createDispute": "pays, and is disputed as fraudulent",
    "createDisputeProductNotReceived": "pays, and is disputed as not received",
}


def card_choice() -> Html:
    """Stripe's test cards, with what each of them does."""
    options = [
        (card.number, f"{card.number} · {WORDS.get(card.token) or card.attach.partition('/')[2] or card.brand}")
        for card in CARDS
    ]
    return choice("Test card", "number", options)


@view("GET", "/simulator/checkout/{identifier}")
def show_checkout(visit: Visit, identifier: str, problem: str = "", status: int = 200) -> Answer:
    """What is bought, and a form to pay."""
    with visit.simulator.store.lock:
        world = World(visit.simulator.store, base_url=visit.simulator.base_url)
        session = world.get(identifier, "checkout.session")
        if session["status"] != "open":
            text = "This has been paid." if session["status"] == "complete" else "This page has expired."
            return page("Checkout", h("p", text), 410)
        lines = [checkout._shown(world, line) for line in session["_"]["lines"]]
        customer = world.peek(session["customer"]) or {}
    currency = session["currency"] or "usd"
    rows = [[line["description"], line["quantity"], money(line["amount_total"], currency)] for line in lines]
    parts = [table(["What", "Quantity", "Amount"], rows)] if rows else []
    if session["mode"] != "setup":
        parts.append(h("p", "Due now: ", h("strong", money(session["amount_total"], currency))))
    if days := session["_"]["data"].get("trial_period_days"):
        parts.append(h("p", f"The first {days} days are a trial."))
    if problem:
        parts.append(h("p", problem, role="alert"))
    parts.append(_form(session, customer, visit.form))
    if session["cancel_url"]:
        parts.append(h("p", h("a", "Go back without paying", href=session["cancel_url"])))
    return page("Checkout", parts, status)


def _form(session: Json, customer: Json, typed: dict[str, str]) -> Html:
    fields: list[Html] = []
    if not customer:
        email = typed.get("email") or session["customer_email"] or ""
        fields.append(field("E-mail", "email", email, type="email", required=True, autocomplete="email"))
    fields.append(field("Name", "name", typed.get("name") or customer.get("name") or "", autocomplete="name"))
    if session["billing_address_collection"] == "required" or session["automatic_tax"]["enabled"]:
        countries = [(code, code) for code in sorted({*RATES, "US"})]
        known = (customer.get("address") or {}).get("country") or "IE"
        fields += [
            choice("Country", "country", countries, typed.get("country") or known),
            field("Street", "line1", typed.get("line1", ""), autocomplete="address-line1"),
            field("City", "city", typed.get("city", ""), autocomplete="address-level2"),
            field("Postal code", "postal_code", typed.get("postal_code", ""), autocomplete="postal-code"),
        ]
    if session["tax_id_collection"]["enabled"]:
        kinds = [("eu_vat", "EU VAT number"), ("gb_vat", "UK VAT number"), ("au_abn", "Australian ABN")]
        fields += [
            choice("Kind of tax number", "tax_id_type", kinds, typed.get("tax_id_type", "")),
            field("Tax number (if you have one)", "tax_id", typed.get("tax_id", "")),
        ]
    if session["allow_promotion_codes"]:
        fields.append(field("Promotion code (if you have one)", "promotion_code", typed.get("promotion_code", "")))
    words = {"subscription": "Subscribe", "payment": "Pay", "setup": "Keep this card"}[session["mode"]]
    return h("form", *fields, card_choice(), button(words), method="post")


@view("POST", "/simulator/checkout/{identifier}")
def pay(visit: Visit, identifier: str) -> Answer:
    """Pay, then go on to where the shop wants its customers."""
    names = checkout_payment.Payer.__dataclass_fields__
    payer = checkout_payment.Payer(**{name: value for name, value in visit.form.items() if name in names})
    try:
        session = perform(
            visit.simulator,
            lambda world: checkout_payment.complete(world, world.get(identifier, "checkout.session"), payer),
        )
    except StripeError as error:
        if error.status == 404:
            raise
        return show_checkout(visit, identifier, problem=str(error), status=error.status)
    if session["success_url"]:
        return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))
    return page("Thank you", h("p", "This has been paid."))


@view("GET", "/simulator/authenticate/{identifier}")
def ask_owner(visit: Visit, identifier: str) -> Answer:
    """The bank asks the card's owner."""
    form = h("form", button("Approve", "answer", "yes"), button("Refuse", "answer", "no"), method="post")
    return page("Your bank asks", [h("p", "Do you approve this payment?"), form])


@view("POST", "/simulator/authenticate/{identifier}")
def hear_owner(visit: Visit, identifier: str) -> Answer:
    """What the card's owner has answered."""
    approved = visit.form.get("answer") == "yes"

    def act(world: World) -> Json:
        intent = world.peek(identifier)
        if intent is None or intent.get("status") != "requires_action":
            raise StripeError("Nothing waits for an answer here.")
        if intent["object"] == "payment_intent":
            intents.authenticate(world, intent, approved=approved)
        elif approved:
            method = world.get(intent["payment_method"], "payment_method")
            setup_intents.confirm_setup(world, intent, method, owner_agrees=True)
        else:
            intent["status"] = "requires_payment_method"
            world.save(intent)
            world.emit("setup_intent.setup_failed", intent)
        return intent

    intent = perform(visit.simulator, act)
    return page("Thank you", h("p", f"The payment now stands at: {intent['status']}."))
