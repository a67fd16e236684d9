"""The pure heart of the service: flows, conversations, and what one event does to them."""
