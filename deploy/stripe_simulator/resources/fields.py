"""What several resources share: metadata, copies of given fields, money."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.params import Params

Json = dict[str, Any]


def rounded(value: Decimal) -> int:
    """Half a minor unit goes away from zero. Stripe documents no rule for halves; see decision 33."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def share(amount: int, part: int, whole: int) -> int:
    """`amount * part / whole` in whole minor units."""
    return rounded(Decimal(amount) * part / whole) if whole else 0


def metadata(params: Params, before: dict[str, str] | None = None) -> dict[str, str]:
    """The object's metadata after the request: keys are added, an empty value removes its key, empty removes all."""
    given = params.get("metadata")
    if given is None:
        return dict(before or {})
    if given == "":
        return {}
    merged = {**(before or {}), **given.plain()}
    if len(merged) > 50:
        raise StripeError("You may only specify up to 50 keys for metadata.", param="metadata")
    for name, value in merged.items():
        if len(name) > 40 or len(str(value)) > 500:
            raise StripeError("Metadata keys have up to 40 characters, values up to 500.", param=f"metadata[{name}]")
    return {name: value for name, value in merged.items() if value != ""}


def plain(value: Any) -> Any:
    """A parameter that is kept as it was given; the empty text, which unsets, becomes None."""
    if isinstance(value, Params):
        return value.plain()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if value == "" else value


def take(target: Json, params: Params, *names: str) -> None:
    """Copy the named parameters that were given into the object."""
    for name in names:
        value = params.get(name)
        if value is not None:
            target[name] = plain(value)


def one_of(params: Params, *names: str) -> str:
    """The one of these parameters that was given; more or none is refused."""
    given = [name for name in names if name in params]
    if len(given) != 1:
        raise StripeError(f"You must specify exactly one of these parameters: {', '.join(names)}.", param=names[0])
    return given[0]


def address(value: Any) -> Json | None:
    """An address with all its fields, or None."""
    given = plain(value)
    if given is None:
        return None
    return {name: given.get(name) for name in ("city", "country", "line1", "line2", "postal_code", "state")}
