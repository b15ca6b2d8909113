"""The guide's table of roles is the product's own."""

import re

from apps.accounts.permissions import PERMISSIONS, ROLE_PERMISSIONS
from tests.helpers.sources import ROOT


def test_the_guide_says_what_each_role_may_do() -> None:
    guide = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    section = guide.partition("### What each role may do")[2].partition("\n## ")[0]
    header, _, *rows = [line for line in section.splitlines() if line.startswith("|")]
    roles = [cell.strip() for cell in header.strip("|").split("|")][2:]
    said: dict[str, set[str]] = {role: set() for role in roles}
    for row in rows:
        name, _text, *marks = [cell.strip() for cell in row.strip("|").split("|")]
        for role, mark in zip(roles, marks, strict=True):
            said[role] |= {name.strip("`")} if mark else set()
    assert said == {role: set(given) for role, given in ROLE_PERMISSIONS.items() if role != "custom"}
    assert [re.sub("`", "", row.split("|")[1]).strip() for row in rows] == list(PERMISSIONS)
