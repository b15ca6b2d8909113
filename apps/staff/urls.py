"""The staff console's addresses; importing the pages registers them."""

from django.urls import path

from apps.staff import admin, views
from apps.staff.site import site

__all__ = ["admin", "urlpatterns", "views"]

urlpatterns = [path("staff/", site.urls)]
