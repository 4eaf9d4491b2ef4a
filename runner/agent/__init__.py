"""What runs beside a step: restores its workspace, runs it, captures what it left."""
