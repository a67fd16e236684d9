"""The rows of the table: each module measures one thing and returns its lines."""
