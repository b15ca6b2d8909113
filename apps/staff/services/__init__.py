"""Every write of the staff console; each asks for the ability itself, and leaves an audit entry."""

from apps.staff.services.customers import change_plan, move_alias, repeat_generation, revoke_api_key
from apps.staff.services.people import begin_impersonation, disable_person, enable_person, reset_factors
from apps.staff.services.switches import set_switch

__all__ = [
    "begin_impersonation",
    "change_plan",
    "disable_person",
    "enable_person",
    "move_alias",
    "repeat_generation",
    "reset_factors",
    "revoke_api_key",
    "set_switch",
]
