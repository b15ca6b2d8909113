"""Pages of single sign-on and directories, and the directory's API."""

from django.urls import path

from apps.sso.api import views as scim
from apps.sso.views import console, directory, entrance, policy, stepping

urlpatterns = [
    path("sso/", entrance.sso_login, name="sso-login"),
    path("sso/step-up/", stepping.step_up, name="step-up"),
    path("sso/owner-code/", stepping.owner_code, name="sso-owner-code"),
    path("sso/start/<uuid:id>/", entrance.start, name="sso-start"),
    path("sso/oidc/<uuid:id>/callback/", entrance.oidc_callback, name="sso-oidc-callback"),
    path("sso/saml/<uuid:id>/acs/", entrance.saml_acs, name="sso-saml-acs"),
    path("sso/saml/<uuid:id>/finish/", entrance.saml_finish, name="sso-saml-finish"),
    path("sso/saml/<uuid:id>/metadata/", entrance.saml_metadata, name="sso-saml-metadata"),
    path("settings/sso/", console.overview, name="sso-overview"),
    path("settings/sso/new/<slug:protocol>/", console.new_connection, name="sso-new"),
    path("settings/sso/connections/<uuid:id>/", console.connection, name="sso-connection"),
    path("settings/sso/connections/<uuid:id>/switch/", console.switch, name="sso-switch"),
    path("settings/sso/connections/<uuid:id>/test/", console.test_connection, name="sso-test"),
    path("settings/sso/connections/<uuid:id>/remove/", console.remove_connection, name="sso-remove"),
    path("settings/sso/domains/", console.add_domain, name="sso-domain-add"),
    path("settings/sso/domains/<uuid:id>/verify/", console.verify_domain, name="sso-domain-verify"),
    path("settings/sso/domains/<uuid:id>/remove/", console.remove_domain, name="sso-domain-remove"),
    path("settings/sso/rules/", console.add_rule, name="sso-rule-add"),
    path("settings/sso/rules/<uuid:id>/remove/", console.remove_rule, name="sso-rule-remove"),
    path("settings/security/", policy.policy, name="security-policy"),
    path("settings/security/owner-codes/", policy.renew_codes, name="owner-codes"),
    path("settings/directory/", directory.directory, name="sso-directory"),
    path("settings/directory/tokens/<uuid:id>/end/", directory.end_token, name="sso-token-end"),
    path("scim/v2/ServiceProviderConfig", scim.ServiceProviderConfig.as_view(), name="scim-config"),
    path("scim/v2/ResourceTypes", scim.ResourceTypes.as_view(), name="scim-resource-types"),
    path("scim/v2/ResourceTypes/<str:name>", scim.ResourceTypes.as_view(), name="scim-resource-type"),
    path("scim/v2/Schemas", scim.Schemas.as_view(), name="scim-schemas"),
    path("scim/v2/Schemas/<str:name>", scim.Schemas.as_view(), name="scim-schema"),
    path("scim/v2/Users", scim.Users.as_view(), name="scim-users"),
    path("scim/v2/Users/<uuid:id>", scim.User.as_view(), name="scim-person"),
    path("scim/v2/Groups", scim.Groups.as_view(), name="scim-groups"),
    path("scim/v2/Groups/<uuid:id>", scim.Group.as_view(), name="scim-group"),
]
