"""An image as a value, wherever it is kept."""
