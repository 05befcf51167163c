"""What several test files share: fixtures stay in the conftests, everything that is imported is here."""
