"""Every write of single sign-on and directories."""

from apps.sso.services.admission import Admitted, admit, note_refusal, spend_assertion
from apps.sso.services.connections import (
    GIVEN_ROLES,
    Mapping,
    change_connection,
    create_oidc,
    create_saml,
    delete_connection,
    find_connection,
    get_connection,
    note_tested,
    switch_connection,
)
from apps.sso.services.domains import (
    claim_domain,
    connections_for,
    domain_of,
    get_domain,
    remove_domain,
    verify_domain,
)
from apps.sso.services.rules import create_rule, delete_rule

__all__ = [
    "GIVEN_ROLES",
    "Admitted",
    "Mapping",
    "admit",
    "change_connection",
    "claim_domain",
    "connections_for",
    "create_oidc",
    "create_rule",
    "create_saml",
    "delete_connection",
    "delete_rule",
    "domain_of",
    "find_connection",
    "get_connection",
    "get_domain",
    "note_refusal",
    "note_tested",
    "remove_domain",
    "spend_assertion",
    "switch_connection",
    "verify_domain",
]
