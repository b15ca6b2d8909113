"""Quantities of meters in words that people use: hours instead of seconds, and what a rate is for."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from apps.billing.models import Meter

# What a rate is for, where it is for one of it.
_ONE: dict[tuple[str, int], str | Promise] = {
    (Meter.TOKENS_IN, 1): _("token"),
    (Meter.TOKENS_OUT, 1): _("token"),
    (Meter.IMAGES, 1): _("image"),
    (Meter.CAMERA_MINUTES, 1): _("camera minute"),
    (Meter.BOT_RESOLUTIONS, 1): _("resolution"),
    (Meter.TRAINING_SECONDS, 1): _("second"),
    (Meter.TRAINING_SECONDS, 60): _("minute"),
    (Meter.TRAINING_SECONDS, 3600): _("hour"),
}


def quantity(meter: str, amount: int) -> str:
    """So much of a meter, exactly: `1,000,000 tokens`, `10 h`."""
    if meter == Meter.TRAINING_SECONDS:
        return _time(amount)
    n = {"n": f"{amount:,}"}
    match meter:
        case Meter.TOKENS_IN | Meter.TOKENS_OUT:
            return ngettext("%(n)s token", "%(n)s tokens", amount) % n
        case Meter.IMAGES:
            return ngettext("%(n)s image", "%(n)s images", amount) % n
        case Meter.CAMERA_MINUTES:
            return ngettext("%(n)s camera minute", "%(n)s camera minutes", amount) % n
        case Meter.BOT_RESOLUTIONS:
            return ngettext("%(n)s resolution", "%(n)s resolutions", amount) % n
    return f"{amount:,}"


def figures(meter: str, amount: int) -> str:
    """So much of a meter that is named beside it: `1,000,000`, and time in hours, minutes and seconds."""
    return _time(amount) if meter == Meter.TRAINING_SECONDS else f"{amount:,}"


def per(meter: str, amount: int) -> str:
    """What a rate is for: `1,000,000 tokens`, or `hour`."""
    one = _ONE.get((meter, amount))
    return str(one) if one is not None else quantity(meter, amount)


def _time(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    parts = ((gettext("%(n)s h"), hours), (gettext("%(n)s min"), rest // 60), (gettext("%(n)s s"), rest % 60))
    return " ".join(words % {"n": f"{n:,}"} for words, n in parts if n) or gettext("%(n)s s") % {"n": 0}
