"""Ways to hand bad or odd input to every public function, and what must come of it."""
