"""Bodies of the licences' API, as they come and as they go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from apps.core.fields import Flag, StrictSerializer, Text, WholeNumber
from apps.core.jobs import Status
from apps.licensing.models import Licence, Machine, Policy, Product, SigningJob, State
from apps.licensing.services.machines import MOST_REQUEST_BYTES
from apps.licensing.services.products import MOST, MOST_DAYS


class ArtefactBody(StrictSerializer):
    path = Text(max_length=500)
    sha256 = Text(max_length=64)


class TermsBody(StrictSerializer):
    """What may be granted; what is left out is the policy's, or no limit."""

    seats = WholeNumber(required=False, min_value=1, max_value=MOST)
    most_machines = WholeNumber(required=False, min_value=1, max_value=MOST)
    floating = Flag(required=False)
    machine_bound = Flag(required=False)
    entitlements = serializers.ListField(child=Text(max_length=60), required=False, max_length=100)
    field_of_use = Text(required=False, max_length=5000, allow_blank=True)
    artefacts = ArtefactBody(many=True, required=False)
    days = WholeNumber(required=False, min_value=1, max_value=MOST_DAYS, help_text="Left out: for good.")


class CreateProduct(StrictSerializer):
    name = Text(max_length=120)
    code = Text(max_length=60, help_text="What licence files call it; it stays as it is.")
    description = Text(required=False, max_length=500, allow_blank=True)


class CreatePolicy(TermsBody):
    product = serializers.UUIDField()
    name = Text(max_length=120)
    price_minor = WholeNumber(required=False, min_value=1)
    currency = Text(required=False, max_length=3)
    is_published = Flag(required=False)


class ChangePolicy(TermsBody):
    name = Text(required=False, max_length=120)
    price_minor = WholeNumber(required=False, min_value=1)
    currency = Text(required=False, max_length=3)
    is_published = Flag(required=False)


class IssueLicence(TermsBody):
    policy = serializers.UUIDField()
    licensee = Text(max_length=200)
    email = Text(max_length=254)


class RenewLicence(StrictSerializer):
    days = WholeNumber(min_value=1, max_value=MOST_DAYS)


class SuspendLicence(StrictSerializer):
    reason = Text(required=False, max_length=300, allow_blank=True)


class RevokeLicence(StrictSerializer):
    reason = Text(max_length=300)


class TransferLicence(StrictSerializer):
    licensee = Text(max_length=200)
    email = Text(max_length=254)


class AnswerRequest(StrictSerializer):
    request = Text(max_length=MOST_REQUEST_BYTES, help_text="The text of the request file, as the licensee sent it.")


class Activate(StrictSerializer):
    fingerprint = Text(max_length=64)
    name = Text(required=False, max_length=120, allow_blank=True)


class Deactivate(StrictSerializer):
    fingerprint = Text(max_length=64)


class TakeSeat(StrictSerializer):
    holder = Text(max_length=120, help_text="Whatever the program calls its user; the same again is the heartbeat.")


class ProductBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["licence_product"])
    name = serializers.CharField()
    code = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class _Granted(serializers.Serializer[Any]):
    seats = serializers.IntegerField(allow_null=True)
    most_machines = serializers.IntegerField(allow_null=True)
    floating = serializers.BooleanField()
    machine_bound = serializers.BooleanField()
    entitlements = serializers.ListField(child=serializers.CharField())
    field_of_use = serializers.CharField(allow_blank=True)
    artefacts = ArtefactBody(many=True)


class PolicyBody(_Granted):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["licence_policy"])
    product = serializers.UUIDField()
    name = serializers.CharField()
    days = serializers.IntegerField(allow_null=True)
    price_minor = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    is_published = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class LicenceBody(_Granted):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["licence"])
    policy = serializers.UUIDField()
    product = serializers.CharField(help_text="Its code.")
    licensee = serializers.CharField()
    email = serializers.CharField()
    state = serializers.ChoiceField(State.choices)
    reason = serializers.CharField(allow_blank=True)
    starts_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    is_signed = serializers.BooleanField(help_text="Whether the file says what stands here.")
    file_expires_at = serializers.DateTimeField(allow_null=True)
    key = serializers.CharField(required=False, help_text="The licence key; only in the answer that makes it.")


class MachineBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["licence_machine"])
    fingerprint = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    activated_at = serializers.DateTimeField()
    released_at = serializers.DateTimeField(allow_null=True)


class LicenceFileBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["licence_file"])
    status = serializers.ChoiceField(["signed", "waiting"])
    licence = serializers.CharField(allow_null=True, help_text="The signed file; null while it waits for the signer.")
    file_expires_at = serializers.DateTimeField(allow_null=True)


class LicenceResponseBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["licence_response"])
    status = serializers.ChoiceField(["signed", "waiting"])
    response = serializers.CharField(
        allow_null=True, help_text="The response file, for the licensee; null while it waits for the signer."
    )


class SeatBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["licence_seat"])
    holder = serializers.CharField()
    taken_at = serializers.DateTimeField()
    lapses_at = serializers.DateTimeField(help_text="Send the same again before, to keep it.")
    used = serializers.IntegerField()
    seats = serializers.IntegerField()


class RevocationsBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["licence_revocations"])
    sequence = serializers.IntegerField()
    revocations = serializers.CharField(allow_null=True, help_text="The signed list; null while nothing was revoked.")


def _when(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def product_body(product: Product) -> dict[str, Any]:
    return {
        "id": str(product.pk),
        "object": "licence_product",
        "name": product.name,
        "code": product.code,
        "description": product.description,
        "created_at": _when(product.created_at),
    }


def policy_body(policy: Policy) -> dict[str, Any]:
    return {
        "id": str(policy.pk),
        "object": "licence_policy",
        "product": str(policy.product_id),
        "name": policy.name,
        "days": policy.days,
        **policy.terms,
        "price_minor": policy.price_minor,
        "currency": policy.currency,
        "is_published": policy.is_published,
        "created_at": _when(policy.created_at),
    }


def licence_body(licence: Licence, key: str = "") -> dict[str, Any]:
    """Of a row read with its state, policy and product."""
    return {
        "id": str(licence.pk),
        "object": "licence",
        "policy": str(licence.policy_id),
        "product": licence.policy.product.code,
        "licensee": licence.licensee,
        "email": licence.email,
        "state": licence.state,  # type: ignore[attr-defined]  # annotated by the query
        "reason": licence.reason,
        "starts_at": _when(licence.starts_at),
        "expires_at": _when(licence.expires_at),
        **licence.terms,
        "is_signed": licence.is_signed,
        "file_expires_at": _when(licence.file_expires_at),
        **({"key": key} if key else {}),
    }


def machine_body(machine: Machine) -> dict[str, Any]:
    return {
        "id": str(machine.pk),
        "object": "licence_machine",
        "fingerprint": machine.fingerprint,
        "name": machine.name,
        "activated_at": _when(machine.activated_at),
        "released_at": _when(machine.released_at),
    }


def file_body(licence: Licence, status: str) -> dict[str, Any]:
    signed = status == Status.SUCCEEDED
    return {
        "object": "licence_file",
        "status": "signed" if signed else "waiting",
        "licence": licence.file if signed else None,
        "file_expires_at": _when(licence.file_expires_at) if signed else None,
    }


def response_body(job: SigningJob) -> dict[str, Any]:
    signed = job.status == Status.SUCCEEDED
    return {
        "id": job.pk,
        "object": "licence_response",
        "status": "signed" if signed else "waiting",
        "response": job.file if signed else None,
    }


def terms_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a body says of the terms, as the services take it."""
    return {name: value for name, value in values.items() if name in TermsBody().fields}
