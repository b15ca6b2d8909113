"""Settings of the tutorial way: Channels with its Redis layer, as its documentation shows it."""

import os

SECRET_KEY = "of-a-benchmark"  # noqa: S105
INSTALLED_APPS = ["channels"]
DATABASES: dict[str, object] = {}
USE_TZ = True
# redis-py's own time limit is that of the layer's blocking read: with it, a consumer that waits is ended.
HOST = {"address": os.environ.get("REDIS_URL", ""), "socket_timeout": None}
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [HOST]}},
}
