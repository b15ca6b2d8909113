"""Every address of the product."""

from django.conf import settings
from django.urls import include, path

from apps.core import views as core
from apps.core.documentation import DocumentationView, SchemaView
from apps.core.media import media
from apps.core.metrics import web as metrics
from apps.core.routing import Addresses, Pattern
from apps.staff import urls as staff

everything: list[Pattern] = [
    # First, since programs ask for these all the time.
    path("", include("apps.studio.api.urls")),
    path("robots.txt", core.robots, name="robots"),
    path("healthz", core.healthz, name="healthz"),
    path("readyz", core.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("media/<str:token>/", media, name="media"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("", include("apps.accounts.urls")),
    path("", include("apps.sso.urls")),
    path("", include("apps.studio.urls")),
    path("", include("apps.registry.urls")),
    path("", include("apps.billing.urls")),
    path("", include("apps.licensing.urls")),
    path("", include("apps.market.urls")),
    path("", include("apps.knowledge.urls")),
    path("", include("apps.support.urls")),
    path("", include("apps.webhooks.urls")),
    path("", include("apps.privacy.urls")),
    path("", include("apps.support.urls.bots")),
    *staff.urlpatterns,
    path("api/schema", SchemaView.as_view(), name="api-schema"),
    path("api/docs", DocumentationView.as_view(), name="api-docs"),
]
if settings.SOCIALACCOUNT_PROVIDERS:
    everything += [
        path("accounts/3rdparty/", include("allauth.socialaccount.urls")),
        *(
            path("accounts/", include(f"allauth.socialaccount.providers.{provider}.urls"))
            for provider in settings.SOCIALACCOUNT_PROVIDERS
        ),
    ]
urlpatterns = [Addresses(everything)]

handler400 = "apps.core.views.bad_request"
handler403 = "apps.core.views.permission_denied"
handler404 = "apps.core.views.page_not_found"
handler500 = "apps.core.views.server_error"
