"""Pages of templates."""

from django.urls import path

from apps.studio.views.templates import editing, listing, using, versions

urlpatterns = [
    path("templates/", listing.index, name="templates"),
    path("templates/settings/", listing.change_settings, name="template-settings"),
    path("templates/library/", listing.library_index, name="template-library"),
    path("templates/library/<slug:key>/", listing.library_entry, name="template-library-entry"),
    path("templates/library/<slug:key>/use/", listing.use_entry, name="template-library-use"),
    path("templates/new/", editing.new, name="template-new"),
    path("templates/<slug:slug>/", using.use, name="template"),
    path("templates/<slug:slug>/edit/", editing.edit, name="template-edit"),
    path("templates/<slug:slug>/copy/", editing.duplicate, name="template-copy"),
    path("templates/<slug:slug>/archive/", editing.archive, name="template-archive"),
    path("templates/<slug:slug>/versions/", versions.versions, name="template-versions"),
    path("templates/<slug:slug>/versions/act/", versions.act, name="template-act"),
    path("templates/<slug:slug>/share/", versions.share, name="template-share"),
    path("templates/<slug:slug>/diff/", versions.diff, name="template-diff"),
]
