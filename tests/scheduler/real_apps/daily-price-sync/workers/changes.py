def between(before, after):
    return {symbol: round(price - before.get(symbol, 0), 2) for symbol, price in after.items()}
