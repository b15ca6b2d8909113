"""Coupons, promotion codes, and the discounts that come of redeeming them."""

from decimal import Decimal
from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, missing, not_simulated
from deploy.stripe_simulator.listing import page
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.periods import add_months
from deploy.stripe_simulator.resources.fields import metadata, one_of, plain, rounded, take
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World, new_id

Json = dict[str, Any]


@route("POST", "/v1/coupons", sdk.CouponCreateParams)
def create_coupon(world: World, params: Params) -> Json:
    """A coupon of a percentage or of an amount."""
    kind = one_of(params, "percent_off", "amount_off")
    duration = params.get("duration", "once")
    identifier = params.get("id") or new_id("", 8).strip("_")
    if world.peek(identifier):
        raise StripeError("Coupon already exists.", code="resource_already_exists", param="id")
    if duration == "repeating" and not params.get("duration_in_months"):
        raise StripeError("You must specify duration_in_months for a repeating coupon.", param="duration_in_months")
    percent = params["percent_off"] if kind == "percent_off" else None
    if percent is not None and not 0 < percent <= 100:
        raise StripeError("Invalid percent_off: must be between 0 and 100", param="percent_off")
    body: Json = {
        "object": "coupon",
        "id": identifier,
        "amount_off": params["amount_off"] if kind == "amount_off" else None,
        "percent_off": percent,
        "currency": params["currency"].lower() if kind == "amount_off" else None,
        "duration": duration,
        "times_redeemed": 0,
        "valid": True,
        "metadata": metadata(params),
    }
    take(body, params, "duration_in_months", "max_redemptions", "name", "redeem_by", "applies_to")
    coupon = world.new("", body)
    world.emit("coupon.created", coupon)
    return coupon


@route("POST", "/v1/coupons/{identifier}", sdk.CouponUpdateParams)
def update_coupon(world: World, params: Params, identifier: str) -> Json:
    """Change a coupon's name or metadata."""
    coupon = world.get(identifier, "coupon")
    with world.changes(coupon, "coupon.updated"):
        take(coupon, params, "name")
        coupon["metadata"] = metadata(params, coupon["metadata"])
    return coupon


@route("GET", "/v1/coupons/{identifier}", sdk.CouponRetrieveParams)
def retrieve_coupon(world: World, params: Params, identifier: str) -> Json:
    """One coupon."""
    return world.get(identifier, "coupon")


@route("DELETE", "/v1/coupons/{identifier}", sdk.CouponDeleteParams)
def delete_coupon(world: World, params: Params, identifier: str) -> Json:
    """Withdraw a coupon; who has redeemed it keeps the discount."""
    coupon = world.get(identifier, "coupon")
    world.emit("coupon.deleted", coupon)
    coupon["deleted"] = True
    world.save(coupon)
    return {"id": identifier, "object": "coupon", "deleted": True}


@route("GET", "/v1/coupons", sdk.CouponListParams)
def list_coupons(world: World, params: Params) -> Json:
    """Coupons."""
    return page(params, world.find("coupon"), "/v1/coupons")


@route("POST", "/v1/promotion_codes", sdk.PromotionCodeCreateParams)
def create_promotion_code(world: World, params: Params) -> Json:
    """A code that customers type in to redeem a coupon."""
    promotion = params["promotion"]
    coupon = world.get(promotion.get("coupon"), "coupon", "promotion[coupon]")
    code = params.get("code") or new_id("", 8).strip("_").upper()
    if any(item["code"].lower() == code.lower() and item["active"] for item in world.find("promotion_code")):
        raise StripeError("An active promotion code with that code already exists.", param="code")
    restrictions = plain(params.get("restrictions")) or {}
    if restrictions.get("minimum_amount") is not None:
        raise not_simulated("minimum amounts of promotion codes", "restrictions[minimum_amount]")
    body: Json = {
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "promotion": {"type": promotion["type"], "coupon": coupon["id"]},
        "restrictions": {"first_time_transaction": bool(restrictions.get("first_time_transaction"))},
        "times_redeemed": 0,
        "metadata": metadata(params),
    }
    take(body, params, "customer", "expires_at", "max_redemptions")
    made = world.new("promo", body)
    world.emit("promotion_code.created", made)
    return made


@route("POST", "/v1/promotion_codes/{identifier}", sdk.PromotionCodeUpdateParams)
def update_promotion_code(world: World, params: Params, identifier: str) -> Json:
    """Switch a code on or off."""
    code = world.get(identifier, "promotion_code")
    with world.changes(code, "promotion_code.updated"):
        take(code, params, "active")
        code["metadata"] = metadata(params, code["metadata"])
    return code


@route("GET", "/v1/promotion_codes/{identifier}", sdk.PromotionCodeRetrieveParams)
def retrieve_promotion_code(world: World, params: Params, identifier: str) -> Json:
    """One promotion code."""
    return world.get(identifier, "promotion_code")


