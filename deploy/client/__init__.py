"""Writes the generated part of the Python client, `clients/python`, from the product's OpenAPI schema."""
