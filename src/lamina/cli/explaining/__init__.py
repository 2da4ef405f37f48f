"""`lamina explain`: a command done for real, told step by step by a witness of the engine."""
