"""What sentences of the audit log say in place of the names of a policy's fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

_FIELDS: Final[dict[str, Promise]] = {
    "name": gettext_lazy("name"),
    "days": gettext_lazy("number of days"),
    "seats": gettext_lazy("seats"),
    "floating": gettext_lazy("floating seats"),
    "most_machines": gettext_lazy("machines"),
    "machine_bound": gettext_lazy("activated machines only"),
    "entitlements": gettext_lazy("entitlements"),
    "field_of_use": gettext_lazy("field of use"),
    "artefacts": gettext_lazy("files of the product"),
    "price_minor": gettext_lazy("price"),
    "currency": gettext_lazy("currency"),
    "is_published": gettext_lazy("whether others can buy it"),
}


def _changed(values: Mapping[str, Any]) -> dict[str, str]:
    return {"what": ", ".join(str(_FIELDS.get(name, name)) for name in values.get("what") or [])}


SAYS: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, str]]]] = {"licence_policy.changed": _changed}
