"""Credit notes: what corrects a final invoice, which itself never changes its lines."""

from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, not_simulated
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources import invoices
from deploy.stripe_simulator.resources.charges import refund_charge
from deploy.stripe_simulator.resources.customers import change_balance
from deploy.stripe_simulator.resources.fields import metadata, share
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World, new_id, renders

Json = dict[str, Any]


@renders("credit_note")
def fill_note(world: World, note: Json) -> None:
    """The lines, and where the note can be read."""
    lines = world.get(note["id"], "credit_note")["_"]["lines"]
    url = f"/v1/credit_notes/{note['id']}/lines"
    note["lines"] = {"object": "list", "data": lines[:10], "has_more": len(lines) > 10, "url": url}
    note["pdf"] = f"{world.base_url}/simulator/credit_note/{note['id']}/pdf"


def credited(world: World, invoice: Json) -> int:
    """What credit notes have taken off an invoice so far, with tax."""
    return sum(note["total"] for note in world.find("credit_note", parent=invoice["id"]) if note["status"] == "issued")


def _lines(params: Params, invoice: Json) -> list[Json]:
    """The lines that are credited, each with its share of discount and tax."""
    given, amount = params.get("lines"), params.get("amount")
    if (given is None) == (amount is None):
        raise StripeError("You must specify one of amount, lines.", param="amount")
    if given is None:
        return [_line(amount, "custom_line_item", "Credit", 0)]
    by_id = {line["id"]: line for line in invoice["_"]["lines"]}
    lines = []
    for index, item in enumerate(given):
        if item["type"] != "invoice_line_item":
            each = item.get("unit_amount")
            if each is None:
                raise not_simulated("decimal amounts of credit notes", f"lines[{index}]")
            quantity = item.get("quantity", 1)
            lines.append(_line(each * quantity, item["type"], item.get("description") or "Credit", 0))
            continue
        if (line := by_id.get(item.get("invoice_line_item"))) is None:
            raise StripeError("The invoice has no such line.", param=f"lines[{index}][invoice_line_item]")
        whole, quantity = line["amount"], item.get("quantity")
        part = item.get("amount")
        if part is None:
            part = share(whole, quantity, line["quantity"]) if quantity else whole
        off = share(sum(one["amount"] for one in line["discount_amounts"]), part, whole)
        tax = share(sum(one["amount"] for one in line["taxes"] if one["tax_behavior"] == "exclusive"), part, whole)
        lines.append(_line(part, item["type"], line["description"], tax, off, line["id"]))
    return lines


def _line(amount: int, kind: str, text: str, tax: int, off: int = 0, source: str | None = None) -> Json:
    return {
        "id": new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": text,
        "discount_amount": off,
        "discount_amounts": [],
        "invoice_line_item": source,
        "livemode": False,
        "pretax_credit_amounts": [],
        "quantity": 1,
        "tax_rates": [],
        "taxes": [
            {
                "amount": tax,
                "tax_behavior": "exclusive",
                "taxability_reason": "standard_rated",
                "taxable_amount": amount - off,
                "type": "tax_rate_details",
            }
        ]
        if tax
        else [],
        "type": kind,
        "unit_amount": amount,
    }


def _draft(world: World, params: Params) -> Json:
    """The note as it would be, with how its amount is given back."""
    invoice = world.get(params["invoice"], "invoice", "invoice")
    if invoice["status"] not in {"open", "paid", "uncollectible"}:
        raise StripeError("You can only create a credit note for a finalized invoice.", param="invoice")
    lines = _lines(params, invoice)
    subtotal = sum(line["amount"] for line in lines)
    off = sum(line["discount_amount"] for line in lines)
    tax = sum(item["amount"] for line in lines for item in line["taxes"])
    total = subtotal - off + tax
    if not 0 < total <= invoice["total"] - credited(world, invoice):
        raise StripeError("The credit note's amount is more than is left of the invoice.", param="amount")
    open_part = min(total, invoice["amount_remaining"]) if invoice["status"] == "open" else 0
    given_back = total - open_part
    parts = {name: params.get(name, 0) for name in ("refund_amount", "credit_amount", "out_of_band_amount")}
    if sum(parts.values()) != given_back:
        raise StripeError(
            "The sum of credit amount, refund amount and out of band amount must equal the amount paid of the credit "
            f"note: {given_back}.",
            param="refund_amount",
        )
    kind = "pre_payment" if not given_back else "mixed" if open_part else "post_payment"
    return {
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "discount_amount": off,
        "discount_amounts": [],
        "invoice": invoice["id"],
        "memo": params.get("memo"),
        "metadata": metadata(params),
        "out_of_band_amount": parts["out_of_band_amount"] or None,
        "post_payment_amount": given_back,
        "pre_payment_amount": open_part,
        "pretax_credit_amounts": [],
        "reason": params.get("reason"),
        "refunds": [],
        "status": "issued",
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_excluding_tax": total - tax,
        "total_taxes": [item for line in lines for item in line["taxes"]],
        "type": kind,
        "lines": None,
        "pdf": "",
        "_": {"lines": lines, "parts": parts},
    }


