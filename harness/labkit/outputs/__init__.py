"""What a run came to, in the formats of others: a module for each; Result is in labkit.results."""
