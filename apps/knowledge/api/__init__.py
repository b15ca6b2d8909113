"""Knowledge over REST, and OpenAI's embeddings."""
