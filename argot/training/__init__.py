"""The teacher, which ranks passages for a query, and the student, which learns from it."""
