"""The corpus that the house model learns from: invented products, their briefs and their copy."""
