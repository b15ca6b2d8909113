"""Usage as pages, API and exports read it: sums of a month by meter, model, member, key, team and day."""

from apps.billing.usage.filters import (
    DAY,
    GROUPINGS,
    METER,
    METER_NAMES,
    NOBODY,
    OF_MEMBERS,
    TEAM,
    TEXT,
    Filters,
    filters_of,
)
from apps.billing.usage.lines import Breakdown, Line, breakdown, chosen, tokens_by_day, total_of
from apps.billing.usage.terms import Applied, applied_of
from apps.billing.usage.totals import Counted, Totals

__all__ = [
    "DAY",
    "GROUPINGS",
    "METER",
    "METER_NAMES",
    "NOBODY",
    "OF_MEMBERS",
    "TEAM",
    "TEXT",
    "Applied",
    "Breakdown",
    "Counted",
    "Filters",
    "Line",
    "Totals",
    "applied_of",
    "breakdown",
    "chosen",
    "filters_of",
    "tokens_by_day",
    "total_of",
]
