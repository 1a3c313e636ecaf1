def parse(lines):
    return {symbol: float(price) for symbol, price in (line.split(";") for line in lines)}
