"""The SCIM filter language and patches, as RFC 7644 defines them and as Okta and Entra ID use them."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.errors import ScimInvalid
from apps.sso.scim.filters import Compare, Join, Not, Path, Within, parse_filter, parse_path
from apps.sso.scim.patches import apply

AT_WORK = Join("and", Compare("type", "eq", "work"), Compare("value", "co", "@x"))
A, B, C = Compare("a", "eq", 1), Compare("b", "pr"), Compare("c", "co", "x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('userName eq "bjensen"', Compare("userName", "eq", "bjensen")),
        ('userName Eq "b\\"j\\u00e9"', Compare("userName", "eq", 'b"jé')),
        ('name.familyName co "O\'Malley"', Compare("name.familyName", "co", "O'Malley")),
        ('urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"', Compare("userName", "sw", "J")),
        ("active eq true", Compare("active", "eq", True)),
        ('a eq 1 and b pr or c co "x"', Join("or", Join("and", A, B), C)),
        ('a eq 1 or b pr and c co "x"', Join("or", A, Join("and", B, C))),
        ('(a eq 1 or b pr) and c co "x"', Join("and", Join("or", A, B), C)),
        ("not (a eq 1)", Not(A)),
        (
            'emails[type eq "work" and value co "@x"]',
            Within("emails", Join("and", Compare("type", "eq", "work"), Compare("value", "co", "@x"))),
        ),
        ("a eq -1.5", Compare("a", "eq", -1.5)),
        ("a eq null", Compare("a", "eq", None)),
    ],
)
def test_a_filter_is_read_by_the_grammar(text: str, found: Any) -> None:
    assert parse_filter(text) == found


WRONG = """
userName
userName eq
userName like "x"
eq "x"
a eq 1 and
(a eq 1
a eq 1)
a eq "x
a eq x
not a eq 1
a[b eq 1
a eq 1 b eq 2
' or 1=1 --"""


@pytest.mark.parametrize(
    "text",
    [*WRONG.splitlines(), "(" * 50 + "a eq 1" + ")" * 50, "a eq 1 " * 500],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(ScimInvalid) as refusal:
        parse_filter(text)
    assert refusal.value.scim_type == "invalidFilter"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("active", Path("active")),
        ("name.givenName", Path("name", "givenName")),
        ('members[value eq "1"]', Path("members", "", Compare("value", "eq", "1"))),
        ('emails[type eq "work"].value', Path("emails", "value", Compare("type", "eq", "work"))),
        ("urn:ietf:params:scim:schemas:core:2.0:User:active", Path("active")),
    ],
)
def test_a_path_is_read(text: str, path: Path) -> None:
    assert parse_path(text) == path


def op(name: str, path: str | None = None, value: Any = None) -> dict[str, Any]:
    return {"op": name} | ({"path": path} if path else {}) | ({"value": value} if value is not None else {})


WORK = [{"type": "work", "value": "z@x"}]
GROUP = {"displayName": "G", "members": [{"value": "1"}, {"value": "2"}]}
USER = {
    "userName": "u",
    "active": True,
    "name": {"givenName": "A", "familyName": "B"},
    "emails": [{"type": "work", "value": "u@x"}],
}


@pytest.mark.parametrize(
    ("before", "operation", "changed"),
    [
        (USER, op("replace", None, {"active": False}), {"active": False}),
        (USER, op("Replace", "active", "False"), {"active": "False"}),
        (USER, op("replace", "name.givenName", "Z"), {"name": {"givenName": "Z", "familyName": "B"}}),
        (USER, op("add", None, {"name.givenName": "Z"}), {"name": {"givenName": "Z", "familyName": "B"}}),
        (USER, op("replace", 'emails[type eq "work"].value', "z@x"), {"emails": WORK}),
        (USER, op("remove", "name.givenName"), {"name": {"familyName": "B"}}),
        (USER, op("replace", "USERNAME", "z"), {"userName": "z"}),
        (
            {"userName": "u"},
            op("Add", 'emails[type eq "work"].value', "z@x"),
            {"emails": WORK},
        ),
        (GROUP, op("add", "members", [{"value": "3"}]), {"members": [{"value": "1"}, {"value": "2"}, {"value": "3"}]}),
        (GROUP, op("add", "members", [{"value": "1"}]), {}),
        (GROUP, op("remove", 'members[value eq "1"]'), {"members": [{"value": "2"}]}),
        (GROUP, op("Remove", "members", [{"value": "2"}]), {"members": [{"value": "1"}]}),
        (GROUP, op("remove", "members"), {"members": []}),
        (GROUP, op("replace", "members", [{"value": "9"}]), {"members": [{"value": "9"}]}),
        (GROUP, op("replace", None, {"id": "x", "displayName": "N"}), {"id": "x", "displayName": "N"}),
    ],
)
def test_a_patch_changes_what_it_names(
    before: dict[str, Any], operation: dict[str, Any], changed: dict[str, Any]
) -> None:
    original = repr(before)
    assert apply(before, [operation]) == before | changed
    assert repr(before) == original


@pytest.mark.parametrize(
    "operations",
    [
        None,
        [],
        "x",
        [1],
        [op("move", "a", 1)],
        [op("remove")],
        [op("replace", None, "x")],
        [op("replace", "a[", 1)],
        [op("replace", 'members[display co "x"]', {"a": 1})],
        [op("add", "active", True)] * 1001,
    ],
)
def test_a_patch_without_sense_is_refused(operations: Any) -> None:
    with pytest.raises(ScimInvalid):
        apply(GROUP, operations)
