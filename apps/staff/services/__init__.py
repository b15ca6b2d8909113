"""Every write of the staff console; each asks for the ability itself, and leaves an audit entry."""

from apps.staff.services.customers import change_plan, move_alias, repeat_generation, revoke_api_key
from apps.staff.services.market import decline_offer, end_sponsor, publish_offer, record_payout, save_sponsor
from apps.staff.services.payments import (
    acknowledge_finding,
    compare_with_stripe,
    give_up_operation,
    look_for_operation,
    retry_event,
)
from apps.staff.services.people import begin_impersonation, disable_person, enable_person, reset_factors
from apps.staff.services.switches import set_switch

__all__ = [
    "acknowledge_finding",
    "begin_impersonation",
    "change_plan",
    "compare_with_stripe",
    "decline_offer",
    "disable_person",
    "enable_person",
    "end_sponsor",
    "give_up_operation",
    "look_for_operation",
    "move_alias",
    "publish_offer",
    "record_payout",
    "repeat_generation",
    "reset_factors",
    "retry_event",
    "revoke_api_key",
    "save_sponsor",
    "set_switch",
]
