"""Rows of the market as JSON."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.fields import StrictSerializer, Text, WholeNumber
from apps.market.licences import LicenceCode
from apps.market.models import (
    Earning,
    EarningKind,
    Listing,
    Offer,
    OfferKind,
    OfferState,
    Purchase,
    PurchaseState,
    Sale,
)
from apps.market.services.offers import CURRENCIES, LONGEST, MOST_MINOR


class FileBody(serializers.Serializer[Any]):
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    url = serializers.CharField(
        required=False, help_text="Of what was bought, unless it is gone: works for a quarter of an hour."
    )


class ListingBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["listing"])
    kind = serializers.ChoiceField(OfferKind.choices)
    title = serializers.CharField()
    description = serializers.CharField(help_text="Markdown.")
    sample = serializers.CharField(allow_blank=True)
    seller = serializers.CharField()
    version = serializers.IntegerField()
    licence = serializers.ChoiceField(LicenceCode.choices)
    licence_version = serializers.CharField()
    licence_text = serializers.CharField()
    licence_sha256 = serializers.CharField()
    price_minor = serializers.IntegerField()
    currency = serializers.CharField()
    files = FileBody(many=True)
    files_sha256 = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class OfferBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["offer"])
    kind = serializers.ChoiceField(OfferKind.choices)
    title = serializers.CharField()
    description = serializers.CharField()
    sample = serializers.CharField(allow_blank=True)
    licence = serializers.ChoiceField(LicenceCode.choices)
    licence_text = serializers.CharField(allow_blank=True)
    price_minor = serializers.IntegerField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(OfferState.choices)
    version = serializers.IntegerField(help_text="How often it was published.")
    review_note = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class PurchaseBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["purchase"])
    kind = serializers.ChoiceField(OfferKind.choices)
    title = serializers.CharField()
    seller = serializers.CharField()
    version = serializers.IntegerField()
    licence = serializers.ChoiceField(LicenceCode.choices)
    licence_version = serializers.CharField()
    licence_sha256 = serializers.CharField()
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    order = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(PurchaseState.choices)
    files = FileBody(many=True)
    created_at = serializers.DateTimeField()
    checkout_url = serializers.CharField(required=False, help_text="Where it is paid; only in the answer to buying.")


class SaleBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["sale"])
    kind = serializers.ChoiceField(OfferKind.choices)
    title = serializers.CharField()
    buyer = serializers.CharField()
    version = serializers.IntegerField()
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(PurchaseState.choices)
    created_at = serializers.DateTimeField()


class EarningBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["earning"])
    kind = serializers.ChoiceField(EarningKind.choices)
    sale = serializers.UUIDField(allow_null=True)
    amount_minor = serializers.IntegerField(help_text="Negative where less is owed afterwards.")
    currency = serializers.CharField()
    reference = serializers.CharField()
    created_at = serializers.DateTimeField()


class WriteOffer(StrictSerializer):
    kind = serializers.ChoiceField(OfferKind.choices)
    title = Text(max_length=LONGEST["title"])
    description = Text(max_length=LONGEST["description"], help_text="Markdown.")
    sample = Text(max_length=LONGEST["sample"], required=False, allow_blank=True)
    licence = serializers.ChoiceField(LicenceCode.choices)
    licence_text = Text(
        max_length=LONGEST["licence_text"], required=False, allow_blank=True, help_text="Only with the licence `own`."
    )
    price_minor = WholeNumber(min_value=100, max_value=MOST_MINOR)
    currency = serializers.ChoiceField(CURRENCIES)


class Buy(StrictSerializer):
    licence_sha256 = Text(min_length=64, max_length=64, help_text="Of the text that is accepted, from the listing.")


def _plain(row: Any, kind: str, *names: str) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in names}
    return {"id": str(row.pk), "object": kind, **found, "created_at": row.created_at.isoformat()}


def _files(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the path, which is nobody's business."""
    return [{name: file[name] for name in ("name", "size", "sha256")} for file in files]


def listing_body(row: Listing) -> dict[str, Any]:
    names = "kind title description sample version licence licence_version licence_text licence_sha256 price_minor"
    body = _plain(row, "listing", *names.split(), "currency", "files_sha256")
    return body | {"seller": row.seller_name, "files": _files(row.files)}


def offer_body(row: Offer) -> dict[str, Any]:
    names = "kind title description sample licence licence_text price_minor currency state version review_note"
    return _plain(row, "offer", *names.split())


def purchase_body(row: Purchase, urls: list[str] | None = None) -> dict[str, Any]:
    names = "kind title version licence licence_version licence_sha256 amount_minor currency state"
    files = _files(row.files)
    for file, url in zip(files, urls or [], strict=False):
        if url:
            file["url"] = url
    order = str(row.order_id) if row.order_id else None
    return _plain(row, "purchase", *names.split()) | {"seller": row.seller_name, "order": order, "files": files}


def sale_body(row: Sale) -> dict[str, Any]:
    return _plain(row, "sale", *"kind title version amount_minor currency state".split()) | {"buyer": row.buyer_name}


def earning_body(row: Earning) -> dict[str, Any]:
    sale = str(row.sale_id) if row.sale_id else None
    return _plain(row, "earning", *"kind amount_minor currency reference".split()) | {"sale": sale}
