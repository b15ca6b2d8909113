"""Text models: the brief a person fills in, its prompt, and exact token counts."""
