"""Pages and WebSockets of generations, and the dashboard."""

from django.urls import path

from apps.studio.consumers import GenerationConsumer
from apps.studio.views import generations as views

urlpatterns = [
    path("dashboard/", views.dashboard, name="dashboard"),
    path("dashboard/guide/", views.show_guide, name="guide"),
    path("studio/", views.studio_page, name="studio"),
    path("studio/examples/<slug:name>/", views.write_example, name="studio-example"),
    path("studio/<uuid:id>/", views.generation_page, name="studio-generation"),
    path("studio/<uuid:id>/cancel/", views.cancel, name="studio-cancel"),
    path("studio/<uuid:id>/regenerate/", views.regenerate, name="studio-regenerate"),
    path("history/", views.history, name="history"),
]
websocket_urlpatterns = [path("ws/generations/<uuid:id>/", GenerationConsumer.as_asgi())]
