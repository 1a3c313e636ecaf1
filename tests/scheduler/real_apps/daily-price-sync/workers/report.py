import symbols


def lines(known):
    yield f"run {known['runs']}"
    for symbol in symbols.ALL:
        yield f"{symbol}: {known['prices'][symbol]:.2f} ({known['changes'][symbol]:+.2f})"
