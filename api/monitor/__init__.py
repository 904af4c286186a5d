"""What people see in a browser: signing in with a token, and pages."""
