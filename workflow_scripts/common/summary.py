"""What a run's margins are summarised by."""


def summarised(margins):
    """Return how many margins (an array) there are, their minimum and average, and the average without their signs."""
    return {
        "points": len(margins),
        "minimum": margins.min(),
        "average": margins.mean(),
        "distance": abs(margins).mean(),
    }
