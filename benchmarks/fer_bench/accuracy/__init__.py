"""How right each artifact is on labelled pictures, and what it loses against float32."""
