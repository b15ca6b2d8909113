"""Pages of single sign-on: the way in, and the organization's console."""
