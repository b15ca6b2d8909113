"""The staff console's site: Django's admin in unfold's dress, behind a door of its own and across all organizations."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from allauth.account.views import logout
from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView
from unfold.sites import UnfoldAdminSite

from apps.core.errors import MillraceError
from apps.core.tenancy import Across, across_tenants
from apps.core.views import error_response
from apps.staff import door

# Alpine evaluates the expressions in unfold's attributes, and its templates hold a few inline styles (decision 26).
RELAXED = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}
View = Callable[..., HttpResponse]


class StaffSite(UnfoldAdminSite):
    """Every view of it passes `admin_view`, which is the one gate; there is no sign-in form of its own."""

    index_title: str | Promise = _("Staff console")
    final_catch_all_view = False
    pages: list[tuple[str, View, str]] = []

    def page(self, route: str, name: str) -> Callable[[View], View]:
        """Registers a page that belongs to no model."""

        def add(view: View) -> View:
            self.pages = [*self.pages, (route, view, name)]
            return view

        return add

    def has_permission(self, request: HttpRequest) -> bool:
        return door.is_open(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Lets staff in, runs the view and renders its answer across tenants, and turns expected errors into pages."""

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            stopped = door.stop(request)
            if stopped is not None:
                return stopped
            try:
                with across_tenants(Across.STAFF):
                    answer: Any = view(request, *args, **kwargs)
                    # Lists and forms ask the database while they are rendered.
                    return answer.render() if getattr(answer, "is_rendered", True) is False else answer
            except MillraceError as error:
                return error_response(request, error)

        guarded = csp_update(RELAXED)(inner)
        guarded = guarded if cacheable else never_cache(guarded)
        return update_wrapper(guarded, view)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Only what the console offers: no sign-in and no passwords of Django's, no shortcut to objects."""
        urls: list[URLPattern | URLResolver] = [
            path("", self.admin_view(self.index), name="index"),
            path("search/", self.admin_view(self.search), name="search"),
            path("jsi18n/", self.admin_view(self.i18n_javascript, cacheable=True), name="jsi18n"),
            path("logout/", self.admin_view(logout), name="logout"),
            path(
                "password_change/",
                self.admin_view(RedirectView.as_view(pattern_name="account_change_password")),
                name="password_change",
            ),
            path("apps/<str:app_label>/", self.admin_view(self.app_index), name="app_list"),
        ]
        urls += [path(route, self.admin_view(view), name=name) for route, view, name in self.pages]
        for model, model_admin in self._registry.items():
            meta = model._meta
            urls.append(path(f"{meta.app_label}/{meta.model_name}/", include(model_admin.urls)))
        return urls


site = StaffSite(name="staff")
