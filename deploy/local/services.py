"""PostgreSQL and Redis as child processes, their data in a folder of the caller's choice.

Each server listens on a free port of 127.0.0.1 behind a generated password, so any number of copies run side by side.
The folder remembers port and password; a later start finds its data again, also after kill -9. Only one process may
have a folder at a time.
"""

from deploy.local.postgres_server import start_postgres
from deploy.local.processes import ServiceError
from deploy.local.redis_server import start_redis
from deploy.local.service import Service

__all__ = ["Service", "ServiceError", "start_postgres", "start_redis"]
