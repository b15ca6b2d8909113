"""Pages of brand voices."""

from django.urls import path

from apps.studio.views import voices

urlpatterns = [
    path("voices/", voices.index, name="voices"),
    path("voices/new/", voices.new, name="voice-new"),
    path("voices/<slug:slug>/", voices.voice, name="voice"),
    path("voices/<slug:slug>/edit/", voices.edit, name="voice-edit"),
    path("voices/<slug:slug>/restore/", voices.restore_version, name="voice-restore-version"),
    path("voices/<slug:slug>/archive/", voices.archive, name="voice-archive"),
]