@route("GET", "/v1/promotion_codes", sdk.PromotionCodeListParams)
def list_promotion_codes(world: World, params: Params) -> Json:
    """Promotion codes, also by their text."""
    wanted = {name: params.get(name) for name in ("active", "customer")}
    code, coupon = params.get("code"), params.get("coupon")

    def fits(item: Json) -> bool:
        return (
            all(value is None or item.get(name) == value for name, value in wanted.items())
            and (code is None or item["code"].lower() == code.lower())
            and (coupon is None or item["promotion"]["coupon"] == coupon)
        )

    return page(params, world.find("promotion_code"), "/v1/promotion_codes", fits)


# ---------------------------------------------------------------- redeeming


def find_code(world: World, text: str) -> Json | None:
    """The active promotion code with this text."""
    for code in world.find("promotion_code"):
        if code["active"] and code["code"].lower() == text.strip().lower():
            return code
    return None


def check_redeemable(world: World, coupon: Json, code: Json | None, customer: str | None, currency: str) -> None:
    """Raise unless the coupon (through the code, if one is given) may be redeemed now."""
    now = world.now()
    if coupon.get("deleted") or not coupon["valid"] or now > (coupon.get("redeem_by") or now):
        raise StripeError("This coupon is no longer valid.", code="coupon_expired", param="discounts")
    for item in filter(None, (coupon, code)):
        if item.get("max_redemptions") is not None and item["times_redeemed"] >= item["max_redemptions"]:
            raise StripeError("This coupon has been redeemed as often as it may be.", code="coupon_expired")
    if coupon["currency"] and coupon["currency"] != currency:
        raise StripeError("The coupon's currency is another one than the purchase's.", param="discounts")
    if code is None:
        return
    if not code["active"] or now > (code.get("expires_at") or now):
        raise StripeError("This promotion code is not active.", code="promotion_code_expired", param="discounts")
    if code.get("customer") and code["customer"] != customer:
        raise StripeError("This promotion code belongs to another customer.", param="discounts")
    bought = customer and any(item["status"] == "paid" for item in world.find("invoice", customer=customer))
    if code["restrictions"]["first_time_transaction"] and bought:
        raise StripeError(
            "This promotion code cannot be redeemed because the associated customer has prior transactions.",
            code="customer_has_prior_transactions",
        )


def redeem(world: World, params: Any, customer: str | None, currency: str, holder: Json) -> list[str]:
    """Turn `discounts=[{coupon|promotion_code|discount}]` into discount objects; returns their ids."""
    made = []
    for item in params or []:
        named = one_of(item, "coupon", "promotion_code", "discount")
        if named == "discount":
            if (kept := world.peek(item["discount"])) is None:
                raise missing("discount", item["discount"], "discounts")
            made.append(kept["id"])
            continue
        code = world.get(item["promotion_code"], "promotion_code", "discounts") if named == "promotion_code" else None
        coupon = world.get(code["promotion"]["coupon"] if code else item["coupon"], "coupon", "discounts")
        made.append(discount(world, coupon, code, customer, currency, holder)["id"])
    return made


def discount(world: World, coupon: Json, code: Json | None, customer: str | None, currency: str, holder: Json) -> Json:
    """Redeem a coupon for a subscription or an invoice."""
    check_redeemable(world, coupon, code, customer, currency)
    start = world.now(holder)
    for item in filter(None, (coupon, code)):
        item["times_redeemed"] += 1
        world.save(item)
    if coupon.get("max_redemptions") is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]:
        coupon["valid"] = False
    months = coupon.get("duration_in_months") if coupon["duration"] == "repeating" else None
    kind = holder["object"]
    return world.new(
        "di",
        {
            "object": "discount",
            "customer": customer,
            "start": start,
            "end": add_months(start, months) if months else None,
            "source": {"type": "coupon", "coupon": coupon["id"]},
            "promotion_code": code["id"] if code else None,
            kind if kind in {"subscription", "invoice"} else "checkout_session": holder["id"],
            "_": {"used": False},
        },
        like=holder,
    )


def is_live(world: World, item: Json, at: int) -> bool:
    """Tell whether a discount still takes something off an invoice of this time."""
    coupon = world.peek(item["source"]["coupon"])
    if coupon is None or (item["end"] is not None and at >= item["end"]):
        return False
    return coupon["duration"] != "once" or not item["_"]["used"]


def taken_off(coupon: Json, amount: int) -> int:
    """What a coupon takes off an amount."""
    if amount <= 0:
        return 0
    if coupon["percent_off"] is not None:
        return min(amount, rounded(amount * Decimal(str(coupon["percent_off"])) / 100))
    return min(amount, int(coupon["amount_off"]))
