"""The web process: static files, HTTP and WebSockets behind one ASGI application."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()

from django.conf import settings  # noqa: E402

from apps.core import patience  # noqa: E402

patience.bound(settings.DATABASE_ANSWER_SECONDS)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402  (models need Django set up first)
from django.core.signals import request_started  # noqa: E402
from django.db import close_old_connections, reset_queries  # noqa: E402
from django.urls import re_path  # noqa: E402

from apps.core.metrics.web import listening  # noqa: E402
from apps.core.shutdown import lifespan  # noqa: E402
from apps.core.slow import SlowClients  # noqa: E402
from apps.core.static import StaticFiles  # noqa: E402
from apps.core.threads import KeptThreads  # noqa: E402
from apps.core.websockets import OriginCheck, nothing_here  # noqa: E402
from apps.studio.urls import websocket_urlpatterns as studio_sockets  # noqa: E402
from apps.support.urls import websocket_urlpatterns as support_sockets  # noqa: E402

# At its end each request gives its connection back to the pool, so that at the start of the next there is nothing to
# close; and to find that out would take a change of threads.
if not settings.DEBUG:
    request_started.disconnect(close_old_connections)
    request_started.disconnect(reset_queries)

# Channels routes applications where Django routes views.
nowhere = re_path("", nothing_here)  # type: ignore[arg-type]
sockets = URLRouter([*studio_sockets, *support_sockets, nowhere])
application = ProtocolTypeRouter(
    {
        "http": SlowClients(StaticFiles(KeptThreads(django))),
        "websocket": SlowClients(OriginCheck(sockets)),
        "lifespan": listening(lifespan),
    }
)
