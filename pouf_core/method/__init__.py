"""The `method` of an adaptation: what may be asked for, what contradicts itself, and the presets."""
