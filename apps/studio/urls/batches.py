"""Pages of batches."""

from django.urls import path

from apps.studio.views import batches as views

urlpatterns = [
    path("batches/", views.batch_list, name="batches"),
    path("batches/<str:id>/", views.batch_page, name="batch"),
    path("batches/<str:id>/cancel/", views.cancel, name="batch-cancel"),
    path("batches/<str:id>/<str:file>/", views.download, name="batch-file"),
]
