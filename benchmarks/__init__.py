"""How fast the class gradients, the attack and the training are, side by side with what people would use instead."""
