"""The tutorial way, to compare with: a consumer that joins a group, and one message to the group for each token."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.streaming.tutorial_settings")

from django.core.asgi import get_asgi_application

get_asgi_application()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402  (needs Django set up first)
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402


class TokenConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        self.group = self.scope["url_route"]["kwargs"]["id"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send_json({"type": "status"})

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def token(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "delta", "id": event["id"], "text": event["text"]})


application = ProtocolTypeRouter(
    {"websocket": URLRouter([path("ws/generations/<str:id>/", TokenConsumer.as_asgi())])}  # type: ignore[arg-type]
)
