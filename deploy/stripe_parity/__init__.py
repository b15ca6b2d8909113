"""`make stripe-parity`: one lifecycle, twice, through the product's own gateway: at Stripe and at the simulator.

It needs a key of a Stripe test account, and tells where the simulator differs: in the shape of an object, in a state
or in an amount. It imports the gateway and no model, so it needs no database.
"""
