"""Pages of the studio, one module per topic. They parse, call one service, and render."""
