"""What of a conversation goes into a request. Nothing is imported here: most requests never need a plan."""
