"""Where events go, what has gone there, and what comes in."""

from apps.webhooks.models.callbacks import Callback
from apps.webhooks.models.deliveries import Delivery, DeliveryAttempt, DeliveryState
from apps.webhooks.models.endpoints import Endpoint, EndpointKind, Format, Payload, Scheme, SigningSecret, Stopped
from apps.webhooks.models.inbound import CallState, InboundCall, InboundHook, Sender

__all__ = [
    "CallState",
    "Callback",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Endpoint",
    "EndpointKind",
    "Format",
    "InboundCall",
    "InboundHook",
    "Payload",
    "Scheme",
    "Sender",
    "SigningSecret",
    "Stopped",
]
