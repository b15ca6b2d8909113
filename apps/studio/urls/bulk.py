"""Pages of bulk runs."""

from django.urls import path

from apps.studio.views import bulk as views

urlpatterns = [
    path("bulk/", views.runs, name="bulk"),
    path("bulk/new/", views.new_run, name="bulk-new"),
    path("bulk/<uuid:id>/", views.run_page, name="bulk-run"),
    path("bulk/<uuid:id>/progress/", views.run_progress, name="bulk-progress"),
    path("bulk/<uuid:id>/download/<str:format>/", views.download, name="bulk-download"),
    path("bulk/<uuid:id>/<str:act>/", views.run_act, name="bulk-act"),
]
