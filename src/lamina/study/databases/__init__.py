"""What package managers write down of what they installed, read as they have it."""
