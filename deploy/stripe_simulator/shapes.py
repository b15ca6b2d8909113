"""Answers, held to the SDK's own typed objects: what may be absent is null, what must be there is."""

import typing
from decimal import Decimal
from typing import Any, Union, get_args, get_origin

import stripe
from stripe import billing, billing_portal, checkout, test_helpers

Json = dict[str, Any]

CLASSES: dict[str, Any] = {
    kind.OBJECT_NAME: kind
    for kind in (
        stripe.BalanceTransaction,
        stripe.Charge,
        stripe.Coupon,
        stripe.CreditNote,
        stripe.CreditNoteLineItem,
        stripe.Customer,
        stripe.CustomerBalanceTransaction,
        stripe.Discount,
        stripe.Dispute,
        stripe.Event,
        stripe.Invoice,
        stripe.InvoiceItem,
        stripe.InvoiceLineItem,
        stripe.InvoicePayment,
        stripe.LineItem,
        stripe.PaymentIntent,
        stripe.PaymentMethod,
        stripe.Plan,
        stripe.Price,
        stripe.Product,
        stripe.PromotionCode,
        stripe.Refund,
        stripe.SetupIntent,
        stripe.Subscription,
        stripe.SubscriptionItem,
        stripe.TaxId,
        stripe.TaxRate,
        billing.Meter,
        billing.MeterEvent,
        billing.MeterEventAdjustment,
        billing.MeterEventSummary,
        billing_portal.Configuration,
        billing_portal.Session,
        checkout.Session,
        test_helpers.TestClock,
    )
}
# Null would say something else than absence.
ABSENT = {"deleted"}
# Every object has these here; a few of Stripe's do not show them.
COMMON = {"created", "livemode"}
SCALARS: dict[Any, Any] = {int: int, str: str, bool: bool, float: (int, float), Decimal: str}


class ShapeError(Exception):
    """The simulator was about to answer what the SDK does not describe: a fault of the simulator."""


def complete(value: Any, path: str = "") -> Any:
    """Fill in, through all nested objects, what Stripe answers as null; raises ShapeError where that does not do."""
    if isinstance(value, list):
        return [complete(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    named = value.get("object")
    kind = CLASSES.get(named) if isinstance(named, str) else None
    if kind is None or value.get("deleted"):
        return {name: complete(item, f"{path}.{name}") for name, item in value.items()}
    return _filled(kind, value, path or value["object"])


def _filled(kind: Any, value: Json, path: str) -> Json:
    inner = getattr(kind, "_inner_class_types", {})
    known = {name: hint for name, hint in kind.__annotations__.items() if _is_field(name, hint)}
    value = {name: item for name, item in value.items() if name in known or name not in COMMON}
    if strange := value.keys() - known.keys():
        raise ShapeError(f"{path}: the SDK knows no {sorted(strange)}")
    result: Json = {}
    for name, hint in known.items():
        if name not in value:
            if not _is_optional(hint):
                raise ShapeError(f"{path}.{name} is missing")
            # The SDK reads maps of objects without asking whether they are there.
            if name not in ABSENT and name not in getattr(kind, "_inner_class_dicts", ()):
                result[name] = None
            continue
        result[name] = _checked(hint, inner.get(name), value[name], f"{path}.{name}")
    return result


def _is_field(name: str, hint: Any) -> bool:
    return name != "_inner_class_types" and get_origin(hint) is not typing.ClassVar


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) is Union and type(None) in get_args(hint)


def _checked(hint: Any, nested: Any, item: Any, path: str) -> Any:
    if item is None:
        if not _is_optional(hint):
            raise ShapeError(f"{path} must not be null")
        return None
    if nested is not None and isinstance(item, dict) and not isinstance(item.get("object"), str):
        return _filled(nested, item, path)
    if nested is not None and isinstance(item, list):
        return [_filled(nested, one, f"{path}[{index}]") for index, one in enumerate(item)]
    bare = [one for one in get_args(hint) if one is not type(None)][:1] if _is_optional(hint) else [hint]
    expected = SCALARS.get(bare[0]) if bare and len(get_args(hint)) <= 2 else None
    if expected and (not isinstance(item, expected) or (isinstance(item, bool) and bare[0] is not bool)):
        raise ShapeError(f"{path} must be {bare[0].__name__}, not {item!r}")
    return complete(item, path)
