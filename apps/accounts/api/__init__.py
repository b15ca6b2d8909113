"""Organizations and their audit log as REST resources."""
