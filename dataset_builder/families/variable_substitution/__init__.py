"""Variables with values, and sums of them."""
