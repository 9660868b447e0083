"""The vocabulary of the end-to-end tests. Standard library only, and nothing of sidrec's own code: an oracle."""
