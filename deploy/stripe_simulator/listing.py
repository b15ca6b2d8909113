"""Lists as Stripe pages them, expansion of ids to objects, and search by metadata."""

import re
from collections.abc import Callable
from typing import Any

from deploy.stripe_simulator.errors import StripeError, missing, not_simulated
from deploy.stripe_simulator.params import Params
from deploy.stripe_simulator.world import World

Json = dict[str, Any]
Condition = Callable[[Json], bool]
# What is in an answer only when it is asked for: (kind, field) -> fn(world, answer).
INCLUDED: dict[tuple[str, str], Callable[[World, Json], Any]] = {}


def includes(kind: str, field: str) -> Callable[[Callable[[World, Json], Any]], Callable[[World, Json], Any]]:
    """Register what fills a field that is answered only when it is expanded."""

    def register(fill: Callable[[World, Json], Any]) -> Callable[[World, Json], Any]:
        INCLUDED[kind, field] = fill
        return fill

    return register


def page(params: Params, items: list[Json], url: str, condition: Condition = lambda item: True) -> Json:
    """One page of `items` (the oldest first), the newest first."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise StripeError("Invalid limit: must be between 1 and 100", param="limit")
    created = params.get("created")
    kept = [item for item in reversed(items) if condition(item) and _within(item.get("created", 0), created)]
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise StripeError("You may only specify one of these parameters: starting_after, ending_before.")
    if before:
        kept = kept[: _position(kept, before, "ending_before")]
        return _list(kept[-limit:], len(kept) > limit, url)
    if after:
        kept = kept[_position(kept, after, "starting_after") + 1 :]
    return _list(kept[:limit], len(kept) > limit, url)


def _list(data: list[Json], more: bool, url: str) -> Json:
    return {"object": "list", "data": data, "has_more": more, "url": url}


def _position(items: list[Json], identifier: str, param: str) -> int:
    for index, item in enumerate(items):
        if item["id"] == identifier:
            return index
    raise missing("object", identifier, param)


def _within(created: int, bounds: Any) -> bool:
    if bounds is None:
        return True
    if isinstance(bounds, int):
        return created == bounds
    return (
        created > bounds.get("gt", created - 1)
        and created >= bounds.get("gte", created)
        and created < bounds.get("lt", created + 1)
        and created <= bounds.get("lte", created)
    )


# ---------------------------------------------------------------- expansion


def expand(world: World, answer: Any, paths: list[str]) -> None:
    """Replace ids by the objects they name, in place; `a.b` goes on inside what `a` became."""
    for path in paths:
        if path.count(".") > 4:
            raise StripeError(f"You cannot expand more than 4 levels of a property ({path}).", param="expand")
        _expand(world, answer, path.split("."), path)


def _expand(world: World, value: Any, steps: list[str], path: str) -> None:
    if isinstance(value, list):
        for item in value:
            _expand(world, item, steps, path)
        return
    if not steps or value is None:
        return
    step, rest = steps[0], steps[1:]
    if not isinstance(value, dict):
        raise _cannot_expand(path)
    if value.get("object") == "list" and step != "data":
        raise _cannot_expand(path)
    fill = INCLUDED.get((str(value.get("object")), step))
    if value.get(step) is None and fill:
        value[step] = world.render(fill(world, value))
    elif step not in value:
        raise _cannot_expand(path)
    else:
        value[step] = _opened(world, value[step], path, last=not rest)
    _expand(world, value[step], rest, path)


def _opened(world: World, value: Any, path: str, last: bool) -> Any:
    if isinstance(value, str):
        if (found := world.peek(value)) is None:
            raise _cannot_expand(path)
        return world.render(found)
    if isinstance(value, list):
        return [world.render(world.peek(item)) if isinstance(item, str) else item for item in value]
    return value


def _cannot_expand(path: str) -> StripeError:
    return StripeError(f"This property cannot be expanded ({path}).", param="expand")


# ---------------------------------------------------------------- search


def search(params: Params, items: list[Json], url: str) -> Json:
    """Stripe's search, of which `field:'text'` and `metadata['key']:'text'`, joined by AND, are understood."""
    conditions = [_condition(part) for part in re.split(r"\s+AND\s+", params["query"].strip())]
    limit, start = params.get("limit", 10), int(params.get("page") or 0)
    found = [item for item in reversed(items) if all(holds(item) for holds in conditions)]
    more = len(found) > start + limit
    return {
        "object": "search_result",
        "data": found[start : start + limit],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": url,
    }


def _condition(part: str) -> Condition:
    match = re.fullmatch(r"""(?:metadata\[["'](?P<key>[^"']+)["']\]|(?P<field>\w+)):["'](?P<text>[^"']*)["']""", part)
    if match is None:
        raise not_simulated(f"the search {part!r}", "query")
    key, field, text = match["key"], match["field"], match["text"]
    if key is not None:
        return lambda item: (item.get("metadata") or {}).get(key) == text
    return lambda item: str(item.get(field)) == text
