"""Which function answers which call of Stripe's API."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.stripe_simulator.params import NoParams

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One call: its method and path, the SDK's type of its parameters, and what answers it."""

    method: str
    pattern: re.Pattern[str]
    params: Any
    handler: Handler
    template: str


ROUTES: list[Route] = []


def route(method: str, path: str, params: Any = NoParams) -> Callable[[Handler], Handler]:
    """Register the answer to `method path`; `{name}` in the path becomes an argument."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, params, handler, path))
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a call and the arguments in its path. Literal paths win over those with a name."""
    found = [(item, match) for item in ROUTES if item.method == method and (match := item.pattern.fullmatch(path))]
    if not found:
        return None
    best, match = min(found, key=lambda pair: pair[0].template.count("{"))
    return best, match.groupdict()
