"""The managers' side in Telegram: where notices go, topics of customers, taking over and giving back."""
