"""From a float graph to eight bits: ranges of activations, weights made even, and what is left in float."""
