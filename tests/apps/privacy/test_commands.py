"""What the operator does for people who belong to no organization any more."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.accounts.models import User
from apps.privacy.models import ErasedPerson
from tests.helpers.people import Tenant


def test_the_outsider_gets_an_export_and_is_erased(outsider: User, org_a: Tenant, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "outsider.zip"
    call_command("export_person", outsider.email.upper(), str(file))
    names = zipfile.ZipFile(file).namelist()
    assert "account/people.json" in names
    assert not [name for name in names if name.startswith("organizations/")]
    with pytest.raises(CommandError, match="already"):
        call_command("export_person", outsider.email, str(file))
    call_command("erase_person", outsider.email)
    assert "erased as erased-" in capsys.readouterr().out
    assert User.objects.get(pk=outsider.pk).email == f"{ErasedPerson.objects.get().pseudonym}@erased.invalid"
    assert User.objects.get(pk=org_a.owner.pk).is_active


@pytest.mark.parametrize("command", ["erase_person", "export_person"])
def test_a_stranger_is_named_as_one(db: None, command: str, tmp_path: Path) -> None:
    extra = [str(tmp_path / "x.zip")] if command == "export_person" else []
    with pytest.raises(CommandError, match="nobody"):
        call_command(command, "nobody@nowhere.example", *extra)


def test_the_only_owner_is_not_erased(org_a: Tenant) -> None:
    with pytest.raises(CommandError, match="only owner"):
        call_command("erase_person", org_a.owner.email)
    assert User.objects.get(pk=org_a.owner.pk).is_active
