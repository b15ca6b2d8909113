"""Pages of schedules."""

from django.urls import path

from apps.studio.views import schedules as views

urlpatterns = [
    path("schedules/", views.schedule_list, name="schedules"),
    path("schedules/new/", views.new_schedule, name="schedule-new"),
    path("schedules/mail/<str:token>/", views.recipient_page, name="schedule-recipient"),
    path("schedules/<uuid:id>/", views.schedule_page, name="schedule"),
    path("schedules/<uuid:id>/edit/", views.edit_schedule, name="schedule-edit"),
    path("schedules/<uuid:id>/<str:act>/", views.schedule_act, name="schedule-act"),
]
