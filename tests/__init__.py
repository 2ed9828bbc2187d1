"""The tests, from the pure model to the program in a real terminal."""
