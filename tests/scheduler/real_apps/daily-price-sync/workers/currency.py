RATE = 0.5


def in_euro(price):
    return round(price * RATE, 2)
