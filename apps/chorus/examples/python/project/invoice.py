"""Invoice arithmetic in whole cents."""

from decimal import ROUND_HALF_DOWN, Decimal


def cents(amount: str) -> int:
    """Turn a price such as "12.345" into cents, rounding half a cent up."""
    value = Decimal(amount) * 100
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_DOWN))


def total(prices: list[str]) -> int:
    """Sum of prices in cents, each rounded on its own as it is printed."""
    return sum(cents(price) for price in prices)


def split(amount: int, shares: int) -> list[int]:
    """Divide cents fairly: the first shares carry what does not divide."""
    if shares < 1:
        raise ValueError("shares must be at least 1")
    each, rest = divmod(amount, shares)
    return [each + 1 if i < rest else each for i in range(shares)]
