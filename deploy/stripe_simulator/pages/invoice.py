"""The page of an invoice: read it, pay it, keep it as a PDF."""

from datetime import UTC, datetime
from typing import Any

from deploy.stripe_simulator.api import Answer
from deploy.stripe_simulator.control import perform
from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.pages import Visit, page, redirect, view
from deploy.stripe_simulator.pages.checkout import card_choice
from deploy.stripe_simulator.pages.html import Html, button, h, money, table
from deploy.stripe_simulator.pages.pdf import pdf
from deploy.stripe_simulator.resources import invoices
from deploy.stripe_simulator.resources.cards import by_number
from deploy.stripe_simulator.resources.payment_methods import attach_to, make_method
from deploy.stripe_simulator.world import World

Json = dict[str, Any]


def day(moment: int | None) -> str:
    """A moment's date."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}" if moment is not None else ""


def _found(visit: Visit, identifier: str, kind: str) -> tuple[Json, list[Json]]:
    with visit.simulator.store.lock:
        world = World(visit.simulator.store, base_url=visit.simulator.base_url)
        stored = world.get(identifier, kind)
        return world.render(stored), stored["_"]["lines"]


def _sums(invoice: Json) -> list[tuple[str, int]]:
    off = sum(item["amount"] for item in invoice["total_discount_amounts"] or [])
    tax = sum(item["amount"] for item in invoice["total_taxes"] or [])
    shown = [("Subtotal", invoice["subtotal"]), ("Discount", -off), ("Tax", tax), ("Total", invoice["total"])]
    balance = invoice["starting_balance"]
    shown += [("Balance applied", balance), ("Due", invoice["amount_due"]), ("Paid", invoice["amount_paid"])]
    return [(name, amount) for name, amount in shown if amount or name in {"Total", "Due"}]


@view("GET", "/simulator/invoice/{identifier}")
def show_invoice(visit: Visit, identifier: str, problem: str = "") -> Answer:
    """An invoice, with a form to pay it if it is open."""
    invoice, lines = _found(visit, identifier, "invoice")
    currency = invoice["currency"]
    rows = [
        [
            line["description"],
            f"{day(line['period']['start'])} – {day(line['period']['end'])}",
            line["quantity"],
            money(line["amount"], currency),
        ]
        for line in lines
    ]
    parts: list[Html] = [
        h("p", f"{invoice['customer_name'] or invoice['customer_email'] or ''} · {invoice['status']}"),
        table(["What", "Period", "Quantity", "Amount"], rows),
        table(["", ""], [[name, money(amount, currency)] for name, amount in _sums(invoice)]),
        h("p", h("a", "Download as PDF", href=f"/simulator/invoice/{identifier}/pdf")),
    ]
    if problem:
        parts.append(h("p", problem, role="alert"))
    if invoice["status"] == "open":
        parts.append(h("form", card_choice(), button(f"Pay {money(invoice['amount_due'], currency)}"), method="post"))
    return page(f"Invoice {invoice['number'] or 'draft'}", parts)


@view("POST", "/simulator/invoice/{identifier}")
def pay_invoice(visit: Visit, identifier: str) -> Answer:
    """Pay an open invoice with another card."""

    def act(world: World) -> Json:
        invoice = world.get(identifier, "invoice")
        customer = world.get(invoice["customer"], "customer")
        method = make_method(world, by_number(visit.form.get("number", "")), like=customer)
        method = attach_to(world, method["id"], customer)
        method["_"]["authenticated"] = True
        if error := invoices.collect(world, invoice, off_session=False, method=method):
            raise error
        return invoice

    try:
        perform(visit.simulator, act)
    except StripeError as error:
        return show_invoice(visit, identifier, problem=str(error))
    return redirect(f"/simulator/invoice/{identifier}")


def _paper(title: str, who: str, lines: list[Json], sums: list[tuple[str, int]], currency: str, name: str) -> Answer:
    text = [title, "Stripe simulator - no real money", "", who, ""]
    text += [f"{line['description']}: {money(line['amount'], currency)}" for line in lines]
    text += ["", *[f"{label}: {money(amount, currency)}" for label, amount in sums]]
    headers = {"content-disposition": f'attachment; filename="{name}.pdf"'}
    return Answer(200, pdf(text), headers, "application/pdf")


@view("GET", "/simulator/invoice/{identifier}/pdf")
def download_invoice(visit: Visit, identifier: str) -> Answer:
    """An invoice as a file."""
    invoice, lines = _found(visit, identifier, "invoice")
    who = f"{invoice['customer_name'] or ''} {invoice['customer_email'] or ''}"
    number = invoice["number"] or invoice["id"]
    return _paper(f"Invoice {number}", who, lines, _sums(invoice), invoice["currency"], number)


@view("GET", "/simulator/credit_note/{identifier}/pdf")
def download_note(visit: Visit, identifier: str) -> Answer:
    """A credit note as a file."""
    note, lines = _found(visit, identifier, "credit_note")
    sums = [("Total credited", note["total"])]
    return _paper(f"Credit note {note['number']}", "", lines, sums, note["currency"], note["number"])
