"""Time zones as people choose them."""

from __future__ import annotations

from zoneinfo import available_timezones


def offered() -> list[str]:
    """Zones of places, and UTC: without what only machines know, such as Factory and Etc/GMT+5, which is west."""
    return sorted(
        name for name in available_timezones() if name == "UTC" or ("/" in name and not name.startswith("Etc/"))
    )
