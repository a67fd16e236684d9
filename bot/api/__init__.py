"""/api/v1: what operators and the back office read and order."""
