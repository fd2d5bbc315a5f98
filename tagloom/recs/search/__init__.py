"""Search: words and vectors together, misspelt and half-typed queries too, ordered for the user who asks."""
