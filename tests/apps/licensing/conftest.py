"""Payments at the Stripe simulator, for licences that are bought."""

from tests.helpers.billing import payments as payments
from tests.helpers.stripe_simulator import simulator as simulator
from tests.helpers.stripe_simulator import simulator_process as simulator_process
