"""Tax when `automatic_tax` is on: one standard rate for each country, and reverse charge within Europe.

This stands in for a tax service, so that invoices have tax lines. The rates are no tax advice.
"""

from decimal import Decimal
from typing import Any

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.resources.customers import EU
from deploy.stripe_simulator.resources.fields import rounded
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
SELLER = "IE"
RATES = {
    "AT": "20",
    "BE": "21",
    "DE": "19",
    "DK": "25",
    "ES": "21",
    "FI": "25.5",
    "FR": "20",
    "IE": "23",
    "IT": "22",
    "LU": "17",
    "NL": "21",
    "PL": "23",
    "PT": "23",
    "SE": "25",
    "CZ": "21",
    "GR": "24",
    "HU": "27",
    "RO": "21",
    "GB": "20",
    "CH": "8.1",
    "NO": "25",
    "AU": "10",
    "NZ": "15",
    "JP": "10",
    "SG": "9",
    "CA": "5",
    "IN": "18",
}


def country_of(customer: Json) -> str | None:
    """Where the customer is, if an address says so."""
    found = (customer["address"] or {}).get("country")
    return str(found) if found else None


def require_location(customer: Json) -> None:
    """Raise unless the customer's place is known, which automatic tax needs."""
    if country_of(customer) is None:
        raise StripeError(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically "
            "calculate tax.",
            code="customer_tax_location_invalid",
            param="automatic_tax",
        )


def rate_for(world: World, customer: Json) -> tuple[Decimal, str]:
    """The rate in percent and why it is that, in Stripe's words."""
    country = country_of(customer)
    if customer["tax_exempt"] == "exempt":
        return Decimal(0), "customer_exempt"
    if country not in RATES:
        return Decimal(0), "not_collecting"
    if customer["tax_exempt"] == "reverse" or (country in EU and country != SELLER and _is_business(world, customer)):
        return Decimal(0), "reverse_charge"
    return Decimal(RATES[country]), "standard_rated"


def _is_business(world: World, customer: Json) -> bool:
    return any(
        item["type"] == "eu_vat" and item["verification"]["status"] == "verified"
        for item in world.find("tax_id", parent=customer["id"])
    )


def tax_rate(world: World, country: str, percentage: Decimal) -> str:
    """The id of the tax rate object for a country's rate."""
    identifier = f"txr_simulator_{country}_{str(percentage).replace('.', '_')}"
    if world.peek(identifier) is None:
        world.new(
            "txr",
            {
                "object": "tax_rate",
                "id": identifier,
                "active": True,
                "country": country,
                "display_name": "GST" if country in {"AU", "NZ", "CA", "SG", "IN"} else "VAT",
                "inclusive": False,
                "percentage": float(percentage),
                "effective_percentage": float(percentage),
                "tax_type": "gst" if country in {"AU", "NZ", "CA", "SG", "IN"} else "vat",
                "jurisdiction": country,
                "metadata": {},
            },
        )
    return identifier


def taxes(world: World, customer: Json, amount: int, inclusive: bool) -> list[Json]:
    """The tax of one line whose amount after discounts is given."""
    if country_of(customer) is None:
        return []
    rate, reason = rate_for(world, customer)
    part = amount * rate / (100 + rate if inclusive else 100)
    tax = rounded(part)
    return [
        {
            "amount": tax,
            "tax_behavior": "inclusive" if inclusive else "exclusive",
            "tax_rate_details": {"tax_rate": tax_rate(world, country_of(customer) or "", rate)},
            "taxability_reason": reason,
            "taxable_amount": amount - tax if inclusive else amount,
            "type": "tax_rate_details",
        }
    ]
