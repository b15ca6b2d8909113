"""What an answer shows of an invoice beside its own fields."""

from typing import Any

from deploy.stripe_simulator.listing import includes, page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.world import World, renders

Json = dict[str, Any]


@renders("invoice")
def fill_invoice(world: World, invoice: Json) -> None:
    """The first lines; the pages of it are the simulator's."""
    lines = world.get(invoice["id"], "invoice")["_"]["lines"]
    invoice["lines"] = {
        "object": "list",
        "data": [line | {"invoice": invoice["id"]} for line in lines[:10]],
        "has_more": len(lines) > 10,
        "url": f"/v1/invoices/{invoice['id']}/lines",
    }
    if invoice["status"] in {"open", "paid", "uncollectible", "void"}:
        invoice["hosted_invoice_url"] = f"{world.base_url}/simulator/invoice/{invoice['id']}"
        invoice["invoice_pdf"] = f"{world.base_url}/simulator/invoice/{invoice['id']}/pdf"


@includes("invoice", "payments")
def payments_of(world: World, invoice: Json) -> Json:
    """The invoice's payments, for `expand`."""
    return page(Params({"limit": 100}), world.find("invoice_payment", parent=invoice["id"]), "")
