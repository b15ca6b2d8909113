"""Pages that a browser can click: plain forms, no script, labelled as a simulator, in nobody's frame."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from deploy.stripe_simulator.api import Answer, Request
from deploy.stripe_simulator.errors import StripeError
from deploy.stripe_simulator.pages.html import document, h

if TYPE_CHECKING:
    from deploy.stripe_simulator.simulator import Simulator

View = Callable[..., Answer]
VIEWS: list[tuple[str, re.Pattern[str], View]] = []


@dataclass(frozen=True)
class Visit:
    """A request for a page, with what its form holds."""

    simulator: Simulator
    form: dict[str, str]


def view(method: str, path: str) -> Callable[[View], View]:
    """Register a page; `{name}` in the path becomes an argument."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(show: View) -> View:
        VIEWS.append((method, pattern, show))
        return show

    return register


def answer(simulator: Simulator, request: Request) -> Answer:
    """Answer a request for a page; a refusal is a page too."""
    if request.method == "POST" and not _from_here(simulator, request):
        return page("Refused", h("p", "This form was sent from elsewhere."), 403)
    form = {name: values[-1] for name, values in parse_qs(request.body or request.query, True).items()}
    for method, pattern, show in VIEWS:
        if method == request.method and (match := pattern.fullmatch(request.path)):
            try:
                return show(Visit(simulator, form), **match.groupdict())
            except StripeError as error:
                return page("That did not work", h("p", str(error), role="alert") + h("p", _back()), error.status)
            except Exception:
                traceback.print_exc()
                return page("The simulator failed", h("p", "Its log says why."), 500)
    return page("Nothing is here", h("p", _back()), 404)


def _from_here(simulator: Simulator, request: Request) -> bool:
    """Tell whether a form was sent by one of these pages: a page elsewhere may not press their buttons."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _back() -> Any:
    return h("a", "Overview of the simulator", href="/simulator/")


def page(title: str, content: Any, status: int = 200) -> Answer:
    """A page of the simulator."""
    return Answer(status, document(title, content), content="text/html; charset=utf-8")


def redirect(to: str) -> Answer:
    """Send the browser elsewhere."""
    return Answer(303, "", {"location": to})
