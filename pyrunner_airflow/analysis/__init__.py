"""What a task list's workers do, read from their source without importing it."""
