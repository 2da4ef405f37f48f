"""What is in the images that were pushed: found out in the background, kept beside them, shown on pages."""
