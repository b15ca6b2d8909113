"""Documents as REST resources."""
