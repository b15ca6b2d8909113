"""SCIM 2.0 without the database: filters, patches, representations (RFC 7643, RFC 7644)."""
