"""Pages and WebSockets of the studio, and the landing page."""

from django.urls import path

from apps.studio import views
from apps.studio.consumers import GenerationConsumer

urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("studio/", views.studio_page, name="studio"),
    path("studio/<uuid:id>/", views.generation_page, name="studio-generation"),
    path("studio/<uuid:id>/cancel/", views.cancel, name="studio-cancel"),
    path("studio/<uuid:id>/regenerate/", views.regenerate, name="studio-regenerate"),
    path("history/", views.history, name="history"),
]
websocket_urlpatterns = [path("ws/generations/<uuid:id>/", GenerationConsumer.as_asgi())]
