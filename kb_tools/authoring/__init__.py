"""What carries a policy from its document to a frozen revision: a draft begun, what is left of it, and its end."""
