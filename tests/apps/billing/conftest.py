"""Payments at the Stripe simulator, for those tests that ask for them."""

from tests.helpers.billing import pass_time as pass_time
from tests.helpers.billing import payments as payments
from tests.helpers.stripe_simulator import simulator as simulator
from tests.helpers.stripe_simulator import simulator_process as simulator_process
