"""Plans under a budget and other constraints."""
