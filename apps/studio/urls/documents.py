"""Pages and WebSockets of documents."""

from django.urls import path

from apps.studio.document_sockets import DocumentConsumer
from apps.studio.views.documents import editor, export, listing, margin, shared, versions

urlpatterns = [
    path("documents/", listing.document_list, name="documents"),
    path("documents/preview/", editor.preview, name="document-preview"),
    path("documents/folders/<str:act>/", listing.folder_act, name="document-folder-act"),
    path("documents/<uuid:id>/", editor.document, name="document"),
    path("documents/<uuid:id>/save/", editor.save, name="document-save"),
    path("documents/<uuid:id>/margin/", margin.margin, name="document-margin"),
    path("documents/<uuid:id>/suggestions/", margin.suggest, name="document-suggest"),
    path(
        "documents/<uuid:id>/suggestions/<uuid:suggestion>/<str:act>/",
        margin.suggestion_act,
        name="document-suggestion-act",
    ),
    path("documents/<uuid:id>/comments/", margin.comment, name="document-comment"),
    path("documents/<uuid:id>/comments/<uuid:comment>/<str:act>/", margin.comment_act, name="document-comment-act"),
    path("documents/<uuid:id>/versions/", versions.versions, name="document-versions"),
    path("documents/<uuid:id>/versions/<int:number>/<str:act>/", versions.version_act, name="document-version-act"),
    path("documents/<uuid:id>/export/<str:format>/", export.export, name="document-export"),
    path("documents/<uuid:id>/act/<str:act>/", editor.act, name="document-act"),
    path("shared/<str:token>/", shared.shared, name="document-shared"),
]
websocket_urlpatterns = [path("ws/documents/<uuid:id>/", DocumentConsumer.as_asgi())]
