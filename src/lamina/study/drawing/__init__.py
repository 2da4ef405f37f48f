"""Pictures and pages of what a study found, as HTML and SVG: pure functions of values."""
