"""Pages of conversations."""

from django.urls import path

from apps.studio.views import asking
from apps.studio.views import conversations as views

urlpatterns = [
    path("knowledge/ask/", asking.ask, name="knowledge-ask"),
    path("chat/", views.chat, name="chat"),
    path("chat/<uuid:id>/", views.conversation_page, name="chat-conversation"),
    path("chat/<uuid:id>/messages/", views.send, name="chat-send"),
    path("chat/<uuid:id>/turns/<uuid:turn>/<str:act>/", views.turn_act, name="chat-turn-act"),
    path("chat/<uuid:id>/settings/", views.set_up, name="chat-settings"),
    path("chat/<uuid:id>/export.md", views.export, {"format": "md"}, name="chat-markdown"),
    path("chat/<uuid:id>/export.json", views.export, {"format": "json"}, name="chat-json"),
    path("chat/<uuid:id>/<str:act>/", views.act, name="chat-act"),
]
