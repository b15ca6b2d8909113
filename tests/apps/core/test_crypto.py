"""Envelopes open where they were made, and nowhere else, and not when a single byte differs."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from apps.accounts.models import User
from apps.core import crypto, keyring
from apps.core.crypto import Place, SealedText
from apps.core.errors import SealedValueUnreadable, UnknownFieldKey
from apps.core.ids import uuid7
from apps.core.models import IdempotencyKey

HERE = Place(UUID(int=1), "sso_connection", "client_secret", str(UUID(int=2)))
SECRET = "a secret of nobody else: 密码"


def test_a_secret_comes_back_and_stands_in_no_envelope() -> None:
    envelope = crypto.seal(SECRET, HERE)
    assert crypto.unseal(envelope, HERE) == SECRET
    assert SECRET not in envelope
    assert crypto.unseal(crypto.seal("", HERE), HERE) == ""


def test_the_same_secret_never_looks_the_same() -> None:
    assert len({crypto.seal(SECRET, HERE) for _ in range(50)}) == 50


def test_an_envelope_names_its_key(settings: Any) -> None:
    settings.FIELD_KEYS = keyring.generate("k7")
    assert crypto.seal(SECRET, HERE).startswith("v1.k7.")
    assert crypto.key_id(crypto.seal(SECRET, HERE)) == "k7"


def test_every_changed_byte_is_found() -> None:
    envelope = crypto.seal("secret", HERE)
    for index, letter in enumerate(envelope):
        for other in {"A", "z", "-", ".", chr(ord(letter) ^ 1)} - {letter}:
            forged = envelope[:index] + other + envelope[index + 1 :]
            with pytest.raises(SealedValueUnreadable):
                crypto.unseal(forged, HERE)


def test_a_shortened_or_lengthened_envelope_is_found() -> None:
    envelope = crypto.seal("secret", HERE)
    for forged in [*(envelope[:length] for length in range(len(envelope))), envelope + "A", envelope + "=", "\n"]:
        with pytest.raises(SealedValueUnreadable):
            crypto.unseal(forged, HERE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(HERE, organization=UUID(int=3)),
        replace(HERE, organization=None),
        replace(HERE, table="webhooks_endpoint"),
        replace(HERE, column="other"),
        replace(HERE, row=str(UUID(int=4))),
        replace(HERE, table="sso_connectionclient_secret", column=""),
    ],
)
def test_an_envelope_copied_elsewhere_does_not_open(elsewhere: Place) -> None:
    with pytest.raises(SealedValueUnreadable):
        crypto.unseal(crypto.seal(SECRET, HERE), elsewhere)


def test_a_key_that_is_gone_is_told_apart(settings: Any) -> None:
    envelope = crypto.seal(SECRET, HERE)
    settings.FIELD_KEYS = keyring.generate("another")
    with pytest.raises(UnknownFieldKey) as refused:
        crypto.unseal(envelope, HERE)
    assert refused.value.code == "field_key_unknown"


def test_another_key_under_the_same_id_does_not_open(settings: Any) -> None:
    settings.FIELD_KEYS = keyring.generate("k1")
    envelope = crypto.seal(SECRET, HERE)
    settings.FIELD_KEYS = keyring.generate("k1")
    with pytest.raises(SealedValueUnreadable):
        crypto.unseal(envelope, HERE)


def test_resealing_changes_the_key_and_not_the_secret(settings: Any) -> None:
    old, new = keyring.generate("old"), keyring.generate("new")
    settings.FIELD_KEYS = old
    envelope = crypto.seal(SECRET, HERE)
    settings.FIELD_KEYS = f"{new},{old}"
    resealed = crypto.reseal(envelope, HERE)
    assert crypto.key_id(resealed) == "new"
    assert crypto.reseal(resealed, HERE) == resealed
    settings.FIELD_KEYS = new
    assert crypto.unseal(resealed, HERE) == SECRET


# ---------------------------------------------------------------- in a row


def test_a_row_seals_its_own_column_before_it_is_saved() -> None:
    mine, others = IdempotencyKey(organization_id=uuid7()), IdempotencyKey(organization_id=uuid7())
    crypto.seal_into(mine, "key", SECRET)
    assert crypto.unseal_from(mine, "key") == SECRET
    others.key = mine.key
    with pytest.raises(SealedValueUnreadable):
        crypto.unseal_from(others, "key")
    others.organization_id = mine.organization_id
    with pytest.raises(SealedValueUnreadable):
        crypto.unseal_from(others, "key")
    crypto.seal_into(mine, "key", "")
    assert (mine.key, crypto.unseal_from(mine, "key")) == ("", "")


def test_a_row_without_a_primary_key_is_refused() -> None:
    person = User(email="a@b.example")
    person.pk = None
    with pytest.raises(ValueError, match="primary key"):
        crypto.seal_into(person, "name", SECRET)


def test_a_column_of_envelopes_takes_no_plain_text() -> None:
    field = SealedText()
    field.name = field.attname = field.column = "secret"
    envelope = crypto.seal(SECRET, HERE)
    assert field.get_db_prep_save(envelope, connection) == envelope
    assert field.get_db_prep_save("", connection) == ""
    for plain in (SECRET, "v1.k1", "v1.k1.%%"):
        with pytest.raises(ValidationError):
            field.get_db_prep_save(plain, connection)
