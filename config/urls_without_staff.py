"""Every address but the staff console's: what a process knows for callers from elsewhere (apps/staff/door.py)."""

from apps.core.routing import Addresses
from apps.staff import urls as staff
from config import urls
from config.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [Addresses([address for address in urls.everything if address not in staff.urlpatterns])]
