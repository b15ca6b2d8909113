"""Addresses of events, endpoints and calls in: pages and REST."""

from django.urls import path

from apps.webhooks import views
from apps.webhooks.api import endpoints, events, inbound

AT = "api/v1/webhooks"

urlpatterns = [
    path("settings/events/", views.events_page, name="events"),
    path("settings/events/types/", views.event_catalogue, name="event-catalogue"),
    path("settings/integrations/", views.integrations_page, name="integrations"),
    path("settings/webhooks/", views.webhooks_page, name="webhooks"),
    path("settings/webhooks/callbacks/", views.callbacks_page, name="webhook-callbacks"),
    path("settings/webhooks/messages/<uuid:id>/", views.delivery_page, name="webhook-delivery"),
    path("settings/webhooks/messages/<uuid:id>/again/", views.delivery_replay, name="webhook-delivery-replay"),
    path("settings/webhooks/<uuid:id>/", views.endpoint_page, name="webhook"),
    path("settings/webhooks/<uuid:id>/<str:act>/", views.endpoint_act, name="webhook-act"),
    path("settings/calls-in/", views.hooks_page, name="inbound-hooks"),
    path("settings/calls-in/<uuid:id>/", views.hook_page, name="inbound-hook"),
    path("settings/calls-in/<uuid:id>/<str:act>/", views.hook_act, name="inbound-hook-act"),
    path("hooks/<uuid:id>/", views.take_call, name="inbound-call"),
    path("api/v1/events", events.EventsView.as_view(), name="api-events"),
    path("api/v1/events/stream", events.EventStreamView.as_view(), name="api-event-stream"),
    path("api/v1/event-types", events.EventTypesView.as_view(), name="api-event-types"),
    path(f"{AT}/endpoints", endpoints.EndpointsView.as_view(), name="api-webhook-endpoints"),
    path(f"{AT}/endpoints/<str:id>", endpoints.EndpointView.as_view(), name="api-webhook-endpoint"),
    path(f"{AT}/endpoints/<str:id>/pause", endpoints.PauseView.as_view(), name="api-webhook-pause"),
    path(f"{AT}/endpoints/<str:id>/resume", endpoints.ResumeView.as_view(), name="api-webhook-resume"),
    path(f"{AT}/endpoints/<str:id>/test", endpoints.TestView.as_view(), name="api-webhook-test"),
    path(f"{AT}/endpoints/<str:id>/replay", endpoints.ReplayView.as_view(), name="api-webhook-replay"),
    path(f"{AT}/endpoints/<str:id>/secrets", endpoints.SecretsView.as_view(), name="api-webhook-secrets"),
    path(f"{AT}/endpoints/<str:id>/secrets/<str:secret>", endpoints.SecretView.as_view(), name="api-webhook-secret"),
    path(f"{AT}/deliveries", endpoints.DeliveriesView.as_view(), name="api-webhook-deliveries"),
    path(f"{AT}/deliveries/<str:id>", endpoints.DeliveryView.as_view(), name="api-webhook-delivery"),
    path(f"{AT}/deliveries/<str:id>/replay", endpoints.ReplayDeliveryView.as_view(), name="api-delivery-replay"),
    path(f"{AT}/inbound", inbound.HooksView.as_view(), name="api-inbound-hooks"),
    path(f"{AT}/inbound/<str:id>", inbound.HookView.as_view(), name="api-inbound-hook"),
    path(f"{AT}/inbound/<str:id>/secret", inbound.SecretView.as_view(), name="api-inbound-secret"),
    path(f"{AT}/inbound/<str:id>/try", inbound.TryView.as_view(), name="api-inbound-try"),
    path(f"{AT}/inbound/<str:id>/calls", inbound.CallsView.as_view(), name="api-inbound-calls"),
]
