/** Invoice arithmetic in whole cents. */

/** Turns a price such as "12.345" into cents, rounding half a cent up. */
export function cents(amount: string): number {
  const [whole = "0", fraction = ""] = amount.split(".");
  const thousandths = Number(whole) * 1000 + Number(fraction.padEnd(3, "0").slice(0, 3));
  return Math.floor((thousandths + 5) / 10);
}

/** Sum of prices in cents, each rounded on its own as it is printed. */
export function total(prices: readonly string[]): number {
  return prices.reduce((sum, price) => sum + cents(price), 0);
}

/** Divides cents fairly: the first shares carry what does not divide. */
export function split(amount: number, shares: number): number[] {
  if (shares < 1) throw new RangeError("shares must be at least 1");
  const each = Math.floor(amount / shares);
  const rest = amount % shares;
  return Array.from({ length: shares }, (_, i) => (i < rest ? each + 1 : each));
}
