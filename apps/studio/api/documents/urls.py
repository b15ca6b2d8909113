"""Addresses of documents in the REST API."""

from django.urls import path

from apps.studio.api.documents import documents, parts

ONE = "api/v1/documents/<str:id>"
urlpatterns = [
    path("api/v1/document-folders", documents.FoldersView.as_view(), name="api-document-folders"),
    path("api/v1/document-folders/<str:id>", documents.FolderView.as_view(), name="api-document-folder"),
    path("api/v1/documents", documents.DocumentsView.as_view(), name="api-documents"),
    path(ONE, documents.DocumentView.as_view(), name="api-document"),
    path(f"{ONE}/undelete", documents.UndeleteView.as_view(), name="api-document-undelete"),
    path(f"{ONE}/duplicate", documents.DuplicateView.as_view(), name="api-document-duplicate"),
    path(f"{ONE}/export/<str:format>", documents.ExportView.as_view(), name="api-document-export"),
    path(f"{ONE}/versions", parts.VersionsView.as_view(), name="api-document-versions"),
    path(f"{ONE}/versions/<str:number>", parts.VersionView.as_view(), name="api-document-version"),
    path(f"{ONE}/versions/<str:number>/restore", parts.RestoreView.as_view(), name="api-document-version-restore"),
    path(f"{ONE}/suggestions", parts.SuggestionsView.as_view(), name="api-suggestions"),
    path(f"{ONE}/suggestions/<str:suggestion>", parts.SuggestionView.as_view(), name="api-suggestion"),
    path(f"{ONE}/suggestions/<str:suggestion>/accept", parts.AcceptView.as_view(), name="api-suggestion-accept"),
    path(f"{ONE}/suggestions/<str:suggestion>/reject", parts.RejectView.as_view(), name="api-suggestion-reject"),
    path(f"{ONE}/comments", parts.CommentsView.as_view(), name="api-comments"),
    path(f"{ONE}/comments/<str:comment>", parts.CommentView.as_view(), name="api-comment"),
    path(f"{ONE}/comments/<str:comment>/answers", parts.AnswersView.as_view(), name="api-comment-answers"),
    path(f"{ONE}/comments/<str:comment>/resolve", parts.ResolveView.as_view(), name="api-comment-resolve"),
    path(f"{ONE}/comments/<str:comment>/reopen", parts.ReopenView.as_view(), name="api-comment-reopen"),
    path(f"{ONE}/shares", parts.SharesView.as_view(), name="api-document-shares"),
    path(f"{ONE}/shares/<str:share>", parts.ShareView.as_view(), name="api-document-share"),
]
