"""Time zones as people choose them."""

from zoneinfo import available_timezones

from apps.core import zones


def test_places_and_utc_are_offered_and_nothing_that_only_machines_know() -> None:
    offered = zones.offered()
    assert {"UTC", "Europe/Berlin", "Asia/Shanghai", "America/Argentina/Buenos_Aires"} <= set(offered)
    assert not {"Factory", "localtime", "EST5EDT", "Etc/GMT+5"} & set(offered)
    assert set(offered) <= available_timezones() and offered == sorted(offered)
