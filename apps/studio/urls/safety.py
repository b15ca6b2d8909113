"""Pages of safety rules."""

from django.urls import path

from apps.studio.views import safety as views

urlpatterns = [
    path("settings/safety/", views.rules, name="safety"),
    path("settings/safety/test/", views.test, name="safety-test"),
    path("settings/safety/classifiers/", views.classifiers, name="safety-classifiers"),
]
