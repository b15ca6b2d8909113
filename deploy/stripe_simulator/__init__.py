"""A Stripe simulator for the demo and for tests: a process of its own that the real SDK speaks to over HTTP.

It moves no money and is not Stripe. What it is, and what it does not claim: docs/decisions/0033-a-stripe-simulator.md.
"""

SDK_VERSION = "16.1.0"
API_VERSION = "2026-10-28.endive"
