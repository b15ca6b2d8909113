"""Articles, flows and models of the bot over REST."""
