"""Messages to webhooks: sent, tried again, given up."""
