"""Products and prices."""

from decimal import Decimal
from typing import Any

from stripe import params as sdk

from deploy.stripe_simulator.errors import StripeError, missing, not_simulated
from deploy.stripe_simulator.listing import page, search
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.resources.fields import metadata, plain, rounded, take
from deploy.stripe_simulator.routing import route
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
PRODUCT_FIELDS = (
    "active",
    "description",
    "images",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
    "shippable",
)


@route("POST", "/v1/products", sdk.ProductCreateParams)
def create_product(world: World, params: Params) -> Json:
    """A product, under the caller's id where one is given."""
    identifier = params.get("id")
    if identifier and world.peek(identifier):
        raise StripeError("Product already exists.", code="resource_already_exists", param="id")
    body: Json = {
        "object": "product",
        "id": identifier,
        "active": True,
        "images": [],
        "marketing_features": [],
        "name": params["name"],
        "metadata": metadata(params),
        "type": params.get("type", "service"),
        "updated": world.now(),
        "default_price": None,
    }
    take(body, params, *PRODUCT_FIELDS)
    product = world.new("prod", body)
    if (data := params.get("default_price_data")) is not None:
        product["default_price"] = make_price(world, data, product=product["id"])["id"]
        world.save(product)
    world.emit("product.created", product)
    return product


@route("POST", "/v1/products/{identifier}", sdk.ProductUpdateParams)
def update_product(world: World, params: Params, identifier: str) -> Json:
    """Change a product."""
    product = world.get(identifier, "product")
    with world.changes(product, "product.updated"):
        take(product, params, "name", "default_price", *PRODUCT_FIELDS)
        product["metadata"] = metadata(params, product["metadata"])
        product["updated"] = world.now()
    return product


@route("GET", "/v1/products/search", sdk.ProductSearchParams)
def search_products(world: World, params: Params) -> Json:
    """Products by metadata."""
    return search(params, world.find("product"), "/v1/products/search")


@route("GET", "/v1/products/{identifier}", sdk.ProductRetrieveParams)
def retrieve_product(world: World, params: Params, identifier: str) -> Json:
    """One product."""
    return world.get(identifier, "product")


@route("DELETE", "/v1/products/{identifier}", sdk.ProductDeleteParams)
def delete_product(world: World, params: Params, identifier: str) -> Json:
    """Delete a product that has no price."""
    product = world.get(identifier, "product")
    if world.find("price", parent=identifier):
        raise StripeError("This product cannot be deleted because it has one or more user-created prices.")
    world.emit("product.deleted", product)
    world.remove(product)
    return {"id": identifier, "object": "product", "deleted": True}


@route("GET", "/v1/products", sdk.ProductListParams)
def list_products(world: World, params: Params) -> Json:
    """Products."""
    active, ids = params.get("active"), params.get("ids")
    return page(
        params,
        world.find("product"),
        "/v1/products",
        lambda item: (active is None or item["active"] == active) and (ids is None or item["id"] in ids),
    )


# ---------------------------------------------------------------- prices


def make_price(world: World, params: Params, product: str | None = None) -> Json:
    """A price from `price_data`, or from the parameters of a new price."""
    product = product or params["product"]
    world.get(product, "product", "product")
    amount, decimal = params.get("unit_amount"), params.get("unit_amount_decimal")
    if (amount is None) == (decimal is None):
        raise StripeError("You must specify one of unit_amount, unit_amount_decimal.", param="unit_amount")
    exact = Decimal(amount) if amount is not None else Decimal(decimal)
    if exact < 0:
        raise StripeError("Invalid non-negative integer", param="unit_amount")
    recurring = params.get("recurring")
    return world.new(
        "price",
        {
            "object": "price",
            "active": True,
            "billing_scheme": "per_unit",
            "currency": params["currency"].lower(),
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": product,
            "recurring": _recurring(recurring) if recurring is not None else None,
            "type": "recurring" if recurring is not None else "one_time",
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "unit_amount": int(exact) if exact == exact.to_integral_value() else None,
            "unit_amount_decimal": f"{exact.normalize():f}",
        },
        parent=product,
    )


