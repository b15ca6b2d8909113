"""The objects of Stripe's API: each module registers its calls, its answers' completion and its timers."""
