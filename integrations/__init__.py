"""Outside systems. One folder for each; they know neither one another nor the storage."""