def _recurring(params: Params) -> Json:
    if params.get("usage_type", "licensed") != "licensed" or params.get("meter"):
        raise not_simulated("metered prices", "recurring[usage_type]")
    return {
        "interval": params["interval"],
        "interval_count": params.get("interval_count", 1),
        "meter": None,
        "trial_period_days": params.get("trial_period_days"),
        "usage_type": "licensed",
    }


def _take_lookup_key(world: World, params: Params, price: Json) -> None:
    key = params.get("lookup_key")
    if key is None:
        return
    for other in world.find("price"):
        if other["lookup_key"] == key and other["id"] != price["id"]:
            if not params.get("transfer_lookup_key"):
                raise StripeError(f"A price (`{other['id']}`) already uses that lookup key.", param="lookup_key")
            with world.changes(other, "price.updated"):
                other["lookup_key"] = None
    price["lookup_key"] = key or None


@route("POST", "/v1/prices", sdk.PriceCreateParams)
def create_price(world: World, params: Params) -> Json:
    """A price of a product, or of one that is made along with it."""
    product = None
    if (data := params.get("product_data")) is not None:
        product = create_product(world, data)["id"]
    price = make_price(world, params, product)
    price |= {"nickname": params.get("nickname"), "active": params.get("active", True)}
    price["metadata"] = metadata(params)
    if params.get("billing_scheme", "per_unit") != "per_unit":
        raise not_simulated("tiered prices", "billing_scheme")
    _take_lookup_key(world, params, price)
    world.save(price)
    world.emit("price.created", price)
    return price


@route("POST", "/v1/prices/{identifier}", sdk.PriceUpdateParams)
def update_price(world: World, params: Params, identifier: str) -> Json:
    """Change what may change of a price; never its amount."""
    price = world.get(identifier, "price")
    with world.changes(price, "price.updated"):
        take(price, params, "active", "nickname", "tax_behavior")
        price["metadata"] = metadata(params, price["metadata"])
        _take_lookup_key(world, params, price)
    return price


@route("GET", "/v1/prices/search", sdk.PriceSearchParams)
def search_prices(world: World, params: Params) -> Json:
    """Prices by metadata."""
    return search(params, world.find("price"), "/v1/prices/search")


@route("GET", "/v1/prices/{identifier}", sdk.PriceRetrieveParams)
def retrieve_price(world: World, params: Params, identifier: str) -> Json:
    """One price."""
    return world.get(identifier, "price")


@route("GET", "/v1/prices", sdk.PriceListParams)
def list_prices(world: World, params: Params) -> Json:
    """Prices, also by lookup key."""
    wanted = {name: params.get(name) for name in ("active", "currency", "product", "type")}
    keys, recurring = params.get("lookup_keys"), plain(params.get("recurring")) or {}

    def fits(price: Json) -> bool:
        if any(value is not None and price[name] != value for name, value in wanted.items()):
            return False
        if keys is not None and price.get("lookup_key") not in keys:
            return False
        return all((price["recurring"] or {}).get(name) == value for name, value in recurring.items())

    return page(params, world.find("price"), "/v1/prices", fits)


def price_of(world: World, params: Params, *, recurring: bool | None, param: str) -> Json:
    """The price that a line names or describes; raises when it is no longer sold or of the wrong kind."""
    data = params.get("price_data")
    if (data is None) == (params.get("price") is None):
        raise StripeError(f"You must specify either `price` or `price_data` in {param}.", param=param)
    if data is None:
        price = world.get(params["price"], "price", f"{param}[price]")
    else:
        price = make_price(world, data, _product_of(world, data))
    if data is None and not price["active"]:
        raise StripeError("The price specified is inactive. This field only accepts active prices.", param=param)
    if recurring is not None and (price["recurring"] is not None) != recurring:
        word = "recurring" if recurring else "one_time"
        raise StripeError(f"The price specified is not {word}. This field only accepts {word} prices.", param=param)
    return price


def _product_of(world: World, data: Params) -> str | None:
    described = data.get("product_data")
    return create_product(world, described)["id"] if described is not None else None


def amount_of(price: Json, quantity: int) -> int:
    """What so many units of a price cost."""
    return rounded(Decimal(price["unit_amount_decimal"]) * quantity)


def get_price(world: World, identifier: Any) -> Json:
    """A price that is known to be there."""
    found = world.peek(identifier)
    if found is None:
        raise missing("price", str(identifier), "price")
    return found
