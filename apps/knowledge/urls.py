"""Addresses of knowledge."""

from django.urls import path

from apps.knowledge import views
from apps.knowledge.api import embeddings, rest

urlpatterns = [
    path("knowledge/", views.knowledge_page, name="knowledge"),
    path("knowledge/search/", views.search, name="knowledge-search"),
    path("knowledge/<uuid:id>/", views.collection, name="knowledge-collection"),
    path("knowledge/<uuid:id>/<slug:act>/", views.collection_act, name="knowledge-collection-act"),
    path("knowledge/documents/<uuid:id>/", views.document, name="knowledge-document"),
    path("knowledge/documents/<uuid:id>/<slug:act>/", views.document_act, name="knowledge-document-act"),
    path("knowledge/passages/<uuid:id>/", views.passage, name="knowledge-passage"),
    path("knowledge/versions/<uuid:id>/file/", views.version_file, name="knowledge-version-file"),
    path("api/v1/knowledge/collections", rest.CollectionsView.as_view(), name="api-knowledge-collections"),
    path("api/v1/knowledge/collections/<str:id>", rest.CollectionView.as_view(), name="api-knowledge-collection"),
    path("api/v1/knowledge/documents", rest.DocumentsView.as_view(), name="api-knowledge-documents"),
    path("api/v1/knowledge/documents/<str:id>", rest.DocumentView.as_view(), name="api-knowledge-document"),
    path("api/v1/knowledge/files", rest.FilesView.as_view(), name="api-knowledge-files"),
    path("api/v1/knowledge/search", rest.SearchView.as_view(), name="api-knowledge-search"),
    path("v1/embeddings", embeddings.EmbeddingsView.as_view(), name="openai-embeddings"),
]
