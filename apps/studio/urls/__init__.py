"""Pages and WebSockets of the studio, one module per topic, and the landing page."""

from apps.studio.urls import (
    batches,
    bulk,
    conversations,
    documents,
    generations,
    runs,
    safety,
    schedules,
    templates,
    visitors,
    voices,
)

urlpatterns = [
    *visitors.urlpatterns,
    *generations.urlpatterns,
    *conversations.urlpatterns,
    *runs.urlpatterns,
    *documents.urlpatterns,
    *bulk.urlpatterns,
    *batches.urlpatterns,
    *safety.urlpatterns,
    *schedules.urlpatterns,
    *templates.urlpatterns,
    *voices.urlpatterns,
]
websocket_urlpatterns = [*generations.websocket_urlpatterns, *documents.websocket_urlpatterns]
