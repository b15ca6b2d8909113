"""No page asks the database more than a dozen questions."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.architecture.conftest import World
from tests.architecture.test_authorization import ROUTES, path_of
from tests.helpers.counting import MOST, questions_in


def test_no_page_asks_more_than_a_dozen_questions(world: World) -> None:
    """The world has a row of everything; that more rows need no more questions, each application tests of its own."""
    owner, stranger = world.named("owner"), world.named("nobody")
    counts = {}
    for name, route in ROUTES.items():
        path = path_of(route, world.a.ids)
        if "GET" not in route.rules or path.startswith(("/api/v", "/v1/", "/scim/")):
            continue
        who = stranger if route.rules["GET"].audience == "everyone" else owner
        with CaptureQueriesContext(connection) as asked:
            answer = world.ask(who, "GET", path)
        if answer.status_code == 200 and answer.get("content-type", "").startswith("text/html"):
            counts[f"{name} {path}"] = questions_in(asked)
    assert {page: count for page, count in counts.items() if count > MOST} == {}
