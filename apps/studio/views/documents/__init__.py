"""The pages of documents. They parse, call one service, and render."""
