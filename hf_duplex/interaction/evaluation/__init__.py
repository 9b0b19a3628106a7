"""The interaction benchmark: experiments, what a policy has to beat, and every claim with its evidence."""
