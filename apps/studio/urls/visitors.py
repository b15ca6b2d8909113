"""The landing page and its live demo."""

from django.urls import path

from apps.studio.views import visitors as views

urlpatterns = [
    path("", views.home, name="home"),
    path("demo/", views.write, name="demo"),
    path("demo/<str:token>/stream", views.stream, name="demo-stream"),
]
