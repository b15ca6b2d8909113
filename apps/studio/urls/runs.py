"""Pages of runs, and what people think of texts."""

from django.urls import path

from apps.studio.views import feedback, runs

urlpatterns = [
    path("runs/", runs.run_list, name="runs"),
    path("runs/new/", runs.run_new, name="run-new"),
    path("runs/results/", runs.run_results, name="run-results"),
    path("runs/evaluation-data.jsonl", runs.evaluation_data, name="evaluation-data"),
    path("runs/<uuid:id>/", runs.run_page, name="run"),
    path("runs/<uuid:id>/vote/", runs.run_vote, name="run-vote"),
    path("runs/<uuid:id>/stop/", runs.run_stop, name="run-stop"),
    path("runs/variants/<uuid:id>/<str:act>/", runs.variant_act, name="variant-act"),
    path("studio/<uuid:id>/feedback/", feedback.rate, name="studio-feedback"),
    path("studio/<uuid:id>/favourite/", feedback.favourite, name="studio-favourite"),
]
