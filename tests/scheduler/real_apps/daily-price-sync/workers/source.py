def lines(symbols, run):
    return [f"{symbol};{10 * number + run}" for number, symbol in enumerate(symbols, 1)]