@route("POST", "/v1/credit_notes", sdk.CreditNoteCreateParams)
def create_note(world: World, params: Params) -> Json:
    """Credit some or all of an invoice: off what is open, by refund, to the balance, or elsewhere."""
    body = _draft(world, params)
    invoice = world.get(body["invoice"], "invoice")
    customer = world.get(invoice["customer"], "customer")
    count = len(world.find("credit_note", parent=invoice["id"])) + 1
    body["number"] = f"{invoice['number']}-CN-{count:02}"
    note = world.new("cn", body, parent=invoice["id"], like=invoice)
    parts = note["_"]["parts"]
    if parts["refund_amount"]:
        intent = world.peek(invoice["_"]["intent"])
        if intent is None or not intent["latest_charge"]:
            raise StripeError("The invoice was not paid by a charge that could be refunded.", param="refund_amount")
        refund = refund_charge(world, world.get(intent["latest_charge"], "charge"), parts["refund_amount"], reason=None)
        note["refunds"] = [{"amount_refunded": refund["amount"], "refund": refund["id"], "type": "refund"}]
    if parts["credit_amount"]:
        made = change_balance(
            world, customer, -parts["credit_amount"], "credit_note", credit_note=note["id"], currency=note["currency"]
        )
        note["customer_balance_transaction"] = made and made["id"]
    world.save(note)
    world.emit("credit_note.created", note)
    _apply(world, invoice, note)
    return note


def _apply(world: World, invoice: Json, note: Json) -> None:
    with world.changes(invoice, "invoice.updated"):
        invoice["pre_payment_credit_notes_amount"] += note["pre_payment_amount"]
        invoice["post_payment_credit_notes_amount"] += note["post_payment_amount"]
        invoice["amount_due"] -= note["pre_payment_amount"]
        invoice["amount_remaining"] -= note["pre_payment_amount"]
    intent = world.peek(invoice["_"]["intent"])
    if invoice["status"] == "open" and intent and note["pre_payment_amount"]:
        intent["amount"] = max(invoice["amount_remaining"], 1)
        world.save(intent)
        for payment in world.find("invoice_payment", parent=invoice["id"]):
            payment["amount_requested"] = invoice["amount_remaining"]
            world.save(payment)
    if invoice["status"] == "open" and not invoice["amount_remaining"]:
        invoices.mark_paid(world, invoice)


@route("GET", "/v1/credit_notes/preview", sdk.CreditNotePreviewParams)
def preview_note(world: World, params: Params) -> Json:
    """What a credit note would be."""
    with world.store.undone():
        dry = World(world.store, base_url=world.base_url, moment=world.moment, dry=True)
        body = _draft(dry, params)
        return dict(dry.render(dry.new("cn", body | {"number": ""})))


@route("POST", "/v1/credit_notes/{identifier}/void", sdk.CreditNoteVoidCreditNoteParams)
def void_note(world: World, params: Params, identifier: str) -> Json:
    """Take back a note of an open invoice."""
    note = world.get(identifier, "credit_note")
    invoice = world.get(note["invoice"], "invoice")
    if note["status"] != "issued" or note["type"] != "pre_payment" or invoice["status"] != "open":
        raise StripeError("Only credit notes of open invoices can be voided.")
    note |= {"status": "void", "voided_at": world.now(note)}
    world.save(note)
    with world.changes(invoice, "invoice.updated"):
        invoice["pre_payment_credit_notes_amount"] -= note["pre_payment_amount"]
        invoice["amount_due"] += note["pre_payment_amount"]
        invoice["amount_remaining"] += note["pre_payment_amount"]
    if intent := world.peek(invoice["_"]["intent"]):
        intent["amount"] = invoice["amount_remaining"]
        world.save(intent)
    world.emit("credit_note.voided", note)
    return note


@route("POST", "/v1/credit_notes/{identifier}", sdk.CreditNoteUpdateParams)
def update_note(world: World, params: Params, identifier: str) -> Json:
    """Change a note's memo or metadata."""
    note = world.get(identifier, "credit_note")
    with world.changes(note, "credit_note.updated"):
        note["memo"] = params.get("memo", note["memo"])
        note["metadata"] = metadata(params, note["metadata"])
    return note


@route("GET", "/v1/credit_notes/{identifier}", sdk.CreditNoteRetrieveParams)
def retrieve_note(world: World, params: Params, identifier: str) -> Json:
    """One credit note."""
    return world.get(identifier, "credit_note")


@route("GET", "/v1/credit_notes/{identifier}/lines", sdk.CreditNoteLineItemListParams)
def list_note_lines(world: World, params: Params, identifier: str) -> Json:
    """A credit note's lines, in their order."""
    lines = world.get(identifier, "credit_note")["_"]["lines"]
    return page(params, lines[::-1], f"/v1/credit_notes/{identifier}/lines")


@route("GET", "/v1/credit_notes", sdk.CreditNoteListParams)
def list_notes(world: World, params: Params) -> Json:
    """Credit notes, of a customer or an invoice."""
    items = world.find("credit_note", customer=params.get("customer"), parent=params.get("invoice"))
    return page(params, items, "/v1/credit_notes")
