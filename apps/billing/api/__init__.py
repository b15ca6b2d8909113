"""Usage and budgets as REST resources."""
