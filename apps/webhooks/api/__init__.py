"""Events, endpoints and calls in over REST."""
